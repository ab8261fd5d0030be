import { isAbsent, isObject, own } from '../core/json.ts';
import type { JsonObject } from '../core/json.ts';

/**
 * Returns why a pod cannot be read, one sentence for each problem, with what to do. The API server would
 * reject the same. The usual mistake is a value without quotes, which YAML reads as a number or a boolean.
 */
export function whyUnreadable(pod: unknown): string[] {
  if (!isObject(pod)) return ['The object has no pod template.'];
  const metadata = own(pod, 'metadata');
  const spec = own(pod, 'spec');
  if (!isObject(metadata)) return ['metadata is missing, or is not a mapping.'];
  if (!isObject(spec)) return ['spec is missing, or is not a mapping.'];
  const containers = own(spec, 'containers');
  return [
    ...valueProblems('label', own(metadata, 'labels')),
    ...valueProblems('annotation', own(metadata, 'annotations')),
    ...(Array.isArray(containers) && containers.length > 0 ? [] : ['spec.containers is not a list of containers.']),
    ...containerProblems('spec.containers', Array.isArray(containers) ? containers : []),
    ...containerProblems('spec.initContainers', own(spec, 'initContainers')),
  ];
}

function containerProblems(path: string, containers: unknown): string[] {
  return itemProblems(path, containers, (container, at) => [
    ...stringProblems(`${at}.name`, own(container, 'name')),
    ...stringProblems(`${at}.image`, own(container, 'image')),
    ...itemProblems(`${at}.ports`, own(container, 'ports'), (port, portAt) => [
      ...stringProblems(`${portAt}.name`, own(port, 'name')),
      ...stringProblems(`${portAt}.protocol`, own(port, 'protocol')),
    ]),
  ]);
}

/** Returns the problems of a list of mappings, which may be missing, and of each mapping. */
function itemProblems(path: string, list: unknown, problemsOf: (item: JsonObject, path: string) => string[]): string[] {
  if (isAbsent(list)) return [];
  if (!Array.isArray(list)) return [`${path} is not a list: begin each item with a dash.`];
  return list.flatMap((item: unknown, i) =>
    isObject(item) ? problemsOf(item, `${path}[${i}]`) : [`${path}[${i}] is not a mapping.`],
  );
}

function valueProblems(noun: string, map: unknown): string[] {
  if (isAbsent(map)) return [];
  if (!isObject(map)) return [`metadata.${noun}s is not a mapping.`];
  return Object.entries(map).flatMap(([key, value]) => stringProblems(`The ${noun} ${key}`, value));
}

function stringProblems(what: string, value: unknown): string[] {
  if (isAbsent(value) || typeof value === 'string') return [];
  const scalar = typeof value === 'number' || typeof value === 'boolean' ? `: quote it, as in '${value}'` : '';
  return [`${what} is not a string${scalar}.`];
}

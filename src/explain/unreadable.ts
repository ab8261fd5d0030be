import { isAbsent, isObject, own } from '../core/json.ts';
import type { JsonObject } from '../core/json.ts';

/**
 * Returns what keeps a pod from being read, a sentence each, with the way out: what the API server would refuse, too. The
 * usual mistake is a value without quotes, which YAML reads as a number or a boolean.
 */
export function unreadableBecause(pod: unknown): string[] {
  if (!isObject(pod)) return ['There is no pod template where this kind has it.'];
  const metadata = own(pod, 'metadata');
  const spec = own(pod, 'spec');
  if (!isObject(metadata)) return ['metadata is missing, or is not a mapping.'];
  if (!isObject(spec)) return ['spec is missing, or is not a mapping.'];
  const containers = own(spec, 'containers');
  return [
    ...wrongValues('label', own(metadata, 'labels')),
    ...wrongValues('annotation', own(metadata, 'annotations')),
    ...(Array.isArray(containers) && containers.length > 0 ? [] : ['spec.containers is not a list of containers.']),
    ...wrongContainers('spec.containers', Array.isArray(containers) ? containers : []),
    ...wrongContainers('spec.initContainers', own(spec, 'initContainers')),
  ];
}

function wrongContainers(path: string, containers: unknown): string[] {
  return wrongItems(path, containers, (container, at) => [
    ...wrongText(`${at}.name`, own(container, 'name')),
    ...wrongText(`${at}.image`, own(container, 'image')),
    ...wrongItems(`${at}.ports`, own(container, 'ports'), (port, portAt) => [
      ...wrongText(`${portAt}.name`, own(port, 'name')),
      ...wrongText(`${portAt}.protocol`, own(port, 'protocol')),
    ]),
  ]);
}

/** What is wrong with a list of mappings, which may be missing, and with what is in each. */
function wrongItems(path: string, list: unknown, wrongIn: (item: JsonObject, path: string) => string[]): string[] {
  if (isAbsent(list)) return [];
  if (!Array.isArray(list)) return [`${path} is not a list: begin each of its items with a dash.`];
  return list.flatMap((item: unknown, i) =>
    isObject(item) ? wrongIn(item, `${path}[${i}]`) : [`${path}[${i}] is not a mapping.`],
  );
}

function wrongValues(noun: string, map: unknown): string[] {
  if (isAbsent(map)) return [];
  if (!isObject(map)) return [`metadata.${noun}s is not a mapping.`];
  return Object.entries(map).flatMap(([key, value]) => wrongText(`The ${noun} ${key}`, value));
}

function wrongText(what: string, value: unknown): string[] {
  if (isAbsent(value) || typeof value === 'string') return [];
  const scalar = typeof value === 'number' || typeof value === 'boolean' ? `: write '${value}', in quotes` : '';
  return [`${what} is not a text${scalar}.`];
}

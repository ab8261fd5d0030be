import { isObject, own } from '../core/json.ts';

/**
 * Returns what keeps a pod from being read, a sentence each, with the way out: what the API server would refuse, too. The
 * usual mistake is a value of an annotation without quotes, which YAML reads as a number or a boolean.
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
  ];
}

function wrongValues(noun: string, map: unknown): string[] {
  if (map === undefined || map === null) return [];
  if (!isObject(map)) return [`metadata.${noun}s is not a mapping.`];
  return Object.entries(map).flatMap(([key, value]) => {
    if (value === null || typeof value === 'string') return [];
    const scalar = typeof value === 'number' || typeof value === 'boolean' ? `: write '${value}', in quotes` : '';
    return [`The ${noun} ${key} is not a text${scalar}.`];
  });
}

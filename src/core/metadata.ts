import { objectIn, text } from './json.ts';

/** Returns the name of an object; empty where it has none. */
export function nameOf(object: unknown): string {
  return text(objectIn(object, 'metadata')['name']);
}

/** Returns the namespace of an object; empty where it has none. */
export function namespaceOf(object: unknown): string {
  return text(objectIn(object, 'metadata')['namespace']);
}

/** A JSON object whose values have not been checked. */
export interface JsonObject {
  readonly [key: string]: unknown;
}

/** Returns whether a value is a JSON object (not null, not an array). */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Absent and null mean the same, as for Go's decoder: an empty list, an empty map, the empty
 * string.
 */
export function isAbsent(value: unknown): value is null | undefined {
  return value === undefined || value === null;
}

/**
 * Returns an object's own property, or undefined. In a pod, `constructor` and `__proto__` are
 * ordinary keys, which must not read what JavaScript objects inherit.
 */
export function own(object: JsonObject, key: string): unknown {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

/**
 * Returns a value's own property, or undefined where the value is not an object or has no such
 * property.
 */
export function member(value: unknown, key: string): unknown {
  return isObject(value) ? own(value, key) : undefined;
}

/** Returns the object under the key, or an empty one. */
export function objectIn(holder: unknown, key: string): JsonObject {
  const value = member(holder, key);
  return isObject(value) ? value : {};
}

/** Returns the objects of the list under the key. */
export function objectsIn(holder: JsonObject, key: string): JsonObject[] {
  const value = own(holder, key);
  return Array.isArray(value) ? value.filter(isObject) : [];
}

/** Returns the string, or the empty string for any other value. */
export function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** Returns the entries of a map whose values are strings. */
export function textEntries(value: unknown): (readonly [string, string])[] {
  return isObject(value)
    ? Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string')
    : [];
}

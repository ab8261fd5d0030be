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

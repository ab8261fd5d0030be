import { MAX_MARKER } from '../limits.ts';
import { isObject, own } from '../json.ts';

/** The annotation that says what autoscrape added, so that exactly that can be removed. */
export const MARKER_KEY = 'autoscrape.io/injected';

/**
 * The form of a rule's name. Pods name rules in a label, so it is that of a label's value without
 * capitals, `_` and `.`.
 */
export const RULE_NAME = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

/** What the marker holds: a public format. */
export interface Marker {
  readonly rule: string;
  /** The annotations that were added, key and value, without the marker itself. */
  readonly added: Readonly<Record<string, string>>;
}

/** Returns the marker's text. */
export function renderMarker({ rule, added }: Marker): string {
  return JSON.stringify({ rule, added });
}

/** Returns whether the annotations hold something that the marker says was added. */
export function claims(marker: Marker, annotations: ReadonlyMap<string, string>): boolean {
  return Object.entries(marker.added).some(([key, value]) => annotations.get(key) === value);
}

/**
 * Returns what the marker says, or undefined where it is absent or not one that autoscrape wrote.
 */
export function readMarker(value: string | undefined): Marker | undefined {
  if (value === undefined || value.length > MAX_MARKER) return undefined;
  let parsed: unknown;
  try {
    parsed = JSON.parse(value);
  } catch {
    return undefined;
  }
  if (!isObject(parsed)) return undefined;
  const rule = own(parsed, 'rule');
  const added = own(parsed, 'added');
  if (typeof rule !== 'string' || !isObject(added)) return undefined;
  const entries = Object.entries(added).filter((entry): entry is [string, string] => typeof entry[1] === 'string');
  if (entries.length === 0 || entries.length < Object.keys(added).length) return undefined;
  return { rule, added: Object.fromEntries(entries) };
}

import { isAlikeTo } from './scrape-keys.ts';
import type { AnnotationKeys } from './scrape-keys.ts';

// Several endpoints of one pod: `prometheus.io/port` carries the first, as every scraper reads it, and
// `prometheus.io/port-2` the second. There is no standard for it; docs/consumers.md has what reads it.

/** The numbers of further endpoints: a pod has at most eight. */
export const SLOTS = [2, 3, 4, 5, 6, 7, 8] as const;

/** One of {@link SLOTS}. */
export type Slot = (typeof SLOTS)[number];

const NUMBERED = ['port', 'path', 'scheme'] as const;

/** Returns the keys of one slot. */
export function keysOfSlot(keys: AnnotationKeys, slot: Slot): Readonly<Record<(typeof NUMBERED)[number], string>> {
  return { port: `${keys.port}-${slot}`, path: `${keys.path}-${slot}`, scheme: `${keys.scheme}-${slot}` };
}

/** Returns the keys of all slots. */
export function numberedKeys(keys: AnnotationKeys): string[] {
  return SLOTS.flatMap((slot) => Object.values(keysOfSlot(keys, slot)));
}

/**
 * Returns the slots of which the pod has a key in any spelling that Prometheus reads alike, with the port that it states,
 * which may be undefined and need not be a port.
 */
export function readSlots(
  keys: AnnotationKeys,
  annotations: ReadonlyMap<string, string>,
): ReadonlyMap<Slot, string | undefined> {
  const taken = new Map<Slot, string | undefined>();
  for (const [key, value] of annotations) {
    const slot = SLOTS.find((each) => key.endsWith(String(each)));
    if (slot === undefined) continue;
    const known = keysOfSlot(keys, slot);
    if (isAlikeTo(known.port, key)) taken.set(slot, value);
    else if (isAlikeTo(known.path, key) || isAlikeTo(known.scheme, key)) taken.set(slot, taken.get(slot));
  }
  return taken;
}

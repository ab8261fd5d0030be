import { isObject, member, objectIn, objectsIn, text } from '../core/json.ts';
import type { JsonObject } from '../core/json.ts';

// The answers of Prometheus' API: https://prometheus.io/docs/prometheus/latest/querying/api/#targets

/** A target that is scraped. */
export interface Target {
  readonly pool: string;
  readonly url: string;
  /** `up`, `down`, or `unknown` before the first scrape. */
  readonly health: string;
  /** Empty where there is none. */
  readonly error: string;
  /** Unix time in ms of the last scrape; undefined before the first. */
  readonly scrapedAt: number | undefined;
  readonly discovered: JsonObject;
}

/** What Prometheus drops, as far as it keeps that. */
export interface Dropped {
  readonly targets: readonly { readonly pool: string; readonly discovered: JsonObject }[];
  /** Whether there are more than these: `keep_dropped_targets` cuts the list. */
  readonly isCut: boolean;
}

/** Returns the active targets, or undefined where the answer has none of Prometheus' form. */
export function readActive(answer: unknown): readonly Target[] | undefined {
  const data = member(answer, 'data');
  if (!isObject(data) || !Array.isArray(data.activeTargets)) return undefined;
  return objectsIn(data, 'activeTargets').map((target) => {
    const scrapedAt = Date.parse(text(target.lastScrape));
    return {
      pool: text(target.scrapePool),
      url: text(target.scrapeUrl),
      health: text(target.health),
      error: text(target.lastError),
      // Go's zero time is of the year 1.
      scrapedAt: scrapedAt > 0 ? scrapedAt : undefined,
      discovered: objectIn(target, 'discoveredLabels'),
    };
  });
}

/** Returns what is dropped, or undefined where the answer has none of Prometheus' form. */
export function readDropped(answer: unknown): Dropped | undefined {
  const data = member(answer, 'data');
  if (!isObject(data) || !Array.isArray(data.droppedTargets)) return undefined;
  const targets = objectsIn(data, 'droppedTargets').map((target) => ({
    pool: text(target.scrapePool),
    discovered: objectIn(target, 'discoveredLabels'),
  }));
  // Since Prometheus 2.47; before it the list was never cut.
  const counts = Object.values(objectIn(data, 'droppedTargetCounts')).filter((count) => typeof count === 'number');
  return { targets, isCut: counts.reduce((sum, count) => sum + count, 0) > targets.length };
}

/**
 * Returns whether the loaded configuration reads the scrape annotation of pods, or undefined where
 * the answer has none of Prometheus' form. `key` is the annotation's.
 */
export function readsAnnotations(answer: unknown, key: string): boolean | undefined {
  const yaml = member(member(answer, 'data'), 'yaml');
  if (typeof yaml !== 'string') return undefined;
  const label = key.replaceAll(/[^A-Za-z0-9]/g, '_');
  return new RegExp(`__meta_kubernetes_pod_annotation(?:present)?_${label}\\b`).test(yaml);
}

/** Returns whether service discovery made the target of this pod. */
export function isOfPod(discovered: JsonObject, namespace: string, name: string, uid: string): boolean {
  const found = discovered['__meta_kubernetes_pod_uid'];
  return (
    discovered['__meta_kubernetes_namespace'] === namespace &&
    discovered['__meta_kubernetes_pod_name'] === name &&
    (uid === '' || typeof found !== 'string' || found === uid)
  );
}

import { isWrittenKey, writtenKeys } from '../core/annotations/removable-keys.ts';
import { readScrapeAnnotations } from '../core/annotations/scrape-keys.ts';
import { MARKER_KEY, readMarker, RULE_NAME } from '../core/annotations/marker.ts';
import { escapePointer } from '../core/patch.ts';
import { readPod } from '../core/pod/pod.ts';
import type { Pod } from '../core/pod/pod.ts';
import { ISTIO_MERGED_PORT } from '../core/pod/port.ts';
import type { Rules } from '../core/rules/parse.ts';
import { readEnd, readRef, testVersion } from './plan.ts';
import type { LivePodSkipReason, Planner, PodPlan } from './plan.ts';

/**
 * Returns a planner that removes what autoscrape added, by the webhook too: exactly the keys that
 * the marker names and whose values nobody has changed, and the marker. Finished and opted-out pods
 * are uninjected too.
 */
export function uninjectPlanner(rules: Rules): Planner {
  const written = writtenKeys(rules.annotationKeys);
  return (object) => {
    const ref = readRef(object);
    const pod = readPod(object);
    if (ref === undefined) return undefined;
    const skip = (reason: LivePodSkipReason): PodPlan => ({ ...ref, action: 'skip', reason });
    if (pod === undefined) return skip('unreadable');
    if (readEnd(object) === 'terminating') return skip('terminating');
    if (pod.annotations.has('kubernetes.io/config.mirror')) return skip('mirror_pod');
    const value = pod.annotations.get(MARKER_KEY);
    if (value === undefined) return skip('not_injected');
    const marker = readMarker(value);
    if (marker === undefined) return skip('bad_marker');
    const added = Object.entries(marker.added);
    // Anyone who creates a pod can write a marker: it must not make us remove what others wrote.
    if (added.some(([key]) => key === MARKER_KEY || !isWrittenKey(written, key))) return skip('foreign_keys');
    if (!statesTarget(pod, rules)) return skip('changed_since');
    const unchanged = isMerged(pod, rules) ? [] : added.filter(([key, text]) => pod.annotations.get(key) === text);
    const keys = [...unchanged.map(([key]) => key), MARKER_KEY];
    const removals = keys.map((key) => ({
      op: 'remove' as const,
      path: `/metadata/annotations/${escapePointer(key)}`,
    }));
    return {
      ...ref,
      action: 'uninject',
      // Anyone who creates a pod can write a marker, and this is printed: it must have the form of
      // a name.
      rule: RULE_NAME.test(marker.rule) ? marker.rule : 'unknown',
      annotations: Object.fromEntries([...unchanged, [MARKER_KEY, value]]),
      patch: [testVersion(ref), ...removals],
    };
  };
}

/**
 * Returns whether the pod says that or where it is scraped, as every pod does that autoscrape
 * annotated. A pod that says neither may have copied its marker from another pod, and then nobody
 * knows who wrote its other annotations.
 */
function statesTarget({ annotations }: Pod, rules: Rules): boolean {
  const { scrape, slow, port } = readScrapeAnnotations(rules.annotationKeys, annotations);
  return scrape !== undefined || slow !== undefined || port !== undefined;
}

/**
 * Returns whether Istio's injector has taken over the scrape annotations: then Prometheus needs
 * even those with our values.
 */
function isMerged(pod: Pod, rules: Rules): boolean {
  const hasProxy = [...pod.containers, ...pod.sidecars].some(({ name }) => name === 'istio-proxy');
  return hasProxy && pod.annotations.get(rules.annotationKeys.port) === ISTIO_MERGED_PORT;
}

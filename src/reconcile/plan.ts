import { readStated } from '../core/annotations/keys.ts';
import { decide } from '../core/decide.ts';
import { isObject, own } from '../core/json.ts';
import { MARKER_KEY, readMarker, RULE_NAME } from '../core/annotations/marker.ts';
import { renderPatch } from '../core/patch.ts';
import type { AddOperation } from '../core/patch.ts';
import { readPod } from '../core/pod/pod.ts';
import type { Pod } from '../core/pod/pod.ts';
import { ISTIO_MERGED_PORT } from '../core/pod/port.ts';
import { REASONS } from '../core/reason.ts';
import type { SkipReason } from '../core/reason.ts';
import type { Rules } from '../core/rules/parse.ts';

/** Why a pod that exists is left alone, besides the reasons that hold for a pod being created too. */
export const LEAVE_REASONS = {
  ...REASONS,
  terminating: 'The pod is being deleted.',
  finished: 'The pod has finished, so there is nothing to scrape in it.',
  not_injected: 'The pod has nothing that autoscrape added.',
  bad_marker: 'The annotation autoscrape.io/injected does not say what was added, so nothing is taken back by it.',
  foreign_keys:
    'autoscrape.io/injected names annotations that these rules do not write: give the rules that wrote them.',
} as const satisfies Record<string, string>;

/** A key of {@link LEAVE_REASONS}: metric label and the reason in a printed plan. */
export type LeaveReason = SkipReason | keyof typeof LEAVE_REASONS;

/** One operation of a JSON Patch (RFC 6902) for a pod that exists: the test holds it to the very version that was seen. */
export type Operation =
  | AddOperation
  | { readonly op: 'test'; readonly path: '/metadata/resourceVersion'; readonly value: string }
  | { readonly op: 'remove'; readonly path: string };

/** Which pod, and which version of it was looked at. */
export interface PodRef {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
}

interface Change extends PodRef {
  readonly rule: string;
  /** Added, or taken back. */
  readonly annotations: Readonly<Record<string, string>>;
  readonly patch: readonly Operation[];
}

/** What is to be done with one pod. */
export type PodPlan =
  | (Change & { readonly action: 'annotate' })
  | (Change & { readonly action: 'take_back' })
  | (PodRef & { readonly action: 'leave'; readonly reason: LeaveReason });

/** What is to be done with a pod, seen as it is on the API server; undefined where the object has no name. */
export type Planner = (object: unknown) => PodPlan | undefined;

/**
 * A planner that gives pods their annotations: what the webhook would have decided, unless the pod is on its way out, or
 * carries what autoscrape once wrote and somebody has changed since. Annotations are only ever added.
 */
export function annotatePlanner(rules: Rules, mesh: boolean): Planner {
  return (object) => {
    const ref = readRef(object);
    if (ref === undefined) return undefined;
    const ending = readEnding(object);
    if (ending !== undefined) return { ...ref, action: 'leave', reason: ending };
    const decision = decide(object, rules, { mesh });
    if (decision.outcome === 'skip') return { ...ref, action: 'leave', reason: decision.reason };
    const pod = readPod(object);
    // Whoever removes or changes a value on a live pod means it: adding it again would be a fight.
    if (pod !== undefined && readMarker(pod.annotations.get(MARKER_KEY)) !== undefined) {
      return { ...ref, action: 'leave', reason: 'changed_since' };
    }
    const { rule, annotations } = decision;
    return {
      ...ref,
      action: 'annotate',
      rule,
      annotations,
      patch: [sameVersion(ref), ...renderPatch(object, decision)],
    };
  };
}

/**
 * A planner that takes back what autoscrape added, the webhook's annotations included: exactly the keys that the marker names
 * and whose values nobody has changed, and the marker. Finished and opted-out pods get theirs back too.
 */
export function takeBackPlanner(rules: Rules): Planner {
  const ours = new Set(Object.values(rules.annotationKeys));
  return (object) => {
    const ref = readRef(object);
    const pod = readPod(object);
    if (ref === undefined) return undefined;
    const leave = (reason: LeaveReason): PodPlan => ({ ...ref, action: 'leave', reason });
    if (pod === undefined) return leave('unreadable');
    if (readEnding(object) === 'terminating') return leave('terminating');
    if (pod.annotations.has('kubernetes.io/config.mirror')) return leave('mirror_pod');
    const text = pod.annotations.get(MARKER_KEY);
    if (text === undefined) return leave('not_injected');
    const marker = readMarker(text);
    if (marker === undefined) return leave('bad_marker');
    const added = Object.entries(marker.added);
    // Whoever may create a pod may write a marker: it must not make us remove what others wrote.
    if (added.some(([key]) => !ours.has(key))) return leave('foreign_keys');
    if (!saysAnything(pod, rules)) return leave('changed_since');
    const unchanged = isMerged(pod, rules) ? [] : added.filter(([key, value]) => pod.annotations.get(key) === value);
    const keys = [...unchanged.map(([key]) => key), MARKER_KEY];
    return {
      ...ref,
      action: 'take_back',
      // Whoever may create a pod may write a marker: what is printed must not be a text of theirs.
      rule: RULE_NAME.test(marker.rule) ? marker.rule : 'unknown',
      annotations: Object.fromEntries([...unchanged, [MARKER_KEY, text]]),
      patch: [sameVersion(ref), ...keys.map((key) => ({ op: 'remove' as const, path: annotationPath(key) }))],
    };
  };
}

/**
 * Whatever autoscrape annotates says that or where it is to be scraped. A pod that says neither may have brought its marker along
 * from another one, so that nobody can tell whose the other annotations are.
 */
function saysAnything({ annotations }: Pod, rules: Rules): boolean {
  const { scrape, slow, port } = readStated(rules.annotationKeys, annotations);
  return scrape !== undefined || slow !== undefined || port !== undefined;
}

/** Istio's injector has made all of the scrape annotations its own: even an equal value is now what Prometheus needs. */
function isMerged(pod: Pod, rules: Rules): boolean {
  const hasProxy = [...pod.containers, ...pod.sidecars].some(({ name }) => name === 'istio-proxy');
  return hasProxy && pod.annotations.get(rules.annotationKeys.port) === ISTIO_MERGED_PORT;
}

/** Which pod the object is, or undefined where it does not say so. */
export function readRef(object: unknown): PodRef | undefined {
  const metadata = isObject(object) ? own(object, 'metadata') : undefined;
  if (!isObject(metadata)) return undefined;
  const [namespace, name, uid, resourceVersion] = ['namespace', 'name', 'uid', 'resourceVersion'].map((key) =>
    own(metadata, key),
  );
  if (typeof namespace !== 'string' || typeof name !== 'string') return undefined;
  if (typeof uid !== 'string' || typeof resourceVersion !== 'string') return undefined;
  return { namespace, name, uid, resourceVersion };
}

function readEnding(object: unknown): 'terminating' | 'finished' | undefined {
  const metadata = isObject(object) ? own(object, 'metadata') : undefined;
  const status = isObject(object) ? own(object, 'status') : undefined;
  if (isObject(metadata) && own(metadata, 'deletionTimestamp') !== undefined) return 'terminating';
  const phase = isObject(status) ? own(status, 'phase') : undefined;
  return phase === 'Succeeded' || phase === 'Failed' ? 'finished' : undefined;
}

function sameVersion({ resourceVersion }: PodRef): Operation {
  return { op: 'test', path: '/metadata/resourceVersion', value: resourceVersion };
}

/** RFC 6901: `~` first, or the tilde of `~1` would be escaped again. */
function annotationPath(key: string): string {
  return `/metadata/annotations/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`;
}

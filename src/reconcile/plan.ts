import { isObject, member, own } from '../core/json.ts';
import type { AddOperation } from '../core/patch.ts';
import { REASONS } from '../core/skip-reason.ts';
import type { SkipReason } from '../core/skip-reason.ts';
import type { SuspectKind } from '../core/suspect-annotations.ts';
import type { AskNote } from './ask-note.ts';

/**
 * Why a live pod is skipped: the reasons that a pod being created has too, and those that only live
 * pods have.
 */
export const LIVE_POD_SKIP_REASONS = {
  ...REASONS,
  to_be_asked:
    'Nothing in the pod says for certain whether it has metrics, so it is asked when it is ready; it has not answered yet.',
  asked_no_metrics: 'The pod was asked, and none of its ports serves metrics.',
  asked_unscrapable:
    'The pod was asked, and Prometheus could not scrape what it answered; the log says what to change.',
  could_not_ask:
    'The pod could not be asked or did not answer: it is on the host network, a policy keeps requests out, or nothing listens.',
  service_annotated:
    'A Service with the annotation prometheus.io/scrape: "true" selects the pod, so scrapers of Services scrape it already.',
  not_selected: 'The selector for pods (--object-selector) does not select the pod.',
  terminating: 'The pod is being deleted.',
  finished: 'The pod has finished, so there is nothing to scrape in it.',
  not_injected: 'The pod has nothing that autoscrape added.',
  bad_marker: 'The annotation autoscrape.io/injected is invalid, so what autoscrape added is unknown.',
  foreign_keys:
    'autoscrape.io/injected names annotations that these rules do not write: give the rules that wrote them.',
} as const satisfies Record<string, string>;

/** A key of {@link LIVE_POD_SKIP_REASONS}: metric label, and the reason in a printed plan. */
export type LivePodSkipReason = SkipReason | keyof typeof LIVE_POD_SKIP_REASONS;

/** Why a pod is skipped that is asked, or would be. */
export type AskReason =
  'to_be_asked' | 'asked_no_metrics' | 'asked_unscrapable' | 'could_not_ask' | 'service_annotated';

/**
 * One operation of a JSON Patch (RFC 6902) for a live pod: the test ties the patch to the version
 * that was planned on.
 */
export type Operation =
  | AddOperation
  | { readonly op: 'test'; readonly path: '/metadata/resourceVersion'; readonly value: string }
  | { readonly op: 'remove'; readonly path: string };

/** Which pod, and which version of it. */
export interface PodRef {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
}

/** A plan that changes a pod. */
export interface ChangePlan extends PodRef {
  readonly action: 'annotate' | 'uninject';
  readonly rule: string;
  /** The annotations to add or to remove. */
  readonly annotations: Readonly<Record<string, string>>;
  readonly patch: readonly Operation[];
  /** What asking needs of the pod, where it decides. */
  readonly asking?: AskNote;
  /** The webhook leaves such pods to the reconciler, so it did not miss this one. */
  readonly isLeftToAsking?: boolean;
}

/** A plan that skips a pod. */
export interface SkipPlan extends PodRef {
  readonly action: 'skip';
  readonly reason: LivePodSkipReason;
  /** What the reason's sentence leaves open, in a few words. */
  readonly detail?: string;
  /** What is probably wrong with annotations that somebody wrote. */
  readonly suspects?: readonly SuspectKind[];
  /** What asking needs of the pod, where it decides. */
  readonly asking?: AskNote;
}

/** What to do with one pod. */
export type PodPlan = ChangePlan | SkipPlan;

/**
 * Returns the plan for a pod as it is on the API server, or undefined where the object is not a pod
 * with a name.
 */
export type Planner = (object: unknown) => PodPlan | undefined;

/** Returns which pod the object is, or undefined where it does not say so. */
export function readRef(object: unknown): PodRef | undefined {
  const metadata = member(object, 'metadata');
  if (!isObject(metadata)) return undefined;
  const [namespace, name, uid, resourceVersion] = ['namespace', 'name', 'uid', 'resourceVersion'].map((key) =>
    own(metadata, key),
  );
  if (typeof namespace !== 'string' || typeof name !== 'string') return undefined;
  if (typeof uid !== 'string' || typeof resourceVersion !== 'string') return undefined;
  return { namespace, name, uid, resourceVersion };
}

/** Returns whether the pod is about to go or has finished, or undefined where it does neither. */
export function readEnd(object: unknown): 'terminating' | 'finished' | undefined {
  if (member(member(object, 'metadata'), 'deletionTimestamp') !== undefined) return 'terminating';
  const phase = member(member(object, 'status'), 'phase');
  return phase === 'Succeeded' || phase === 'Failed' ? 'finished' : undefined;
}

/** Returns the operation that makes the API server refuse the patch when the pod has changed. */
export function testVersion({ resourceVersion }: PodRef): Operation {
  return { op: 'test', path: '/metadata/resourceVersion', value: resourceVersion };
}

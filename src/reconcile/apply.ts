import type { Kube } from '../kube/client.ts';
import { ask } from '../kube/request.ts';
import type { Failure } from '../kube/request.ts';
import { scopeOf } from './failure-scope.ts';
import type { Pace } from '../kube/rate-limiter.ts';
import type { PodPlan, PodRef, Planner } from './plan.ts';

/** A plan that changes something. */
export type ChangePlan = Exclude<PodPlan, { action: 'leave' }>;

/** What became of a change. */
export type Applied =
  /** Done, by this rule; the pod as the API server returned it. */
  | { readonly result: 'done'; readonly rule: string; readonly pod: unknown }
  /** As the pod is now there is nothing to do. */
  | { readonly result: 'superseded'; readonly pod: unknown }
  /** The pod is gone, or another one has its name: that one is looked at by itself. */
  | { readonly result: 'gone' }
  /** Meanwhile the namespace is no longer to be worked on, or nothing at all is. */
  | { readonly result: 'unwanted' }
  /** The API server refused this change to this very version: admission or validation, and no use trying at once. */
  | { readonly result: 'refused'; readonly resourceVersion: string; readonly failure: Failure }
  | { readonly result: 'failed'; readonly failure: Failure };

/** How to carry out plans. */
export interface ApplyOptions {
  readonly kube: Kube;
  readonly planner: Planner;
  readonly pace: Pace;
  /** Asked before each patch but the first: whether the namespace is still to be worked on. */
  readonly isWanted: () => boolean | Promise<boolean>;
  readonly signal: AbortSignal;
}

/** How often in a row a pod may change under our hands before it is left for later. */
const LOOKS = 4;

/** The collection of a namespace's pods. */
export function podsPath(namespace: string): string {
  return `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods`;
}

/**
 * Changes a pod in the turn that the caller has, by a plan or else by what a fresh read says, and returns what became of it. The
 * patch tests the resourceVersion, so it is applied to what was planned on or not at all; when the pod has changed, it is read and
 * planned again, and each further patch takes a turn of its own.
 */
export async function apply(
  pod: Pick<PodRef, 'namespace' | 'name'>,
  options: ApplyOptions,
  planned?: ChangePlan,
): Promise<Applied> {
  const { kube, planner, pace, isWanted, signal } = options;
  const path = `${podsPath(pod.namespace)}/${encodeURIComponent(pod.name)}`;
  let next = planned;
  let last: { readonly change: ChangePlan; readonly failure: Failure } | undefined;
  for (let look = 1; ; look += 1) {
    if (next === undefined) {
      const fresh = await ask(kube, { method: 'GET', path, signal });
      if (!fresh.ok) {
        return fresh.failure.status === 404 ? { result: 'gone' } : { result: 'failed', failure: fresh.failure };
      }
      const plan = planner(fresh.body);
      if (plan === undefined || (last !== undefined && plan.uid !== last.change.uid)) return { result: 'gone' };
      if (plan.action === 'leave') return { result: 'superseded', pod: fresh.body };
      const { resourceVersion } = plan;
      if (last?.failure.status === 422 && resourceVersion === last.change.resourceVersion) {
        const { failure } = last;
        return scopeOf(failure) === 'pod'
          ? { result: 'refused', resourceVersion, failure }
          : { result: 'failed', failure };
      }
      next = plan;
    }
    if (look > 1) {
      await pace.turn(signal);
      if (signal.aborted || !(await isWanted())) return { result: 'unwanted' };
    }
    const asked = await ask(kube, {
      method: 'PATCH',
      path,
      query: { fieldManager: 'autoscrape' },
      contentType: 'application/json-patch+json',
      body: next.patch,
      signal,
    });
    if (asked.ok) return { result: 'done', rule: next.rule, pod: asked.body };
    const { failure } = asked;
    if (failure.status === 404) return { result: 'gone' };
    // A failed `test` is 422, an update that lost a race inside the API server 409; 422 is also a refusal.
    const mayHaveChanged = failure.status === 409 || failure.status === 422;
    if (!mayHaveChanged && scopeOf(failure) === 'pod') {
      return { result: 'refused', resourceVersion: next.resourceVersion, failure };
    }
    if (!mayHaveChanged || look === LOOKS) return { result: 'failed', failure };
    last = { change: next, failure };
    next = undefined;
  }
}

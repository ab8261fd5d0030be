import { podPath } from '../kube/api-paths.ts';
import type { Failure, Kube } from '../kube/client.ts';
import type { RateLimiter } from '../kube/rate-limiter.ts';
import { scopeOf } from './failure-scope.ts';
import type { ChangePlan, Planner, PodRef } from './plan.ts';

/** The result of a change. */
export type Applied =
  /** The pod was patched, by this rule; `pod` is what the API server returned. */
  | { readonly result: 'done'; readonly rule: string; readonly pod: unknown }
  /** The pod as it is now needs no change. */
  | { readonly result: 'superseded'; readonly pod: unknown }
  /** The pod is gone, or another one has its name, which gets a plan of its own. */
  | { readonly result: 'gone' }
  /** The namespace must not be changed any more, or the signal aborted. */
  | { readonly result: 'unwanted' }
  /** Admission or validation refused this change of this version. A retry would be refused too. */
  | { readonly result: 'refused'; readonly resourceVersion: string; readonly failure: Failure }
  | { readonly result: 'failed'; readonly failure: Failure };

/** How to apply plans. */
export interface ApplyOptions {
  readonly kube: Kube;
  readonly planner: Planner;
  readonly rateLimiter: RateLimiter;
  /** Returns whether the namespace may still be changed. Called before each patch but the first. */
  readonly isWanted: () => boolean | Promise<boolean>;
  readonly signal: AbortSignal;
}

/** How often in a row a pod may change between read and patch before it is left for later. */
const ATTEMPTS = 4;

/**
 * Changes a pod, by a plan or else by what a fresh read says, and returns the result. The caller
 * has waited for the rate limiter; each further patch waits for it here. The patch tests the
 * resourceVersion, so it applies to the version that was planned on or not at all. When the pod has
 * changed, it is read and planned again.
 */
export async function apply(
  pod: Pick<PodRef, 'namespace' | 'name'>,
  options: ApplyOptions,
  planned?: ChangePlan,
): Promise<Applied> {
  const { kube, planner, rateLimiter, isWanted, signal } = options;
  const path = podPath(pod.namespace, pod.name);
  let next = planned;
  let last: { readonly change: ChangePlan; readonly failure: Failure } | undefined;
  for (let attempt = 1; ; attempt += 1) {
    if (next === undefined) {
      const fresh = await kube.request({ method: 'GET', path, signal });
      if (!fresh.ok) {
        // Nothing has been changed: what was patched before was not accepted.
        if (signal.aborted) return { result: 'unwanted' };
        return fresh.error.status === 404 ? { result: 'gone' } : { result: 'failed', failure: fresh.error };
      }
      const plan = planner(fresh.value);
      if (plan === undefined || (last !== undefined && plan.uid !== last.change.uid)) return { result: 'gone' };
      if (plan.action === 'skip') return { result: 'superseded', pod: fresh.value };
      const { resourceVersion } = plan;
      if (last?.failure.status === 422 && resourceVersion === last.change.resourceVersion) {
        const { failure } = last;
        return scopeOf(failure) === 'pod'
          ? { result: 'refused', resourceVersion, failure }
          : { result: 'failed', failure };
      }
      next = plan;
    }
    if (attempt > 1) {
      await rateLimiter.wait(signal);
      if (signal.aborted || !(await isWanted())) return { result: 'unwanted' };
    }
    const patched = await kube.request({
      method: 'PATCH',
      path,
      query: { fieldManager: 'autoscrape' },
      contentType: 'application/json-patch+json',
      body: next.patch,
      signal,
    });
    if (patched.ok) return { result: 'done', rule: next.rule, pod: patched.value };
    const failure = patched.error;
    if (failure.status === 404) return { result: 'gone' };
    // A failed `test` is 422, an update that lost a race inside the API server 409; 422 is also a
    // refusal.
    const mayHaveChanged = failure.status === 409 || failure.status === 422;
    if (!mayHaveChanged && scopeOf(failure) === 'pod') {
      return { result: 'refused', resourceVersion: next.resourceVersion, failure };
    }
    if (!mayHaveChanged || attempt === ATTEMPTS) return { result: 'failed', failure };
    last = { change: next, failure };
    next = undefined;
  }
}

import type { Kube } from '../kube.ts';
import { ask } from './ask.ts';
import type { Failure } from './ask.ts';
import type { Pace } from './pace.ts';
import type { PodPlan, PodRef, Planner } from './plan.ts';

/** A plan that changes something. */
export type ChangePlan = Exclude<PodPlan, { action: 'leave' }>;

/** What became of a change. */
export type Applied =
  /** Done; the pod as the API server returned it. */
  | { readonly result: 'done'; readonly pod: unknown }
  /** Somebody changed the pod meanwhile, and as it is now there is nothing to do. */
  | { readonly result: 'superseded'; readonly pod: unknown }
  /** The pod is gone, or another one has its name: that one is looked at by itself. */
  | { readonly result: 'gone' }
  /** Meanwhile the namespace is no longer to be worked on, or nothing at all is. */
  | { readonly result: 'unwanted' }
  /** The API server refused this change to this very version: admission or validation, and no use trying at once. */
  | { readonly result: 'refused'; readonly failure: Failure }
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
 * What became of the change, in the turn that the caller has. The patch tests the resourceVersion, so it is applied to what was
 * planned on or not at all; when the pod has changed, it is read and planned anew, in a turn of its own.
 */
export async function apply(plan: ChangePlan, options: ApplyOptions): Promise<Applied> {
  const { kube, planner, pace, isWanted, signal } = options;
  let change = plan;
  for (let look = 1; ; look += 1) {
    const path = podPath(change);
    const asked = await ask(kube, {
      method: 'PATCH',
      path,
      query: { fieldManager: 'autoscrape' },
      contentType: 'application/json-patch+json',
      body: change.patch,
      signal,
    });
    if (asked.ok) return { result: 'done', pod: asked.body };
    const { failure } = asked;
    if (failure.status === 404) return { result: 'gone' };
    // A failed `test` is 422, an update that lost a race inside the API server 409; 422 is also a refusal.
    if ((failure.status !== 409 && failure.status !== 422) || look === LOOKS) return { result: 'failed', failure };

    await pace.turn(signal);
    if (signal.aborted || !(await isWanted())) return { result: 'unwanted' };
    const fresh = await ask(kube, { method: 'GET', path, signal });
    if (!fresh.ok)
      return fresh.failure.status === 404 ? { result: 'gone' } : { result: 'failed', failure: fresh.failure };
    const again = planner(fresh.body);
    if (again === undefined || again.uid !== change.uid) return { result: 'gone' };
    if (again.action === 'leave') return { result: 'superseded', pod: fresh.body };
    if (again.resourceVersion === change.resourceVersion && failure.status === 422)
      return { result: 'refused', failure };
    change = again;
  }
}

function podPath({ namespace, name }: PodRef): string {
  return `${podsPath(namespace)}/${encodeURIComponent(name)}`;
}

import type { Kube } from '../kube.ts';
import { apply, podsPath } from './apply.ts';
import type { Applied, ChangePlan } from './apply.ts';
import type { Failure } from './ask.ts';
import { listAll } from './list.ts';
import type { Pace } from './pace.ts';
import type { PodPlan, Planner } from './plan.ts';

export type Planned =
  { readonly ok: true; readonly plans: readonly PodPlan[] } | { readonly ok: false; readonly failure: Failure };

/** What is to be done with each pod of a namespace, or why they could not be listed. */
export async function planNamespace(
  kube: Kube,
  namespace: string,
  planner: Planner,
  signal: AbortSignal,
): Promise<Planned> {
  const plans: PodPlan[] = [];
  const onObject = (object: unknown) => {
    const plan = planner(object);
    if (plan !== undefined) plans.push(plan);
  };
  const listed = await listAll(kube, { path: podsPath(namespace) }, onObject, signal);
  return listed.ok ? { ok: true, plans } : listed;
}

/** How often a change is tried when the API server says when to come again (429, 503). */
const TRIES = 4;

/** How to carry out plans. */
export interface ApplyOptions {
  readonly kube: Kube;
  readonly planner: Planner;
  readonly pace: Pace;
  /** Asked before each change: whether the namespace is still to be worked on. */
  readonly isWanted: () => boolean | Promise<boolean>;
  readonly signal: AbortSignal;
}

/** What became of each change, in order; `unwanted` once the namespace was no longer to be worked on, or the signal fired. */
export async function* applyAll(
  changes: readonly ChangePlan[],
  { kube, planner, pace, isWanted, signal }: ApplyOptions,
): AsyncGenerator<{ readonly change: ChangePlan; readonly applied: Applied | { readonly result: 'unwanted' } }, void> {
  for (const change of changes) {
    await pace.turn(signal);
    if (signal.aborted || !(await isWanted())) {
      yield { change, applied: { result: 'unwanted' } };
      continue;
    }
    let applied = await apply(kube, change, planner, signal);
    for (let tries = 1; tries < TRIES; tries += 1) {
      if (applied.result !== 'failed' || applied.failure.retryAfterMs === undefined || signal.aborted) break;
      pace.hold(applied.failure.retryAfterMs);
      await pace.turn(signal);
      applied = await apply(kube, change, planner, signal);
    }
    yield { change, applied };
  }
}

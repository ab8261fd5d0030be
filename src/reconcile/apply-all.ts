import type { Kube } from '../kube/client.ts';
import { apply, podsPath } from './apply.ts';
import type { Applied, ApplyOptions, ChangePlan } from './apply.ts';
import type { Failure } from '../kube/request.ts';
import { listAll } from '../kube/list.ts';
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

/** What became of each change, in order; `unwanted` once the namespace was no longer to be worked on, or the signal fired. */
export async function* applyAll(
  changes: readonly ChangePlan[],
  options: ApplyOptions,
): AsyncGenerator<{ readonly change: ChangePlan; readonly applied: Applied }, void> {
  const { pace, isWanted, signal } = options;
  const mayTurn = async () => {
    await pace.turn(signal);
    return !signal.aborted && (await isWanted());
  };
  for (const change of changes) {
    let applied: Applied = (await mayTurn()) ? await apply(change, options, change) : { result: 'unwanted' };
    for (let tries = 1; tries < TRIES; tries += 1) {
      if (applied.result !== 'failed' || applied.failure.retryAfterMs === undefined) break;
      pace.hold(applied.failure.retryAfterMs);
      if (!(await mayTurn())) break;
      applied = await apply(change, options, change);
    }
    yield { change, applied };
  }
}

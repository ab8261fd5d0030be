import type { Rules } from '../core/rules.ts';
import type { Kube } from '../kube.ts';
import type { Applied, ChangePlan } from './apply.ts';
import { ask } from './ask.ts';
import type { Failure } from './ask.ts';
import { readNamespace } from './namespace.ts';
import type { Pace } from './pace.ts';
import { applyAll, planNamespace } from './pass.ts';
import { createBackoff, pause } from './pause.ts';
import { takeBackPlanner } from './plan.ts';
import { LABEL_LAG_MS } from './watched-namespace.ts';

/** What taking back needs. */
export interface TakeBackOptions {
  readonly kube: Kube;
  readonly rules: () => Rules;
  readonly pace: Pace;
  /** Whether the namespace is opted in again, as far as is known now. */
  readonly isOptedIn: () => boolean;
  readonly signal: AbortSignal;
  readonly onApplied: (change: ChangePlan, applied: Applied) => void;
  readonly onFailure: (failure: Failure) => void;
}

/**
 * Resolves when everything that was added in the namespace has been taken back, or it is opted in again, or gone, or the signal
 * fires; true unless the signal fired first. A second look follows after ten seconds: the API server goes on calling the webhook
 * for a moment after the label has gone.
 */
export async function takeBack(namespace: string, options: TakeBackOptions): Promise<boolean> {
  const { signal, isOptedIn } = options;
  for (let look = 1; look <= 2; look += 1) {
    const backoff = createBackoff();
    while (!signal.aborted && !isOptedIn() && !(await clear(namespace, options))) {
      await pause(backoff.next(), signal);
    }
    if (look === 1 && !isOptedIn()) await pause(LABEL_LAG_MS, signal);
  }
  return !signal.aborted;
}

/** Whether nothing is left to take back. */
async function clear(name: string, options: TakeBackOptions): Promise<boolean> {
  const { kube, rules, pace, isOptedIn, signal, onApplied, onFailure } = options;
  const asked = await ask(kube, { method: 'GET', path: `/api/v1/namespaces/${encodeURIComponent(name)}`, signal });
  if (!asked.ok) {
    if (asked.failure.status !== 404) onFailure(asked.failure);
    return asked.failure.status === 404;
  }
  const namespace = readNamespace(asked.body);
  if (namespace === undefined || namespace.terminating) return true;
  if (namespace.optedIn) return false; // labelled again: the watch is about to say so
  const planner = takeBackPlanner(rules());
  const planned = await planNamespace(kube, name, planner, signal);
  if (!planned.ok) {
    onFailure(planned.failure);
    return false;
  }
  const changes = planned.plans.filter((plan) => plan.action !== 'leave');
  let isDone = true;
  for await (const { change, applied } of applyAll(changes, {
    kube,
    planner,
    pace,
    signal,
    isWanted: () => !isOptedIn(),
  })) {
    if (applied.result === 'unwanted') return false;
    onApplied(change, applied);
    if (applied.result === 'failed' || applied.result === 'refused') isDone = false;
  }
  return isDone;
}

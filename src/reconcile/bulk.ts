import type { Kube } from '../kube/client.ts';
import type { Applied, ChangePlan } from './apply.ts';
import { ask } from '../kube/request.ts';
import type { Failure } from '../kube/request.ts';
import { insist, mayPass } from '../kube/retry.ts';
import { listAll } from '../kube/list.ts';
import { HAS_OPT_IN_LABEL, readNamespace } from './namespace.ts';
import type { Namespace } from './namespace.ts';
import type { Pace } from '../kube/rate-limiter.ts';
import { applyAll, planNamespace } from './apply-all.ts';
import type { PodPlan, Planner } from './plan.ts';

/** One pod of a pass: what was to be done with it, and what became of that (nothing in a dry run, `stopped` when the pass ended before). */
export interface PodOutcome {
  readonly plan: PodPlan;
  readonly applied?: Applied | { readonly result: 'stopped' };
}

/** What a pass found and did. */
export interface PassReport {
  readonly dryRun: boolean;
  readonly namespaces: readonly Namespace[];
  readonly pods: readonly PodOutcome[];
  /** Why not all was done, besides what became of single pods: one sentence each. */
  readonly problems: readonly string[];
}

/** One pass over some namespaces. */
export interface PassOptions {
  readonly kube: Kube;
  readonly namespaces: readonly Namespace[];
  readonly plannerFor: (namespace: Namespace) => Planner;
  /** Whether the namespace, read again, is still to be worked on. */
  readonly isWanted: (namespace: Namespace) => boolean;
  readonly pace: Pace;
  readonly dryRun: boolean;
  /** Told now and then how many changes of how many are through. */
  readonly onProgress: (done: number, of: number) => void;
  /** Ends the pass, once the change under way is through. */
  readonly signal: AbortSignal;
}

export type Found =
  { readonly ok: true; readonly namespaces: readonly Namespace[] } | { readonly ok: false; readonly failure: Failure };

/** The one namespace, or all of them, or those that have the opt-in label, with whatever value. */
export type Wanted = { readonly name: string } | 'all' | 'labelled';

/** The namespaces; or why they could not be read. A server that does not answer at all is told at once: perhaps there is none. */
export async function findNamespaces(kube: Kube, which: Wanted, signal: AbortSignal): Promise<Found> {
  return insist(
    () => readNamespaces(kube, which, signal),
    signal,
    (failure) => failure.status !== 0 && mayPass(failure),
  );
}

async function readNamespaces(kube: Kube, which: Wanted, signal: AbortSignal): Promise<Found> {
  if (typeof which === 'object') {
    const asked = await ask(kube, { method: 'GET', path: namespacePath(which.name), signal });
    if (!asked.ok) return asked;
    const namespace = readNamespace(asked.body);
    if (namespace !== undefined) return { ok: true, namespaces: [namespace] };
    return { ok: false, failure: { status: 200, message: 'the answer is not a namespace' } };
  }
  const namespaces: Namespace[] = [];
  const source = { path: '/api/v1/namespaces', query: which === 'all' ? {} : { labelSelector: HAS_OPT_IN_LABEL } };
  const onObject = (object: unknown) => {
    const namespace = readNamespace(object);
    if (namespace !== undefined) namespaces.push(namespace);
  };
  const listed = await listAll(kube, source, onObject, signal);
  return listed.ok ? { ok: true, namespaces } : listed;
}

/** How old the knowledge of a namespace's label may be when a pod in it is changed, in milliseconds. */
const LABEL_AGE_MS = 5000;

/** What has been sent is waited for: nobody would know what became of it otherwise. */
const NEVER = new AbortController().signal;

/** What was found and done: everything is planned first, and then carried out unless it is a dry run. */
export async function pass(options: PassOptions): Promise<PassReport> {
  const { kube, namespaces, plannerFor, isWanted, pace, dryRun, onProgress, signal } = options;
  const problems: string[] = [];
  const planned: { namespace: Namespace; plans: readonly PodPlan[] }[] = [];
  for (const namespace of namespaces) {
    const plan = () => planNamespace(kube, namespace.name, plannerFor(namespace), signal);
    const result = await insist(plan, signal);
    if (signal.aborted) {
      problems.push('stopped before every pod was looked at');
      break;
    }
    if (result.ok) planned.push({ namespace, plans: result.plans });
    else problems.push(`namespace ${namespace.name}: its pods could not be listed: ${result.failure.message}`);
  }
  const report = { dryRun, namespaces, problems };
  if (dryRun) return { ...report, pods: planned.flatMap(({ plans }) => plans.map((plan) => ({ plan }))) };

  const of = planned.flatMap(({ plans }) => plans.filter(isChange)).length;
  const pods: PodOutcome[] = [];
  let done = 0;
  for (const { namespace, plans } of planned) {
    const outcomes = new Map<PodPlan, PodOutcome>();
    const applying = applyAll(plans.filter(isChange), {
      kube,
      planner: plannerFor(namespace),
      pace: { ...pace, turn: () => pace.turn(signal) },
      isWanted: stillWanted(kube, namespace, isWanted, signal),
      signal: NEVER,
    });
    for await (const { change, applied } of applying) {
      const isStopped = applied.result === 'unwanted' && signal.aborted;
      outcomes.set(change, { plan: change, applied: isStopped ? { result: 'stopped' } : applied });
      done += 1;
      onProgress(done, of);
    }
    pods.push(...plans.map((plan) => outcomes.get(plan) ?? { plan }));
  }
  return { ...report, pods };
}

/** Reads the namespace again when it was last read too long ago: a pass over thousands of pods takes minutes. False once the signal has fired. */
function stillWanted(
  kube: Kube,
  namespace: Namespace,
  isWanted: PassOptions['isWanted'],
  signal: AbortSignal,
): () => Promise<boolean> {
  let readAt = -Infinity;
  let wanted = true;
  return async () => {
    if (wanted && !signal.aborted && performance.now() - readAt > LABEL_AGE_MS) {
      const asked = await ask(kube, { method: 'GET', path: namespacePath(namespace.name), signal });
      const fresh = asked.ok ? readNamespace(asked.body) : undefined;
      // Without an answer nothing is known, and the change itself will tell what is wrong.
      if (fresh !== undefined) wanted = isWanted(fresh);
      else if (!asked.ok && asked.failure.status === 404) wanted = false;
      readAt = performance.now();
    }
    return wanted && !signal.aborted;
  };
}

function isChange(plan: PodPlan): plan is ChangePlan {
  return plan.action !== 'leave';
}

function namespacePath(name: string): string {
  return `/api/v1/namespaces/${encodeURIComponent(name)}`;
}

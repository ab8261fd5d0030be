import type { Result } from '../core/result.ts';
import { namespacePath, podsPath } from '../kube/api-paths.ts';
import type { Failure, Kube } from '../kube/client.ts';
import { listAll } from '../kube/list-pages.ts';
import type { RateLimiter } from '../kube/rate-limiter.ts';
import { retry } from '../kube/retry.ts';
import { apply } from './patch-pod.ts';
import type { Applied, ApplyOptions } from './patch-pod.ts';
import type { PodRequest } from './ask-once.ts';
import { BY_LABEL } from './namespace.ts';
import type { Namespace, OptIn } from './namespace.ts';
import type { ChangePlan, Planner, PodPlan } from './plan.ts';

/**
 * The plan for one pod and its result: none in a dry run, `stopped` when the signal aborted before, `interrupted` when it
 * aborted the patch in flight, so that nobody knows what came of it.
 */
export interface PodOutcome {
  readonly plan: PodPlan;
  readonly applied?: Applied | { readonly result: 'stopped' | 'interrupted' };
}

/** What one run over namespaces found and did. */
export interface BulkReport {
  readonly dryRun: boolean;
  readonly namespaces: readonly Namespace[];
  readonly pods: readonly PodOutcome[];
  /** The requests to pods, in a dry run those that would be sent; undefined where asking is off. */
  readonly requests?: readonly PodRequest[];
  /** What failed besides single pods: one sentence each. */
  readonly problems: readonly string[];
}

/** One run over namespaces. */
export interface BulkOptions {
  readonly kube: Kube;
  readonly namespaces: readonly Namespace[];
  /** Which namespaces are opted in; by default those with the label. */
  readonly optIn?: OptIn | undefined;
  readonly plannerFor: (namespace: Namespace) => Planner;
  /** Returns whether the namespace, read again, may still be changed. */
  readonly isWanted: (namespace: Namespace) => boolean;
  readonly rateLimiter: RateLimiter;
  readonly dryRun: boolean;
  /** Called after each change. */
  readonly onProgress: (done: number, of: number) => void;
  /** Ends the run. */
  readonly signal: AbortSignal;
  /** Whether the patch in flight is waited for when the signal aborts. */
  readonly finishesPatch: boolean;
}

/** How long a read namespace counts as current when a pod in it is changed, in milliseconds. */
const NAMESPACE_AGE_MS = 5000;

/** The signal of a patch that is waited for: aborted, its result would be unknown. */
const NEVER = new AbortController().signal;

/**
 * Lists the pods of all namespaces and plans them, then applies the plans unless it is a dry run.
 * Returns the report.
 */
export async function runBulk(options: BulkOptions): Promise<BulkReport> {
  const {
    kube,
    namespaces,
    optIn = BY_LABEL,
    plannerFor,
    isWanted,
    rateLimiter,
    dryRun,
    onProgress,
    signal,
    finishesPatch,
  } = options;
  const problems: string[] = [];
  const planned: { namespace: Namespace; plans: readonly PodPlan[] }[] = [];
  for (const namespace of namespaces) {
    const plan = () => planNamespace(kube, namespace.name, plannerFor(namespace), signal);
    const result = await retry(plan, signal);
    if (signal.aborted) {
      problems.push('stopped before all pods were listed');
      break;
    }
    if (result.ok) planned.push({ namespace, plans: result.value });
    else problems.push(`namespace ${namespace.name}: its pods could not be listed: ${result.error.message}`);
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
      rateLimiter: { ...rateLimiter, wait: () => rateLimiter.wait(signal) },
      isWanted: isStillWanted(kube, namespace, { optIn, isWanted }, signal),
      signal: finishesPatch ? NEVER : signal,
    });
    for await (const { change, applied } of applying) {
      outcomes.set(change, { plan: change, applied: signal.aborted ? ofAborted(applied) : applied });
      done += 1;
      onProgress(done, of);
    }
    pods.push(...plans.map((plan) => outcomes.get(plan) ?? { plan }));
  }
  return { ...report, pods };
}

/** Returns the result of a change after the signal has aborted. A failure that the API server answered is one. */
function ofAborted(applied: Applied): NonNullable<PodOutcome['applied']> {
  if (applied.result === 'unwanted') return { result: 'stopped' };
  const isUnknown = applied.result === 'failed' && applied.failure.status === 0;
  return isUnknown ? { result: 'interrupted' } : applied;
}

/** Returns the plan for each pod of a namespace, or why they could not be listed. */
async function planNamespace(
  kube: Kube,
  namespace: string,
  planner: Planner,
  signal: AbortSignal,
): Promise<Result<readonly PodPlan[], Failure>> {
  const plans: PodPlan[] = [];
  const onObject = (object: unknown) => {
    const plan = planner(object);
    if (plan === undefined) return;
    // What asking needs of the pod holds on to all of it.
    const { asking, ...others } = plan;
    plans.push(asking === undefined ? plan : others);
  };
  const listed = await listAll(kube, { path: podsPath(namespace) }, onObject, signal);
  return listed.ok ? { ok: true, value: plans } : listed;
}

/** How often a change is attempted when the API server says when to retry (429, 503). */
const ATTEMPTS = 4;

/**
 * Yields the result of each change, in order: `unwanted` from when the namespace must not be
 * changed any more.
 */
export async function* applyAll(
  changes: readonly ChangePlan[],
  options: ApplyOptions,
): AsyncGenerator<{ readonly change: ChangePlan; readonly applied: Applied }, void> {
  const { rateLimiter, isWanted, signal } = options;
  const mayPatch = async () => {
    await rateLimiter.wait(signal);
    return !signal.aborted && (await isWanted());
  };
  for (const change of changes) {
    let applied: Applied = (await mayPatch()) ? await apply(change, options, change) : { result: 'unwanted' };
    for (let attempts = 1; attempts < ATTEMPTS; attempts += 1) {
      if (applied.result !== 'failed' || applied.failure.retryAfterMs === undefined) break;
      rateLimiter.pauseFor(applied.failure.retryAfterMs);
      if (!(await mayPatch())) break;
      applied = await apply(change, options, change);
    }
    yield { change, applied };
  }
}

/**
 * Returns a function that tells whether the namespace may still be changed. It reads the namespace
 * again when that was too long ago, because a run over thousands of pods takes minutes, and returns
 * false once the signal has aborted.
 */
function isStillWanted(
  kube: Kube,
  namespace: Namespace,
  { optIn, isWanted }: { readonly optIn: OptIn; readonly isWanted: BulkOptions['isWanted'] },
  signal: AbortSignal,
): () => Promise<boolean> {
  let readAt = -Infinity;
  let wanted = true;
  return async () => {
    if (wanted && !signal.aborted && performance.now() - readAt > NAMESPACE_AGE_MS) {
      const read = await kube.request({ method: 'GET', path: namespacePath(namespace.name), signal });
      const fresh = read.ok ? optIn.read(read.value) : undefined;
      // Without a response nothing is known, and the change itself will show the failure.
      if (fresh !== undefined) wanted = isWanted(fresh);
      else if (!read.ok && read.error.status === 404) wanted = false;
      readAt = performance.now();
    }
    return wanted && !signal.aborted;
  };
}

function isChange(plan: PodPlan): plan is ChangePlan {
  return plan.action !== 'skip';
}

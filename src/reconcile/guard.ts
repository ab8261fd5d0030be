import type { Logger } from 'pino';
import { createBackoff, sleep } from '../kube/retry.ts';
import { podPath } from '../kube/api-paths.ts';
import { isOutage } from '../kube/client.ts';
import type { Failure, Kube } from '../kube/client.ts';
import { loggableMessage } from './failure-log.ts';
import type { ReconcileMetrics } from './metrics.ts';
import type { PodRef } from './plan.ts';

/** Longest time between two checks, in milliseconds. */
const CHECK_MS = 60_000;

/** Any label will do: the policy lets the reconciler change none. */
const PATCH = { metadata: { labels: { 'autoscrape.io/guard-check': 'dry-run' } } };

/** What is needed to check the guard. */
export interface GuardOptions {
  readonly kube: Kube;
  /** Name of the ValidatingAdmissionPolicy. */
  readonly policy: string;
  /** The pod that this process runs in. */
  readonly pod: Pick<PodRef, 'namespace' | 'name'>;
  readonly metrics: Pick<ReconcileMetrics, 'failed'>;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/**
 * Makes sure that the chart's ValidatingAdmissionPolicy holds this process' account to its own annotations. Helm creates the
 * policy after the Deployment (kind_sorter.go knows no such kind, and unknown ones come last), and somebody may delete it.
 */
export interface Guard {
  /** Checks again and again until the signal aborts; resolves then. */
  run(): Promise<void>;
  /** Resolves when the policy holds, or when the signal aborts. */
  wait(): Promise<void>;
}

/** Returns a guard that has not been checked yet. */
export function createGuard({ kube, policy, pod, metrics, log, signal }: GuardOptions): Guard {
  let found = Promise.withResolvers<void>();
  let state: 'unknown' | 'found' | 'missing' = 'unknown';

  async function check(): Promise<void> {
    const problem = await findProblem({ kube, policy, pod, signal });
    if (signal.aborted) return;
    if (problem === undefined) {
      if (state === 'missing') log.info({ policy }, 'guard found');
      state = 'found';
      found.resolve();
      return;
    }
    metrics.failed('check guard', problem);
    // While the API server is away nothing can be patched either.
    if (state === 'missing' || (state === 'found' && isOutage(problem))) return;
    if (state === 'found') found = Promise.withResolvers();
    state = 'missing';
    log.warn(
      { policy, pod: pod.name, namespace: pod.namespace, code: problem.status, reason: loggableMessage(problem) },
      'guard missing, no pod is patched until it is found',
    );
  }

  return {
    async run() {
      const backoff = createBackoff(1000, CHECK_MS);
      while (!signal.aborted) {
        await check();
        if (state === 'found') backoff.reset();
        await sleep(state === 'found' ? CHECK_MS : backoff.next(), signal);
      }
      found.resolve();
    },
    wait: () => found.promise,
  };
}

/** Returns undefined where the policy refuses to let this pod's labels be changed, else why that is not known. */
async function findProblem(
  options: Pick<GuardOptions, 'kube' | 'policy' | 'pod' | 'signal'>,
): Promise<Failure | undefined> {
  const { kube, policy, pod, signal } = options;
  const answer = await kube.request({
    method: 'PATCH',
    path: podPath(pod.namespace, pod.name),
    query: { dryRun: 'All', fieldManager: 'autoscrape' },
    contentType: 'application/merge-patch+json',
    body: PATCH,
    signal,
  });
  if (answer.ok) return { status: 200, message: 'the API server would have changed the labels of this pod' };
  const isOurs = answer.error.message.includes(`ValidatingAdmissionPolicy '${policy}' `);
  return isOurs ? undefined : answer.error;
}

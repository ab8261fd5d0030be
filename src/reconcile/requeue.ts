import { createBackoff } from '../kube/retry.ts';
import type { Backoff } from '../kube/retry.ts';
import type { Failure } from '../kube/client.ts';
import type { RateLimiter } from '../kube/rate-limiter.ts';
import type { WorkItem, WorkQueue } from '../kube/work-queue.ts';
import { patchSubject } from './failure-log.ts';
import type { FailureLog } from './failure-log.ts';
import { isLabelLag, scopeOf } from './failure-scope.ts';
import type { ReconcileMetrics } from './metrics.ts';
import type { PendingPod } from './pod-store.ts';
import type { TrackedNamespace } from './tracked-namespaces.ts';
import { LABEL_LAG_MS } from './watch-pods.ts';

/**
 * Longest delay of a retry while something keeps changing the pod or removing our annotations, in
 * milliseconds.
 */
const LONGEST_DELAY_MS = 60_000;

/**
 * The same for a pod that the API server refused to change: only a new version of it is attempted
 * at all.
 */
const LONGEST_REFUSED_DELAY_MS = 30 * 60_000;

/** Decides when a pod is reconciled: when it is seen, and again after a failure. */
export interface Requeue {
  /**
   * Queues a pod that is to be annotated: now at first, after a delay when it was attempted before.
   */
  pending(namespace: string, pod: PendingPod): void;
  /** Queues a pod again after a failure, and pauses everything that the failure concerns. */
  failed(item: WorkItem, namespace: TrackedNamespace, failure: Failure): void;
  /** The API server responded as it should: the next failure starts from the shortest pauses. */
  responded(namespace: TrackedNamespace): void;
  /** A patch succeeded, so patches have recovered. */
  patched(namespace: TrackedNamespace): void;
}

export interface RequeueOptions {
  readonly queue: WorkQueue;
  readonly rateLimiter: RateLimiter;
  readonly metrics: ReconcileMetrics;
  readonly failureLog: FailureLog;
}

/** Returns what queues pods. */
export function createRequeue({ queue, rateLimiter, metrics, failureLog }: RequeueOptions): Requeue {
  const outage = createBackoff(1000, LONGEST_DELAY_MS);
  const backoffs = new WeakMap<TrackedNamespace, Backoff>();
  return {
    pending(namespace, { name, attempts, wasRefused }) {
      const longest = wasRefused ? LONGEST_REFUSED_DELAY_MS : LONGEST_DELAY_MS;
      if (attempts === 0) queue.add({ group: namespace, name, isRetry: false });
      else queue.addLater(namespace, name, retryDelayMs(attempts, longest));
    },
    failed(item, tracked, failure) {
      const { name: namespace, pods, trackedSince } = tracked;
      const { name: pod } = item;
      const { retryAfterMs = 0 } = failure;
      const report = (subject: string) => {
        metrics.failed('patch pods', failure);
        failureLog.report(subject, failure, { namespace, pod });
      };
      switch (scopeOf(failure)) {
        case 'cluster':
          rateLimiter.pauseFor(Math.max(outage.next(), retryAfterMs));
          report(patchSubject());
          return queue.add(item);
        case 'namespace': {
          const backoff = backoffs.get(tracked) ?? createBackoff(1000, LONGEST_DELAY_MS);
          backoffs.set(tracked, backoff);
          queue.pause(namespace, Math.max(backoff.next(), retryAfterMs));
          if (!isLabelLag(failure) || performance.now() - trackedSince > LABEL_LAG_MS) report(patchSubject(namespace));
          // Without the right the pod itself was not attempted. After a 500 the others of its
          // namespace come first.
          return queue.add({ ...item, isRetry: item.isRetry || failure.status >= 500 });
        }
        case 'pod':
          metrics.failed('patch pods', failure);
          return queue.addLater(namespace, pod, retryDelayMs(pods.recordAttempt(pod), LONGEST_DELAY_MS));
      }
    },
    responded(tracked) {
      outage.reset();
      backoffs.get(tracked)?.reset();
    },
    patched({ name }) {
      failureLog.resolve(patchSubject());
      failureLog.resolve(patchSubject(name));
    },
  };
}

/**
 * Returns the delay before the next attempt, in milliseconds. It grows, so that we never fight
 * another controller.
 */
function retryDelayMs(attempts: number, longestMs: number): number {
  return Math.min(longestMs, 1000 * 2 ** (attempts - 1));
}

import type { Logger } from 'pino';
import type { Failure } from '../kube/client.ts';
import type { WorkItem, WorkQueue } from '../kube/work-queue.ts';
import { loggableMessage } from './failure-log.ts';
import { isMutatedByOthers } from './failure-scope.ts';
import type { ReconcileMetrics } from './metrics.ts';
import type { TrackedNamespace } from './tracked-namespaces.ts';

/** What is known of the refused pods of one namespace, besides the pods themselves. */
interface Refusals {
  /** Kinds of refusals that were logged and still occur. */
  readonly kinds: Set<string>;
  /** When a refused pod was last retried, by this process's clock, and which one. */
  probedAt: number;
  probedPod?: string;
}

/**
 * Pods that admission or validation refuses to change. They are retried when they change or the
 * rules change. Nobody tells us when the policy that refuses them changes, so one of them is
 * retried from time to time, and all of them when that one is accepted.
 */
export interface RefusedPods {
  /** Logs each kind of refusal once for each namespace, however many pods are refused. */
  refused(item: WorkItem, namespace: TrackedNamespace, failure: Failure): void;
  /** The pod is not refused: it was patched, or needs no patch any more. */
  accepted(item: WorkItem, namespace: TrackedNamespace, isPatched: boolean): void;
  /** Retries one refused pod of the namespace, unless one was retried not long ago. */
  probe(namespace: TrackedNamespace): void;
}

/** Time between two probes of a namespace, in milliseconds. */
const PROBE_MS = 20 * 60_000;

/** Logged once when the chart's policy refuses what others have added to a change. */
const MUTATION_ADVICE = {
  cause: 'a mutating policy or webhook changes pods on UPDATE too, so that more than annotations would change',
  remedy: "exempt the reconciler's service account from it, or limit it to CREATE",
};

export interface RefusedPodsOptions {
  readonly queue: WorkQueue;
  readonly metrics: ReconcileMetrics;
  readonly log: Logger;
}

/** Returns what logs and retries refused pods. */
export function createRefusedPods({ queue, metrics, log }: RefusedPodsOptions): RefusedPods {
  const records = new WeakMap<TrackedNamespace, Refusals>();
  let isMutationLogged = false;

  function refusalsOf(namespace: TrackedNamespace): Refusals {
    const refusals = records.get(namespace) ?? { kinds: new Set(), probedAt: namespace.trackedSince };
    records.set(namespace, refusals);
    return refusals;
  }

  return {
    refused({ group: namespace, name: pod }, tracked, failure) {
      const { kinds } = refusalsOf(tracked);
      metrics.failed('patch pods', failure);
      const isMutated = isMutatedByOthers(failure);
      const kind = isMutated ? 'mutated' : String(failure.status);
      if (kinds.has(kind)) return;
      kinds.add(kind);
      const line = { namespace, pod, code: failure.status, reason: loggableMessage(failure) };
      if (!isMutated) {
        log.warn(line, 'pod change refused, retrying when the pod changes');
      } else if (!isMutationLogged) {
        isMutationLogged = true;
        log.warn({ ...line, ...MUTATION_ADVICE }, "pod change refused by autoscrape's own policy, logged once");
      }
    },
    accepted({ group, name }, tracked, isPatched) {
      const { pods } = tracked;
      const { kinds, probedPod } = refusalsOf(tracked);
      if (isPatched && name === probedPod) {
        for (const pod of pods.release('all')) queue.add({ group, name: pod, isRetry: true });
      }
      if (kinds.size === 0 || pods.refused() > 0) return;
      kinds.clear();
      log.info({ namespace: group }, 'pod changes no longer refused');
    },
    probe(tracked) {
      const { name: group, pods } = tracked;
      const refusals = refusalsOf(tracked);
      if (performance.now() - refusals.probedAt < PROBE_MS) return;
      refusals.probedAt = performance.now();
      for (const name of pods.release('one')) {
        refusals.probedPod = name;
        queue.add({ group, name, isRetry: true });
      }
    },
  };
}

import type { SuspectKind } from '../core/suspect-annotations.ts';
import type { Logger } from 'pino';
import type { Rules } from '../core/rules/parse.ts';
import type { SelectorText } from '../core/rules/selector-text.ts';
import type { Kube } from '../kube/client.ts';
import type { RateLimiter } from '../kube/rate-limiter.ts';
import { createWorkQueue } from '../kube/work-queue.ts';
import type { WorkItem } from '../kube/work-queue.ts';
import { apply } from './patch-pod.ts';
import type { Applied } from './patch-pod.ts';
import type { FailureLog } from './failure-log.ts';
import type { Guard } from './guard.ts';
import { createLiveAsking } from './live-asking.ts';
import type { AskOptions } from './live-asking.ts';
import type { ReconcileMetrics } from './metrics.ts';
import type { OptIn } from './namespace.ts';
import { annotatePlanner } from './plan-annotate.ts';
import type { PodStore } from './pod-store.ts';
import { createRefusedPods } from './refused-pods.ts';
import { createRequeue } from './requeue.ts';
import { createTrackedNamespaces } from './tracked-namespaces.ts';
import type { TrackedNamespaces } from './tracked-namespaces.ts';

export interface ReconcilerOptions {
  readonly kube: Kube;
  readonly rules: () => Rules;
  readonly metrics: ReconcileMetrics;
  readonly failureLog: FailureLog;
  readonly log: Logger;
  readonly rateLimiter: RateLimiter;
  /** Which namespaces are opted in; by default those with the label. */
  readonly optIn?: OptIn;
  /** Which pods of them are annotated; all of them where it is undefined. */
  readonly podSelector?: SelectorText | undefined;
  /** Namespaces that are skipped whatever their labels. */
  readonly excluded: ReadonlySet<string>;
  /** The only namespace to work on, instead of all. */
  readonly only: string | undefined;
  /** Time between two lists of the same collection, in milliseconds. */
  readonly relistMs: number;
  /** Asks pods for metrics; undefined where asking is off. */
  readonly ask?: AskOptions | undefined;
  /** What must hold before a pod is patched; undefined where nothing must. */
  readonly guard?: Guard | undefined;
  /** Aborts when the process is not the leader any more. */
  readonly signal: AbortSignal;
}

/** The reconciler of one leader's term. */
export interface Reconciler {
  /**
   * Keeps the pods of every opted-in namespace annotated until the signal aborts; resolves then.
   */
  run(): Promise<void>;
  /** Lists all pods again: the rules have changed. */
  reload(): void;
  /**
   * Returns whether the opted-in namespaces are known. A namespace that can't be listed, or was
   * just opted in, does not make the reconciler unready for all others: its failure is logged and
   * counted.
   */
  hasStarted(): boolean;
  /** Returns the number of tracked namespaces. */
  namespaces(): number;
  /** Returns the number of pods by plan. */
  pods(): ReadonlyMap<string, number>;
  /** Returns the number of pods whose own annotations are suspect, by what is suspect. */
  suspects(): ReadonlyMap<SuspectKind, number>;
  /** Returns the number of workloads that are asked, by result; undefined where asking is off. */
  workloads(): ReadonlyMap<string, number> | undefined;
}

/**
 * Returns a reconciler, which starts from nothing but the API server's state: watch
 * (tracked-namespaces, watch-pods) → store (pod-store) → queue (work-queue) → reconcile (here, and
 * apply) → requeue (requeue, refused-pods).
 */
export function createReconciler(options: ReconcilerOptions): Reconciler {
  const { kube, rules, metrics, failureLog, log, rateLimiter, podSelector, guard, signal } = options;
  const queue = createWorkQueue();
  const requeue = createRequeue({ queue, rateLimiter, metrics, failureLog });
  const refusedPods = createRefusedPods({ queue, metrics, log });
  const live =
    options.ask === undefined ? undefined : createLiveAsking({ ...options, namespaces: () => namespaces }, options.ask);
  const namespaces: TrackedNamespaces = createTrackedNamespaces({
    ...options,
    podSelector,
    asking: live?.asking,
    wasAsked: options.ask?.wasAsked ?? false,
    onPending: (namespace, pod) => requeue.pending(namespace, pod),
    onListed(namespace) {
      if (namespace !== undefined) refusedPods.probe(namespace);
      noteFullPass();
    },
    onStopped: (namespace) => queue.drop(namespace),
  });

  async function work(): Promise<void> {
    for (;;) {
      await queue.wait(signal);
      await guard?.wait();
      await rateLimiter.wait(signal);
      if (signal.aborted) return;
      // Taken only now: a first attempt that was queued while we waited comes before a retry.
      const item = takePending();
      if (item !== undefined) await reconcile(item);
      noteFullPass();
    }
  }

  /**
   * Takes the next item that is still pending: the pod may be gone or annotated by now, or its
   * namespace untracked.
   */
  function takePending(): WorkItem | undefined {
    for (;;) {
      const item = queue.take();
      if (item === undefined || namespaces.get(item.group)?.pods.isPending(item.name) === true) return item;
    }
  }

  async function reconcile(item: WorkItem): Promise<void> {
    const namespace = namespaces.get(item.group);
    if (namespace === undefined) return;
    const version = namespace.pods.version(item.name);
    const isWanted = () => namespaces.get(item.group) === namespace;
    const planner = annotatePlanner(rules(), namespace.mesh, namespace.asking, podSelector);
    const pod = { namespace: item.group, name: item.name };
    const applied = await apply(pod, { kube, planner, rateLimiter, isWanted, signal });
    if (signal.aborted || applied.result === 'unwanted') return;
    metrics.applied(applied.result);
    if (applied.result === 'done') {
      log.info({ namespace: item.group, pod: item.name, rule: applied.rule }, 'pod annotated');
      // Only now: a pod that the webhook's selectors exclude is refused by the chart's guard, and was not missed.
      if (namespace.pods.takeMissed(item.name)) {
        metrics.missed();
        log.info({ namespace: item.group, pod: item.name }, 'pod missed by the webhook');
      }
    }
    if (!isWanted()) return;
    if (applied.result === 'failed') return requeue.failed(item, namespace, applied.failure);
    store(namespace.pods, item.name, version, applied);
    requeue.responded(namespace);
    if (applied.result === 'done') requeue.patched(namespace);
    if (applied.result === 'refused') refusedPods.refused(item, namespace, applied.failure);
    else refusedPods.accepted(item, namespace, applied.result === 'done');
  }

  /**
   * A full pass: every opted-in namespace has been listed, and every pod that was found has been
   * attempted.
   */
  function noteFullPass(): void {
    const listedAt = namespaces.listedAt();
    if (listedAt !== undefined && !queue.hasFirstAttempts()) metrics.fullPass(listedAt / 1000);
  }

  return {
    async run() {
      const working = [work(), guard?.run()];
      await live?.start();
      const asking = live?.run();
      await namespaces.run();
      await Promise.all([...working, asking]);
      queue.clear();
    },
    reload: () => namespaces.reload(),
    hasStarted: () => namespaces.isListed(),
    namespaces: () => namespaces.size(),
    pods() {
      const counts = new Map<string, number>();
      for (const { pods } of namespaces.values()) pods.count(counts);
      return counts;
    },
    suspects() {
      const counts = new Map<SuspectKind, number>();
      for (const { pods } of namespaces.values()) pods.countSuspects(counts);
      return counts;
    },
    workloads: () => live?.asking.memory.count(),
  };
}

/**
 * Stores what a change that did not fail has shown of the pod. `version` was known before the
 * change.
 */
function store(
  pods: PodStore,
  name: string,
  version: string | undefined,
  applied: Exclude<Applied, { result: 'failed' | 'unwanted' }>,
): void {
  switch (applied.result) {
    case 'done':
      pods.recordAttempt(name);
      return pods.upsert(applied.pod);
    case 'superseded':
      return pods.planAgain(applied.pod);
    case 'gone':
      return pods.deleteVersion(name, version);
    case 'refused':
      pods.recordAttempt(name);
      return pods.refuse(name, applied.resourceVersion);
  }
}

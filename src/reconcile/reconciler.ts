import type { Logger } from 'pino';
import type { Rules } from '../core/rules.ts';
import type { Kube } from '../kube.ts';
import { apply } from './apply.ts';
import type { Applied, ChangePlan } from './apply.ts';
import { isOutage } from './ask.ts';
import type { Failure } from './ask.ts';
import { forLog } from './brief.ts';
import type { Complaints } from './complaint.ts';
import { follow } from './follow.ts';
import type { ReconcileMetrics } from './metrics.ts';
import { OPT_IN, readNamespace } from './namespace.ts';
import type { Namespace } from './namespace.ts';
import type { Pace } from './pace.ts';
import { createBackoff } from './pause.ts';
import { annotatePlanner } from './plan.ts';
import { createQueue } from './queue.ts';
import { watchNamespace } from './watched-namespace.ts';
import type { WatchedNamespace } from './watched-namespace.ts';

/** What one term of reconciling needs. */
export interface ReconcilerOptions {
  readonly kube: Kube;
  readonly rules: () => Rules;
  readonly metrics: ReconcileMetrics;
  readonly complaints: Complaints;
  readonly log: Logger;
  readonly pace: Pace;
  /** Namespaces that are left alone whatever their labels. */
  readonly excluded: ReadonlySet<string>;
  /** The only namespace to work on, instead of every one. */
  readonly only: string | undefined;
  readonly relistMs: number;
  /** Ends the term. */
  readonly signal: AbortSignal;
}

/** One term's work. */
export interface Reconciler {
  /** Resolves when the term ends; until then keeps the pods of every opted-in namespace annotated. */
  run(): Promise<void>;
  /** Looks at everything again: the rules have changed. */
  reload(): void;
  /**
   * Whether the opted-in namespaces are known. A namespace that can't be listed, or one that has just been opted in, does not
   * make a reconciler unready that works on all others: its failure is logged and counted.
   */
  hasStarted(): boolean;
  namespaces(): number;
  /** Number of pods by plan. */
  pods(): ReadonlyMap<string, number>;
}

/** How long a pod waits for its next try, by the number of tries: nobody shall draw us into a fight of patches. */
function retryDelayMs(tries: number): number {
  return tries === 0 ? 0 : Math.min(60_000, 1000 * 2 ** (tries - 1));
}

/**
 * So many pods refused in a row, and it is taken for the rights that are missing, not for a policy's word on a pod: a policy's few
 * pods must not hold up all others.
 */
const REFUSALS = 5;

/** What complaints about listing a namespace's pods are about. */
function listing(namespace: string): string {
  return `pods of ${namespace}`;
}

/** What complaints about watching them are about: a list that works says nothing of the watch. */
function watching(namespace: string): string {
  return `watch of pods of ${namespace}`;
}

/** What keeps annotating while the lease is held. It starts from nothing but the API server's state. */
export function createReconciler(options: ReconcilerOptions): Reconciler {
  const { kube, rules, metrics, complaints, log, pace, excluded, only, relistMs, signal } = options;
  const watched = new Map<string, WatchedNamespace>();
  const queue = createQueue();
  const outage = createBackoff(1000, 60_000);
  /** Pods that the API server has refused to let us patch (401, 403), one after another. */
  const refusals = new Set<string>();
  let namespacesListedAt: number | undefined;

  function watch(name: string, mesh: boolean): void {
    const onChange = (pod: string, isMissed: boolean) => {
      if (isMissed) {
        metrics.missed();
        log.info({ namespace: name, pod }, 'the webhook has not annotated this pod');
      }
      queue.add(`${name}/${pod}`, retryDelayMs(watched.get(name)?.pods.waiting(pod)?.tries ?? 0));
    };
    const onListed = () => {
      complaints.settle(listing(name));
      notePass();
    };
    const onWatched = () => complaints.settle(watching(name));
    const onFailure = (verb: 'list' | 'watch', failure: Failure) =>
      raise(`${verb} pods`, (verb === 'list' ? listing : watching)(name), failure);
    watched.get(name)?.stop();
    watched.set(
      name,
      watchNamespace({ kube, name, mesh, rules: rules(), relistMs, signal, onChange, onListed, onWatched, onFailure }),
    );
  }

  function admit({ name, optedIn, terminating, mesh }: Namespace): void {
    if (!optedIn || terminating || excluded.has(name)) return leave(name);
    if (watched.get(name)?.mesh === mesh) return undefined;
    log.info({ namespace: name, mesh }, 'watching the pods of this namespace');
    return watch(name, mesh);
  }

  /** The namespace is not opted in, or not any more. */
  function leave(name: string): void {
    watched.get(name)?.stop();
    if (watched.delete(name)) log.info({ namespace: name }, 'this namespace is opted in no longer');
    complaints.forget(watching(name));
    complaints.forget(listing(name));
  }

  function raise(
    operation: string,
    what: string,
    failure: Failure,
    fields: Readonly<Record<string, string>> = {},
  ): void {
    metrics.failed(operation, failure);
    complaints.raise(what, failure, fields);
  }

  function tell({ namespace, name: pod, rule }: ChangePlan, applied: Applied): void {
    if (applied.result === 'unwanted') return;
    metrics.applied(applied.result);
    slowDown(`${namespace}/${pod}`, applied.result === 'failed' ? applied.failure : undefined);
    if (applied.result === 'done') {
      log.info({ namespace, pod, rule }, 'annotated');
      complaints.settle('patch pods');
    }
    if (applied.result === 'failed') raise('patch pods', 'patch pods', applied.failure, { namespace, pod });
    if (applied.result === 'refused') {
      metrics.failed('patch pods', applied.failure);
      log.warn({ namespace, pod, reason: forLog(applied.failure) }, 'the API server refuses this change');
    }
  }

  /** Leaves the API server in peace, for longer each time, when patching this pod has failed as it would for any other one. */
  function slowDown(pod: string, failure: Failure | undefined): void {
    const isRefusal = failure !== undefined && (failure.status === 401 || failure.status === 403);
    if (!isRefusal) refusals.clear();
    else if (refusals.size < REFUSALS) refusals.add(pod);
    if (failure !== undefined && (isOutage(failure) || refusals.size === REFUSALS)) {
      pace.hold(Math.max(outage.next(), failure.retryAfterMs ?? 0));
    } else {
      outage.reset();
    }
  }

  async function work(): Promise<void> {
    for (;;) {
      const key = await queue.next(signal);
      if (key === undefined) return;
      const [namespace = '', pod = ''] = key.split('/');
      if (watched.get(namespace)?.pods.waiting(pod) !== undefined) {
        await pace.turn(signal);
        await change(namespace, pod);
      }
      notePass();
    }
  }

  async function change(namespace: string, pod: string): Promise<void> {
    // Looked up only now: while it waited for its turn the pod may have changed, or the namespace lost its label.
    const entry = watched.get(namespace);
    const waiting = entry?.pods.waiting(pod);
    if (entry === undefined || waiting === undefined || signal.aborted) return;
    const { pods, mesh } = entry;
    const applied = await apply(waiting.change, {
      kube,
      planner: annotatePlanner(rules(), mesh),
      pace,
      isWanted: () => watched.get(namespace) === entry,
      signal,
    });
    if (signal.aborted || applied.result === 'unwanted') return;
    tell(waiting.change, applied);
    pods.tried(pod);
    if (applied.result === 'done' || applied.result === 'superseded') pods.see(applied.pod);
    if (applied.result === 'gone' && pods.waiting(pod)?.change.uid === waiting.change.uid) pods.forgetName(pod);
    const still = pods.waiting(pod);
    if (still !== undefined) queue.add(`${namespace}/${pod}`, retryDelayMs(still.tries));
  }

  function notePass(): void {
    const times = [namespacesListedAt, ...[...watched.values()].map((entry) => entry.listedAt())];
    const done = times.filter((time) => time !== undefined);
    if (queue.isEmpty() && done.length === times.length) metrics.fullPass(Math.min(...done) / 1000);
  }

  const namespaceFollower = {
    list() {
      const gone = new Set(watched.keys());
      return {
        object: onNamespace((namespace) => {
          gone.delete(namespace.name);
          admit(namespace);
        }),
        done() {
          for (const name of gone) leave(name);
          namespacesListedAt = Date.now();
          complaints.settle('namespaces');
          notePass();
        },
      };
    },
    changed: onNamespace(admit),
    deleted: onNamespace(({ name }) => leave(name)),
    watched: () => complaints.settle('watch of namespaces'),
    failed: (verb: 'list' | 'watch', failure: Failure) =>
      raise(`${verb} namespaces`, verb === 'list' ? 'namespaces' : 'watch of namespaces', failure),
  };

  return {
    async run() {
      const working = work();
      const query = {
        labelSelector: OPT_IN,
        ...(only === undefined ? {} : { fieldSelector: `metadata.name=${only}` }),
      };
      await follow(kube, { path: '/api/v1/namespaces', query }, namespaceFollower, { signal, relistMs });
      await working;
      queue.clear();
    },
    reload() {
      for (const [name, { mesh }] of watched) watch(name, mesh);
    },
    hasStarted: () => namespacesListedAt !== undefined,
    namespaces: () => watched.size,
    pods() {
      const counts = new Map<string, number>();
      for (const { pods } of watched.values()) pods.count(counts);
      return counts;
    },
  };
}

/** What reads the namespace and hands it on. */
function onNamespace(act: (namespace: Namespace) => void): (object: unknown) => void {
  return (object) => {
    const namespace = readNamespace(object);
    if (namespace !== undefined) act(namespace);
  };
}

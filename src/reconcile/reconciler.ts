import type { Logger } from 'pino';
import { unknownOptIn } from '../core/opt-in.ts';
import type { Rules } from '../core/rules/parse.ts';
import type { Kube } from '../kube/client.ts';
import { apply } from './apply.ts';
import type { Applied } from './apply.ts';
import type { Failure } from '../kube/request.ts';
import { forLog } from './printable.ts';
import type { Complaints } from './failure-log.ts';
import { isLabelLag, isMutatedByOthers, scopeOf } from './failure-scope.ts';
import { follow } from '../kube/list-watch.ts';
import type { ReconcileMetrics } from './metrics.ts';
import { HAS_OPT_IN_LABEL, readNamespace } from './namespace.ts';
import type { Namespace } from './namespace.ts';
import type { Pace } from '../kube/rate-limiter.ts';
import { createBackoff } from '../kube/backoff.ts';
import type { Backoff } from '../kube/backoff.ts';
import { annotatePlanner } from './plan.ts';
import type { Waiting } from './pod-store.ts';
import { createSemaphore } from '../kube/semaphore.ts';
import { LABEL_LAG_MS, watchNamespace } from './watched-namespace.ts';
import type { WatchedNamespace } from './watched-namespace.ts';
import { createWorkQueue } from '../kube/work-queue.ts';
import type { WorkItem } from '../kube/work-queue.ts';

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

/** Longest delay between tries while something keeps changing the pod or taking our annotations away, in milliseconds. */
const LONGEST_DELAY_MS = 60_000;

/** The same for a pod that the API server refused to have changed: only a new version of it is tried at all. */
const LONGEST_REFUSED_DELAY_MS = 30 * 60_000;

/** A refused pod of each namespace is tried again this often, to find out that a policy is gone. */
const PROBE_MS = 20 * 60_000;

/** Lists that run at the same time: hundreds of namespaces are listed at the start, at a takeover and when rules change. */
const LISTS = 8;

/** Delay before the next try, in milliseconds: it grows, so that we never fight another controller. */
function retryDelayMs(tries: number, longest: number): number {
  return Math.min(longest, 1000 * 2 ** (tries - 1));
}

/** What failures of listing a namespace's pods are filed under. */
function listing(namespace: string): string {
  return `pods of ${namespace}`;
}

/** What failures of watching them are filed under: a list that works says nothing of the watch. */
function watching(namespace: string): string {
  return `watch of pods of ${namespace}`;
}

/** What failures of patching them are filed under. */
function patching(namespace: string): string {
  return `patch pods of ${namespace}`;
}

/** Logged once when the chart's policy refuses what others have added to a change. */
const MUTATION_ADVICE = {
  cause: 'a mutating policy or webhook changes pods on UPDATE too, so that more than annotations would change',
  remedy: "exempt the reconciler's service account from it, or limit it to CREATE",
};

/** A namespace that is worked on. */
interface Entry extends WatchedNamespace {
  /** When the reconciler began to work on it, by the process's clock. */
  readonly since: number;
  /** Pauses after failures that concern the whole namespace. */
  readonly backoff: Backoff;
  /** Kinds of refusals that have been logged and still occur. */
  readonly refusals: Set<string>;
  /** When a refused pod was last tried again by itself, by the process's clock, and which one. */
  probedAt: number;
  probed?: string;
}

/** What keeps annotating while the lease is held. It starts from nothing but the API server's state. */
export function createReconciler(options: ReconcilerOptions): Reconciler {
  const { kube, rules, metrics, complaints, log, pace, excluded, only, relistMs, signal } = options;
  const watched = new Map<string, Entry>();
  const queue = createWorkQueue();
  const lists = createSemaphore(LISTS);
  const outage = createBackoff(1000, 60_000);
  /** Namespaces whose opt-in label means neither yes nor no, with the value that has been logged. */
  const unknownOptIns = new Map<string, string>();
  let isMutationLogged = false;
  let namespacesListedAt: number | undefined;

  function watch(name: string, mesh: boolean): void {
    stopWatching(name);
    const onWaiting = ({ name: pod, tries, wasRefused }: Waiting, isMissed: boolean) => {
      if (isMissed) {
        metrics.missed();
        log.info({ namespace: name, pod }, 'the webhook has not annotated this pod');
      }
      const longest = wasRefused ? LONGEST_REFUSED_DELAY_MS : LONGEST_DELAY_MS;
      if (tries === 0) queue.add({ group: name, name: pod, isRetry: false });
      else queue.addLater(name, pod, retryDelayMs(tries, longest));
    };
    const onListed = () => {
      complaints.settle(listing(name));
      probe(name, entry);
      notePass();
    };
    const onWatched = () => complaints.settle(watching(name));
    const onFailure = (verb: 'list' | 'watch', failure: Failure) =>
      raise(`${verb} pods`, (verb === 'list' ? listing : watching)(name), failure);
    const handlers = { onWaiting, onListed, onWatched, onFailure };
    const namespace = watchNamespace({ kube, name, mesh, rules: rules(), relistMs, lists, signal, ...handlers });
    const backoff = createBackoff(1000, LONGEST_DELAY_MS);
    const since = performance.now();
    const entry: Entry = { ...namespace, since, backoff, refusals: new Set(), probedAt: since };
    watched.set(name, entry);
  }

  /** Returns whether the namespace was watched. */
  function stopWatching(name: string): boolean {
    watched.get(name)?.stop();
    queue.drop(name);
    return watched.delete(name);
  }

  function admit(namespace: Namespace): void {
    const { name, optedIn, terminating, mesh } = namespace;
    if (!excluded.has(name)) checkOptIn(namespace);
    if (!optedIn || terminating || excluded.has(name)) return leave(name);
    if (watched.get(name)?.mesh === mesh) return undefined;
    log.info({ namespace: name, mesh }, 'watching the pods of this namespace');
    return watch(name, mesh);
  }

  /** Logs an opt-in label that says neither yes nor no: once for each namespace and value. */
  function checkOptIn({ name, unknownOptIn: value }: Namespace): void {
    if (value === undefined) unknownOptIns.delete(name);
    else if (unknownOptIns.get(name) !== value) {
      unknownOptIns.set(name, value);
      log.warn({ namespace: name, reason: unknownOptIn(value) }, 'namespace is not opted in');
    }
  }

  /** The namespace is gone, or has lost its label. */
  function remove(name: string): void {
    unknownOptIns.delete(name);
    leave(name);
  }

  /** The namespace is not opted in, or not any more. */
  function leave(name: string): void {
    if (stopWatching(name)) log.info({ namespace: name }, 'this namespace is opted in no longer');
    for (const what of [watching, listing, patching]) complaints.forget(what(name));
  }

  /** Tries one refused pod again, now and then: nobody tells us when the policy that refuses it is changed. */
  function probe(name: string, entry: Entry): void {
    if (performance.now() - entry.probedAt < PROBE_MS) return;
    entry.probedAt = performance.now();
    for (const pod of entry.pods.release('one')) {
      entry.probed = pod;
      queue.add({ group: name, name: pod, isRetry: true });
    }
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

  async function work(): Promise<void> {
    for (;;) {
      await queue.wait(signal);
      await pace.turn(signal);
      if (signal.aborted) return;
      // Chosen only when the turn has come: a first try that arrived in the meantime comes before a retry.
      const item = takeWaiting();
      if (item !== undefined) await change(item);
      notePass();
    }
  }

  /** The next item that is still to be changed: by now the pod may be gone or annotated, or the namespace without its label. */
  function takeWaiting(): WorkItem | undefined {
    for (;;) {
      const item = queue.take();
      if (item === undefined || watched.get(item.group)?.pods.isWaiting(item.name) === true) return item;
    }
  }

  async function change(item: WorkItem): Promise<void> {
    const { group: namespace, name: pod } = item;
    const entry = watched.get(namespace);
    if (entry === undefined) return;
    const { pods, mesh } = entry;
    const version = pods.version(pod);
    const isWanted = () => watched.get(namespace) === entry;
    const planner = annotatePlanner(rules(), mesh);
    const applied = await apply({ namespace, name: pod }, { kube, planner, pace, isWanted, signal });
    if (signal.aborted || applied.result === 'unwanted') return;
    metrics.applied(applied.result);
    if (applied.result === 'done') log.info({ namespace, pod, rule: applied.rule }, 'annotated');
    if (!isWanted()) return;
    switch (applied.result) {
      case 'done':
        pods.countTry(pod);
        pods.upsert(applied.pod);
        break;
      case 'superseded':
        pods.upsert(applied.pod);
        break;
      case 'gone':
        pods.deleteVersion(pod, version);
        break;
      case 'refused':
        pods.countTry(pod);
        pods.refuse(pod, applied.resourceVersion);
        break;
      case 'failed':
        return onFailed(item, entry, applied.failure);
    }
    outage.reset();
    entry.backoff.reset();
    if (applied.result === 'done') {
      complaints.settle('patch pods');
      complaints.settle(patching(namespace));
    }
    if (applied.result === 'refused') logRefusal(namespace, pod, entry, applied.failure);
    else noteAccepted(item, entry, applied.result);
  }

  function onFailed(item: WorkItem, entry: Entry, failure: Failure): void {
    const { group: namespace, name: pod } = item;
    const fields = { namespace, pod };
    const { retryAfterMs = 0 } = failure;
    switch (scopeOf(failure)) {
      case 'cluster':
        pace.hold(Math.max(outage.next(), retryAfterMs));
        raise('patch pods', 'patch pods', failure, fields);
        return queue.add(item);
      case 'namespace':
        queue.pause(namespace, Math.max(entry.backoff.next(), retryAfterMs));
        if (!isLabelLag(failure) || performance.now() - entry.since > LABEL_LAG_MS) {
          raise('patch pods', patching(namespace), failure, fields);
        }
        // Without the right nothing was tried; after a 500 the others of its namespace come first.
        return queue.add({ ...item, isRetry: item.isRetry || failure.status >= 500 });
      case 'pod':
        metrics.failed('patch pods', failure);
        return queue.addLater(namespace, pod, retryDelayMs(entry.pods.countTry(pod), LONGEST_DELAY_MS));
    }
  }

  /** Logs each kind of refusal once for each namespace, however many pods are refused. */
  function logRefusal(namespace: string, pod: string, entry: Entry, failure: Failure): void {
    metrics.failed('patch pods', failure);
    const line = { namespace, pod, code: failure.status, reason: forLog(failure) };
    const isMutated = isMutatedByOthers(failure);
    const kind = isMutated ? 'mutated' : String(failure.status);
    if (entry.refusals.has(kind)) return;
    entry.refusals.add(kind);
    if (!isMutated) return log.warn(line, 'change refused; the pod is tried again when it changes');
    if (isMutationLogged) return undefined;
    isMutationLogged = true;
    return log.warn(
      { ...line, ...MUTATION_ADVICE },
      "change refused by autoscrape's own policy; told once for all namespaces",
    );
  }

  /** Tries all refused pods again when the one that was tried first is accepted. */
  function noteAccepted({ group, name }: WorkItem, entry: Entry, result: Applied['result']): void {
    const { pods, refusals, probed } = entry;
    if (result === 'done' && name === probed) {
      for (const pod of pods.release('all')) queue.add({ group, name: pod, isRetry: true });
    }
    if (refusals.size === 0 || pods.refused() > 0) return;
    refusals.clear();
    log.info({ namespace: group }, 'no pod of this namespace is refused any more');
  }

  /** Every opted-in namespace has been listed, and every pod that was found has been tried. */
  function notePass(): void {
    const times = [namespacesListedAt, ...[...watched.values()].map((entry) => entry.listedAt())];
    const done = times.filter((time) => time !== undefined);
    if (!queue.hasFirstTries() && done.length === times.length) metrics.fullPass(Math.min(...done) / 1000);
  }

  const namespaceFollower = {
    list() {
      const gone = new Set([...watched.keys(), ...unknownOptIns.keys()]);
      return {
        object: onNamespace((namespace) => {
          gone.delete(namespace.name);
          admit(namespace);
        }),
        done() {
          for (const name of gone) remove(name);
          namespacesListedAt = Date.now();
          complaints.settle('namespaces');
          notePass();
        },
      };
    },
    changed: onNamespace(admit),
    deleted: onNamespace(({ name }) => remove(name)),
    watched: () => complaints.settle('watch of namespaces'),
    failed: (verb: 'list' | 'watch', failure: Failure) =>
      raise(`${verb} namespaces`, verb === 'list' ? 'namespaces' : 'watch of namespaces', failure),
  };

  return {
    async run() {
      const working = work();
      const query = {
        labelSelector: HAS_OPT_IN_LABEL,
        ...(only === undefined ? {} : { fieldSelector: `metadata.name=${only}` }),
      };
      await follow(kube, { path: '/api/v1/namespaces', query }, namespaceFollower, { signal, relistMs });
      await working;
      queue.clear();
    },
    reload() {
      const known = [...watched].map(([name, { mesh }]) => ({ name, mesh }));
      for (const { name, mesh } of known) watch(name, mesh);
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

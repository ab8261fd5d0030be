import type { Logger } from 'pino';
import { askLabelProblem } from '../core/ask-label.ts';
import { unknownOptIn } from '../core/inject-label.ts';
import type { Rules } from '../core/rules/parse.ts';
import type { SelectorText } from '../core/rules/selector-text.ts';
import { NAMESPACES_PATH } from '../kube/api-paths.ts';
import type { Failure, Kube } from '../kube/client.ts';
import { listWatch } from '../kube/list-watch.ts';
import { createSemaphore } from '../kube/semaphore.ts';
import type { Asking } from './asking.ts';
import { NAMESPACES_SUBJECTS, patchSubject, podSubjects } from './failure-log.ts';
import type { FailureLog } from './failure-log.ts';
import type { ReconcileMetrics } from './metrics.ts';
import { BY_LABEL } from './namespace.ts';
import type { Namespace, OptIn } from './namespace.ts';
import type { PendingPod } from './pod-store.ts';
import { watchPods } from './watch-pods.ts';
import type { PodWatch } from './watch-pods.ts';

/** A namespace whose pods are kept annotated. */
export interface TrackedNamespace extends PodWatch {
  readonly name: string;
  readonly mesh: boolean;
  /** The value of its label autoscrape.io/ask. */
  readonly askLabel: string | undefined;
  /** When it became tracked, by this process's clock. */
  readonly trackedSince: number;
}

/** The namespaces that are tracked: those that are opted in, neither terminating nor excluded. */
export interface TrackedNamespaces {
  /** Lists and watches namespaces until the signal aborts; resolves then. */
  run(): Promise<void>;
  get(name: string): TrackedNamespace | undefined;
  values(): Iterable<TrackedNamespace>;
  /** Returns the number of tracked namespaces. */
  size(): number;
  /**
   * Lists all pods again, with the rules as they are now. `areOld`: another leader may have asked
   * them, and this one has asked none yet.
   */
  reload(areOld?: boolean): void;
  /** Returns whether the namespaces have been listed. */
  isListed(): boolean;
  /**
   * Returns the Unix time in milliseconds since which namespaces and the pods of each have been
   * listed, or undefined while a list is missing.
   */
  listedAt(): number | undefined;
}

export interface TrackedNamespacesOptions {
  readonly kube: Kube;
  readonly rules: () => Rules;
  readonly metrics: ReconcileMetrics;
  readonly failureLog: FailureLog;
  readonly log: Logger;
  /** Which namespaces are opted in; by default those with the label. */
  readonly optIn?: OptIn;
  /** Which pods of them are annotated; all of them where it is undefined. */
  readonly podSelector?: SelectorText | undefined;
  /** Namespaces that are skipped whatever their labels. */
  readonly excluded: ReadonlySet<string>;
  /** The only namespace to track, instead of all. */
  readonly only: string | undefined;
  readonly relistMs: number;
  readonly signal: AbortSignal;
  /** What asks the pods of namespaces, where asking is on. */
  readonly asking?: Asking | undefined;
  /** Whether another leader may have asked the pods that are there at the start. */
  readonly wasAsked?: boolean;
  readonly onPending: (namespace: string, pod: PendingPod) => void;
  /** The namespaces were listed, or the pods of this one. */
  readonly onListed: (namespace?: TrackedNamespace) => void;
  /** The namespace's pods are not watched any more, or watched again from the start. */
  readonly onStopped: (namespace: string) => void;
}

/**
 * Lists that run at the same time: hundreds of namespaces are listed at the start, at a takeover
 * and when rules change.
 */
const LISTS = 8;

/** Returns the tracked namespaces, none before `run`. */
export function createTrackedNamespaces(options: TrackedNamespacesOptions): TrackedNamespaces {
  const {
    kube,
    rules,
    metrics,
    failureLog,
    log,
    optIn = BY_LABEL,
    podSelector,
    excluded,
    only,
    relistMs,
    signal,
  } = options;
  const { asking, wasAsked = false, onPending, onListed, onStopped } = options;
  const tracked = new Map<string, TrackedNamespace>();
  const lists = createSemaphore(LISTS);
  /** Namespaces whose opt-in label means neither yes nor no, with the value that was logged. */
  const unknownOptIns = new Map<string, string>();
  let namespacesListedAt: number | undefined;

  function startWatching(
    { name, mesh, askLabel }: Pick<TrackedNamespace, 'name' | 'mesh' | 'askLabel'>,
    areOld: boolean,
  ): void {
    stopWatching(name);
    let isOld = areOld;
    const current = rules();
    const subjects = podSubjects(name);
    const watch = watchPods({
      kube,
      namespace: name,
      mesh,
      rules: current,
      podSelector,
      asking: asking?.inNamespace({
        name,
        rules: current,
        mesh,
        askLabel,
        isOld: () => isOld,
      }),
      relistMs,
      lists,
      signal,
      onPending: (pod) => onPending(name, pod),
      onListed() {
        isOld = false;
        failureLog.resolve(subjects.list);
        onListed(namespace);
      },
      onWatchWorks: () => failureLog.resolve(subjects.watch),
      onFailure(verb, failure) {
        metrics.failed(`${verb} pods`, failure);
        failureLog.report(subjects[verb], failure);
      },
    });
    const namespace: TrackedNamespace = { ...watch, name, mesh, askLabel, trackedSince: performance.now() };
    tracked.set(name, namespace);
  }

  /** Returns whether the namespace was watched. */
  function stopWatching(name: string): boolean {
    const watched = tracked.get(name);
    watched?.stop();
    watched?.asking?.forgetPods();
    onStopped(name);
    return tracked.delete(name);
  }

  function track(namespace: Namespace): void {
    const { name, optedIn, terminating, mesh, askLabel } = namespace;
    if (!excluded.has(name)) checkOptIn(namespace);
    if (!optedIn || terminating || excluded.has(name)) return untrack(name);
    const known = tracked.get(name);
    const isSame = known?.mesh === mesh && (asking === undefined || known.askLabel === askLabel);
    if (isSame) return undefined;
    log.info({ namespace: name, mesh }, 'namespace tracked');
    const problem = asking === undefined ? undefined : askLabelProblem(askLabel);
    if (problem !== undefined) log.warn({ namespace: name, reason: problem }, 'namespace is not asked');
    // Of namespaces that are there at the start, the pods of the first list are old.
    return startWatching({ name, mesh, askLabel }, wasAsked && namespacesListedAt === undefined);
  }

  /** Logs an opt-in label that means neither yes nor no, once for each namespace and value. */
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
    untrack(name);
  }

  /** The namespace is not opted in, or not any more. */
  function untrack(name: string): void {
    if (stopWatching(name)) log.info({ namespace: name }, 'namespace no longer tracked');
    asking?.forget(name);
    const { list, watch } = podSubjects(name);
    for (const subject of [list, watch, patchSubject(name)]) failureLog.forget(subject);
  }

  /** Returns a function that reads the object as a namespace and calls `act` with it. */
  function onNamespace(act: (namespace: Namespace) => void): (object: unknown) => void {
    return (object) => {
      const namespace = optIn.read(object);
      if (namespace !== undefined) act(namespace);
    };
  }

  const handler = {
    beginList() {
      const gone = new Set([...tracked.keys(), ...unknownOptIns.keys()]);
      return {
        add: onNamespace((namespace) => {
          gone.delete(namespace.name);
          track(namespace);
        }),
        finish() {
          for (const name of gone) remove(name);
          namespacesListedAt = Date.now();
          failureLog.resolve(NAMESPACES_SUBJECTS.list);
          onListed();
        },
      };
    },
    changed: onNamespace(track),
    deleted: onNamespace(({ name }) => remove(name)),
    watchWorks: () => failureLog.resolve(NAMESPACES_SUBJECTS.watch),
    failed(verb: 'list' | 'watch', failure: Failure) {
      metrics.failed(`${verb} namespaces`, failure);
      failureLog.report(NAMESPACES_SUBJECTS[verb], failure);
    },
  };

  return {
    run() {
      const query = {
        labelSelector: optIn.query,
        ...(only === undefined ? {} : { fieldSelector: `metadata.name=${only}` }),
      };
      return listWatch(kube, { path: NAMESPACES_PATH, query }, handler, { signal, relistMs });
    },
    get: (name) => tracked.get(name),
    values: () => tracked.values(),
    size: () => tracked.size,
    reload(areOld = false) {
      const known = [...tracked.values()]; // startWatching changes the map
      for (const namespace of known) startWatching(namespace, areOld);
    },
    isListed: () => namespacesListedAt !== undefined,
    listedAt() {
      const times = [namespacesListedAt, ...[...tracked.values()].map((namespace) => namespace.listedAt())];
      const known = times.filter((time) => time !== undefined);
      return known.length === times.length ? Math.min(...known) : undefined;
    },
  };
}

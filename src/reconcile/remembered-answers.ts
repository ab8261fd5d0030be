import { choosePort } from '../ask/ask-pod.ts';
import type { PortAsked } from '../ask/ask-port.ts';
import { askAgainAfter } from '../core/ask/when-to-ask-again.ts';
import { classOf } from '../core/ask/verdict.ts';
import type { Verdict } from '../core/ask/verdict.ts';
import type { PlannedPort, PortAndPath } from './ask-plan.ts';

/** What is known of a workload: that of its most telling port, `waiting` before the first answer. */
export type AskResult = 'waiting' | 'metrics' | 'unscrapable' | 'no_metrics' | 'not_answered';

/** The last verdict on one port. */
interface PortRecord {
  verdict: Verdict;
  /** How often in a row there was a verdict of this class. */
  times: number;
  /** Unix time in milliseconds from which it is asked again; Infinity for never. */
  nextAt: number;
}

/** Pods of one configuration in one namespace, which are asked once. */
export interface Workload {
  readonly namespace: string;
  readonly key: string;
  /** Whether it was there before this leader: then it was asked before, and is asked slowly. */
  readonly isOld: boolean;
  /** Pods that wait for an answer, with the Unix time in seconds from which each may be asked. */
  readonly pods: Map<string, number>;
  readonly ports: Map<number, PortRecord>;
  result: AskResult;
  /** Where the metrics are, once they were found. */
  endpoint: PortAndPath | undefined;
  /** Unix time in milliseconds from which it is to be asked; Infinity for never. */
  dueAt: number;
  /**
   * Unix time in milliseconds before which none of its pods may be asked, as far as is known: who
   * looks for the next pod five times a second must not read all pods each time.
   */
  readyFrom: number;
  /** Unix time in milliseconds of the last answer; 0 before the first. */
  answeredAt: number;
  /** The pod that was asked last, so that another one is asked next. */
  lastPod: string | undefined;
  /** Unix time in milliseconds since when no pod has it; undefined while one has. */
  unusedSince: number | undefined;
}

/** The answers of this leader's term, in memory only. */
export interface AskMemory {
  find(namespace: string, key: string): Workload | undefined;
  /**
   * Adds a pod that waits for the workload's answer, and returns the workload. Returns undefined
   * where there is no room for another one.
   */
  join(pod: WaitingPod): Workload | undefined;
  /** Removes a pod from the workload. */
  leave(workload: Workload, pod: string): void;
  /** Stores what asking a pod has shown, and the endpoint for the workload's owner. */
  record(workload: Workload, pod: string, owner: string | undefined, asked: Asked): void;
  /**
   * Stores what is known from a pod that is annotated already, where nothing else is known: only for
   * its owner while it is not ready and has no key. Returns the workload where it was known and has
   * not been asked yet.
   */
  seed(pod: AnnotatedPod, endpoint: ServedPort): Workload | undefined;
  /** Returns where the owner's pods had metrics when one of them was last asked. */
  ofOwner(namespace: string, owner: string): ServedPort | undefined;
  /** Returns whether requests were sent to pods of the namespace and none was ever answered. */
  isUnreachable(namespace: string): boolean;
  /** Returns all workloads that may have to be asked, by namespace. */
  namespaces(): ReadonlyMap<string, ReadonlyMap<string, Workload>>;
  /** Removes the pods of a namespace, which is listed again or not tracked any more. */
  forgetPods(namespace: string): void;
  /** Removes all that is known of the namespace. */
  forget(namespace: string): void;
  /** Removes workloads that no pod has had for a day. */
  sweep(): void;
  /** Returns the number of workloads by result. */
  count(): ReadonlyMap<AskResult, number>;
}

/** A pod that waits for an answer. */
export interface WaitingPod {
  readonly namespace: string;
  readonly key: string;
  readonly name: string;
  /** Unix time in milliseconds from which it may be asked. */
  readonly from: number;
  readonly isOld: boolean;
}

/** A pod that asking has annotated. */
export interface AnnotatedPod {
  readonly namespace: string;
  /** Undefined while it is not ready. */
  readonly key: string | undefined;
  readonly owner: string | undefined;
  /** Whether an answer was the reason for certain: a rule that hints can have decided without one. */
  readonly isAnswered: boolean;
}

/** A port and path with the container that serves it. */
export interface ServedPort extends PortAndPath {
  readonly container: string;
  /** The paths that were to be asked there, from what the pod itself says. */
  readonly paths: readonly string[];
}

/** The answers of one pod, and the ports that were planned. */
export interface Asked {
  readonly answers: readonly PortAsked[];
  readonly planned: readonly PlannedPort[];
}

export interface AskMemoryOptions {
  readonly now: () => number;
  /** A namespace has more workloads than may be stored. */
  readonly onFull: (namespace: string) => void;
  readonly limits?: AskMemoryLimits;
}

/** Most workloads that are stored. */
export interface AskMemoryLimits {
  readonly perNamespace: number;
  readonly inAll: number;
}

/**
 * Some 1 KB each, so 20 MB in all. A pod that changes its environment at every restart is another
 * workload each time: it must not take the room of other namespaces.
 */
const LIMITS: AskMemoryLimits = { perNamespace: 500, inAll: 20_000 };

/** How long a workload without pods is stored: CronJobs come back daily. */
const UNUSED_MS = 25 * 60 * 60_000;

/** An answer is stored at least this long where a pod waits for another one. */
const LEAST_MS = 10 * 60_000;

/**
 * How long a memory counts as full in which nothing can be removed: a search takes half a
 * millisecond, and a cluster can list 100,000 pods for which there is no room.
 */
const FULL_MS = 1000;

interface NamespaceMemory {
  readonly workloads: Map<string, Workload>;
  /** Where the pods of an owner have metrics; undefined where they had, and have no more. */
  readonly owners: Map<string, ServedPort | undefined>;
  wasTried: boolean;
  wasAnswered: boolean;
  isFull: boolean;
}

/** Returns an empty memory. */
export function createAskMemory({ now, onFull, limits = LIMITS }: AskMemoryOptions): AskMemory {
  const namespaces = new Map<string, NamespaceMemory>();
  let size = 0;
  /** Unix time in milliseconds until which there is no room in all. */
  let fullUntil = 0;

  function of(namespace: string): NamespaceMemory {
    const known = namespaces.get(namespace) ?? {
      workloads: new Map(),
      owners: new Map(),
      wasTried: false,
      wasAnswered: false,
      isFull: false,
    };
    namespaces.set(namespace, known);
    return known;
  }

  function remove({ namespace, key }: Workload): void {
    if (namespaces.get(namespace)?.workloads.delete(key) === true) size -= 1;
  }

  /** Returns whether there is room for another workload, perhaps after removing the oldest. */
  function hasRoom(namespace: string, memory: NamespaceMemory): boolean {
    if (memory.workloads.size >= limits.perNamespace) {
      if (!memory.isFull) onFull(namespace);
      memory.isFull = true;
      return removeOldest([memory]);
    }
    if (size < limits.inAll) return true;
    if (now() < fullUntil) return false;
    if (removeOldest(namespaces.values())) return true;
    fullUntil = now() + FULL_MS;
    return false;
  }

  function removeOldest(among: Iterable<NamespaceMemory>): boolean {
    let oldest: Workload | undefined;
    for (const { workloads } of among) {
      for (const workload of workloads.values()) {
        if (isRemovable(workload) && (oldest === undefined || isOlder(workload, oldest))) oldest = workload;
      }
    }
    if (oldest === undefined) return false;
    remove(oldest);
    return true;
  }

  function isRemovable({ pods, result, answeredAt }: Workload): boolean {
    return pods.size === 0 || (result !== 'waiting' && result !== 'metrics' && now() - answeredAt >= LEAST_MS);
  }

  function create(namespace: string, key: string, isOld: boolean): Workload | undefined {
    const memory = of(namespace);
    if (!hasRoom(namespace, memory)) return undefined;
    const workload: Workload = {
      namespace,
      key,
      isOld,
      pods: new Map(),
      ports: new Map(),
      result: 'waiting',
      endpoint: undefined,
      dueAt: 0,
      readyFrom: 0,
      answeredAt: 0,
      lastPod: undefined,
      unusedSince: now(),
    };
    memory.workloads.set(key, workload);
    size += 1;
    return workload;
  }

  function find(namespace: string, key: string): Workload | undefined {
    return namespaces.get(namespace)?.workloads.get(key);
  }

  function setOwner({ owners }: NamespaceMemory, owner: string, served: ServedPort | undefined): void {
    owners.delete(owner); // the last to be set is the last to be removed
    owners.set(owner, served);
    if (owners.size <= limits.perNamespace) return;
    for (const oldest of owners.keys()) {
      owners.delete(oldest);
      break;
    }
  }

  return {
    find,
    join({ namespace, key, name, from, isOld }) {
      const workload = find(namespace, key) ?? create(namespace, key, isOld);
      if (workload === undefined) return undefined;
      const seconds = Math.ceil(from / 1000);
      workload.pods.set(name, seconds);
      workload.readyFrom = Math.min(workload.readyFrom, seconds * 1000);
      workload.unusedSince = undefined;
      return workload;
    },
    leave(workload, pod) {
      if (workload.pods.delete(pod) && workload.pods.size === 0) workload.unusedSince = now();
    },
    record(workload, pod, owner, { answers, planned }) {
      const memory = of(workload.namespace);
      for (const { verdict } of answers.flatMap(({ requests }) => requests)) {
        memory.wasTried ||= verdict.key !== 'never_list';
        memory.wasAnswered ||= isAnAnswer(verdict);
      }
      workload.lastPod = pod;
      workload.answeredAt = now();
      for (const answer of answers) recordPort(workload.ports, answer, now());
      const serving = answers.filter(({ port }) => isServing(workload.ports.get(port)));
      const served = choosePort(serving, planned);
      workload.endpoint = served === undefined ? undefined : { port: served.port, path: served.path };
      workload.result = resultOf(workload);
      workload.dueAt =
        served === undefined
          ? Math.min(Infinity, ...[...workload.ports.values()].map(({ nextAt }) => nextAt))
          : Infinity;
      if (owner === undefined) return;
      if (served !== undefined) {
        const { container = '', paths = [] } = planned.find(({ port }) => port === served.port) ?? {};
        setOwner(memory, owner, { port: served.port, path: served.path, container, paths });
      } else if (workload.result === 'no_metrics' || workload.result === 'unscrapable') {
        if (memory.owners.has(owner)) setOwner(memory, owner, undefined);
      }
    },
    seed({ namespace, key, owner, isAnswered }, served) {
      const { port, path } = served;
      const memory = of(namespace);
      memory.wasAnswered ||= isAnswered;
      if (owner !== undefined && !memory.owners.has(owner)) setOwner(memory, owner, served);
      if (key === undefined) return undefined;
      const known = find(namespace, key);
      const workload = known ?? create(namespace, key, false);
      if (workload === undefined || workload.answeredAt > 0 || workload.endpoint !== undefined) return undefined;
      workload.endpoint = { port, path };
      workload.result = 'metrics';
      workload.dueAt = Infinity;
      return known;
    },
    ofOwner: (namespace, owner) => namespaces.get(namespace)?.owners.get(owner),
    isUnreachable(namespace) {
      const memory = namespaces.get(namespace);
      return memory !== undefined && memory.wasTried && !memory.wasAnswered;
    },
    namespaces: () => new Map([...namespaces].map(([name, { workloads }]) => [name, workloads])),
    forgetPods(namespace) {
      for (const workload of namespaces.get(namespace)?.workloads.values() ?? []) {
        if (workload.pods.size > 0) workload.unusedSince = now();
        workload.pods.clear();
      }
    },
    forget(namespace) {
      size -= namespaces.get(namespace)?.workloads.size ?? 0;
      namespaces.delete(namespace);
    },
    sweep() {
      for (const { workloads } of namespaces.values()) {
        for (const workload of workloads.values()) {
          if (workload.unusedSince !== undefined && now() - workload.unusedSince >= UNUSED_MS) remove(workload);
        }
      }
    },
    count() {
      const counts = new Map<AskResult, number>([...RESULTS, 'metrics' as const].map((result) => [result, 0]));
      for (const { workloads } of namespaces.values()) {
        for (const { result } of workloads.values()) counts.set(result, (counts.get(result) ?? 0) + 1);
      }
      return counts;
    },
  };
}

/** Workloads without pods are removed before others. */
function isOlder(one: Workload, than: Workload): boolean {
  if ((one.pods.size === 0) !== (than.pods.size === 0)) return one.pods.size === 0;
  return one.answeredAt < than.answeredAt;
}

function recordPort(ports: Workload['ports'], { port, verdict }: PortAsked, now: number): void {
  const known = ports.get(port);
  const times = known !== undefined && classOf(known.verdict) === classOf(verdict) ? known.times + 1 : 1;
  const after = askAgainAfter(verdict, times);
  ports.set(port, { verdict, times, nextAt: after === undefined ? Infinity : now + after });
}

/**
 * Returns whether the port is to be annotated: an empty page that names no format's version, only
 * when it was seen twice.
 */
function isServing(record: PortRecord | undefined): boolean {
  if (record === undefined) return false;
  const { verdict, times } = record;
  return verdict.key === 'metrics' || (verdict.key === 'metrics_empty' && (verdict.sure || times > 1));
}

function resultOf({ endpoint, ports }: Workload): AskResult {
  if (endpoint !== undefined) return 'metrics';
  const classes = [...ports.values()].map(({ verdict }) =>
    verdict.key === 'waiting' || verdict.key === 'metrics_empty' ? 'waiting' : classOf(verdict),
  );
  return RESULTS.find((result) => classes.includes(result)) ?? 'waiting';
}

/** The most telling first. */
const RESULTS = ['waiting', 'unscrapable', 'no_metrics', 'not_answered'] as const;

/** Returns whether the pod itself answered, so that requests from here reach pods. */
function isAnAnswer(verdict: Verdict): boolean {
  return classOf(verdict) !== 'not_answered' || REACHED.includes(verdict.key);
}

const REACHED: readonly Verdict['key'][] = ['not_http', 'server_error', 'rate_limited'];

import { askPod } from '../ask/ask-pod.ts';
import type { PortAsked } from '../ask/ask-port.ts';
import type { Place } from '../core/ask/redirect.ts';
import type { Verdict } from '../core/ask/verdict.ts';
import { podPath } from '../kube/api-paths.ts';
import type { Failure, Kube } from '../kube/client.ts';
import type { Clock } from '../kube/clock.ts';
import { createRateLimiter } from '../kube/rate-limiter.ts';
import type { AskMemory, Workload } from './remembered-answers.ts';
import type { AskNote } from './ask-note.ts';
import { nextToAsk } from './next-to-ask.ts';
import { readRef } from './plan.ts';

/** What asking knows of a namespace while one of its pods is asked. */
export interface AskedPods {
  /** Returns what there is to ask of the pod as it is now; undefined where there is nothing. */
  noteOf(object: unknown): AskNote | undefined;
  /** Plans the pod again: what there was to ask of it has changed. */
  planAgain(object: unknown): void;
  /** Returns whether the namespace is still tracked, with the same labels and rules. */
  isCurrent(): boolean;
}

/** A request to a pod, and what it has shown. */
export interface SentRequest extends Place {
  readonly namespace: string;
  readonly pod: string;
  readonly path: string;
  /** Contains nothing that a server wrote. */
  readonly verdict: Verdict;
  /** Whether the workload was there before this leader. */
  readonly isOld: boolean;
}

export interface AskWorkerOptions {
  readonly kube: Pick<Kube, 'request'>;
  readonly memory: AskMemory;
  /** Returns what is known of a namespace, or undefined where it is not tracked. */
  readonly namespace: (name: string) => AskedPods | undefined;
  /** Returns what says whether an address must not be asked. */
  readonly refuses: () => (address: string) => boolean;
  /** A request was sent. */
  readonly onRequest: (request: SentRequest) => void;
  /** A workload has an answer, or there was none. */
  readonly onAnswer: (workload: Workload) => void;
  /** A pod could not be read; `undefined`: it could. */
  readonly onRead: (failure?: Failure) => void;
  /** Called about every ten seconds. */
  readonly onTick?: () => void;
  readonly version: string;
  readonly clock: Clock;
  /** Returns a number from 0 to 1, 1 excluded. */
  readonly random: () => number;
  /** Returns some letters and digits that no server has a path of. */
  readonly randomName: () => string;
  readonly perSecond?: number;
  /** Aborts when nobody needs the answers any more. */
  readonly signal: AbortSignal;
}

/** Requests to pods in a second, in all: intrusion detection counts ports and hosts by time. */
const PER_SECOND = 5;

/** How much slower workloads are asked that another leader has probably asked before. */
const OLD_FACTOR = 10;

/** Pods that are asked at the same time. Each can take 12 requests of 10 s, and 2 MiB. */
const AT_ONCE = 16;

/** The same of old workloads, so that they never keep new ones waiting. */
const OLD_AT_ONCE = 4;

/** Time between two calls of `onTick`, in milliseconds. */
const TICK_MS = 10_000;

/** How long a pod waits that could not be asked although it was its turn, in milliseconds. */
const POSTPONED_MS = { node: 2000, failure: 30_000 } as const;

/**
 * A namespace whose pod has kept its node for so long lets others of the node go first, who have
 * been postponed meanwhile: a tenant's slow pods must not take a node in turn. In milliseconds.
 */
const SLOW_MS = 4000;
const REST_MS = 2 * POSTPONED_MS.node;

/**
 * Ports that are due within this time are asked with the others, in milliseconds. Less than the
 * minute after which a silent port is asked again: others can be due at once, where there was no
 * request left for them.
 */
const SOON_MS = 30_000;

/** A pod that was just read, and what there is to ask of it. */
interface FreshPod {
  readonly uid: string;
  readonly note: AskNote;
}

/** Workloads by namespace and key. */
type Workloads = ReadonlyMap<string, ReadonlyMap<string, Workload>>;

/** Asks pods, one at a time in a namespace and on a node, until the signal aborts. */
export interface AskWorker {
  /** Asks until the signal aborts; resolves when the last request has ended then. */
  run(): Promise<void>;
  /**
   * Asks every workload once that has a ready pod; resolves when that is done or the signal aborts.
   */
  runOnce(): Promise<void>;
}

/** Returns an asker, which asks nothing before `run`. */
export function createAskWorker(options: AskWorkerOptions): AskWorker {
  const { kube, memory, clock, random, signal } = options;
  const perSecond = options.perSecond ?? PER_SECOND;
  const limiter = createRateLimiter(perSecond, clock.now, sleep);
  const oldLimiter = createRateLimiter(perSecond / OLD_FACTOR, clock.now, sleep);
  const busyNamespaces = new Set<string>();
  const busyNodes = new Set<string>();
  const running = new Set<Promise<void>>();
  let oldRunning = 0;

  function sleep(milliseconds: number, until: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (until.aborted) return resolve();
      const end = (): void => {
        cancel();
        until.removeEventListener('abort', end);
        resolve();
      };
      const cancel = clock.after(milliseconds, end);
      until.addEventListener('abort', end);
    });
  }

  /** As the clock's, but everything is due at once when the signal aborts: requests end then. */
  function afterOrAbort(milliseconds: number, action: () => void): () => void {
    const cancel = clock.after(milliseconds, action);
    signal.addEventListener('abort', action);
    return () => {
      cancel();
      signal.removeEventListener('abort', action);
    };
  }

  async function run(): Promise<void> {
    let tickedAt = clock.now();
    while (!signal.aborted) {
      if (clock.now() - tickedAt >= TICK_MS) {
        tickedAt = clock.now();
        memory.sweep();
        options.onTick?.();
      }
      startNext(memory.namespaces());
      // As often as requests may be sent: a pod that has become ready is noticed soon enough then.
      await sleep(1000 / perSecond, signal);
    }
    await Promise.all(running);
  }

  async function runOnce(): Promise<void> {
    const done = new Set<Workload>();
    while (!signal.aborted) {
      const left = without(memory.namespaces(), done);
      const isStarted = startNext(left, (workload) => done.add(workload));
      if (!isStarted && busyNamespaces.size === 0 && !hasPostponed(left)) break;
      await sleep(1000 / perSecond, signal);
    }
    await Promise.all(running);
  }

  /** Returns whether a pod waits because another one of its node was asked. */
  function hasPostponed(namespaces: Workloads): boolean {
    return [...namespaces.values()].some((workloads) =>
      [...workloads.values()].some(({ dueAt, pods }) => dueAt > clock.now() && dueAt < Infinity && pods.size > 0),
    );
  }

  /** Starts to ask the next pod. Returns whether there is one. */
  function startNext(namespaces: Workloads, onDone: (workload: Workload) => void = () => undefined): boolean {
    if (running.size >= AT_ONCE) return false;
    const next = nextToAsk({
      now: clock.now(),
      namespaces,
      busy: busyNamespaces,
      mayAskOld: oldRunning < OLD_AT_ONCE,
      random,
    });
    if (next === undefined) return false;
    const { workload, pod } = next;
    const { namespace, isOld } = workload;
    busyNamespaces.add(namespace);
    if (isOld) oldRunning += 1;
    const asking = ask(workload, pod).then((end) => {
      if (end !== 'postponed') onDone(workload);
      if (end !== 'slow') busyNamespaces.delete(namespace);
      else void sleep(REST_MS, signal).then(() => busyNamespaces.delete(namespace));
      if (isOld) oldRunning -= 1;
      running.delete(asking);
    });
    running.add(asking);
    return true;
  }

  /**
   * Asks one pod. Returns `postponed` where another pod of its node is being asked, and `slow` where
   * its answers took long, without the time that requests waited for their turn.
   */
  async function ask(workload: Workload, name: string): Promise<'done' | 'postponed' | 'slow'> {
    const { namespace } = workload;
    const pods = options.namespace(namespace);
    if (pods === undefined) return 'done';
    const isWanted = (): boolean => !signal.aborted && pods.isCurrent();
    const before = await read(workload, name, pods);
    if (before === undefined || before === 'unknown' || !isWanted()) return 'done';
    const { plan } = before.note;
    if (busyNodes.has(plan.node)) {
      postpone(workload, POSTPONED_MS.node);
      return 'postponed';
    }
    busyNodes.add(plan.node);
    const since = clock.now();
    let waited = 0;
    try {
      const due = clock.now() + SOON_MS;
      const ports = plan.ports.filter(({ port }) => (workload.ports.get(port)?.nextAt ?? 0) <= due);
      const answers = await askPod(plan.address, ports, {
        version: options.version,
        refuses: options.refuses(),
        after: afterOrAbort,
        async mayAsk() {
          const waitsSince = clock.now();
          if (workload.isOld) await oldLimiter.wait(signal);
          await limiter.wait(signal);
          waited += clock.now() - waitsSince;
          // A pod that is going, or has failed, may lose its address to another one before it is read again.
          return isWanted() && workload.pods.has(name);
        },
        randomName: options.randomName,
      });
      // Requests that end because the signal aborts have no result.
      if (signal.aborted) return 'done';
      const end = clock.now() - since - waited < SLOW_MS ? 'done' : 'slow';
      report(workload, name, plan.address, answers);
      // Addresses are reused, so an answer is only the pod's where it still has the address.
      const after = await read(workload, name, pods);
      if (after === 'unknown' || !isWanted()) return end;
      const isSame = after?.uid === before.uid && after.note.plan.address === plan.address;
      const valid = isSame ? answers : answers.map(withoutAnswer);
      memory.record(workload, name, plan.owner, { answers: valid, planned: plan.ports });
      options.onAnswer(workload);
      return end;
    } finally {
      busyNodes.delete(plan.node);
    }
  }

  /**
   * Returns the pod as it is now; undefined where it is gone, not ready any more or of another
   * workload; `unknown` where the API server does not say.
   */
  async function read(workload: Workload, name: string, pods: AskedPods): Promise<FreshPod | 'unknown' | undefined> {
    const fresh = await kube.request({ method: 'GET', path: podPath(workload.namespace, name), signal });
    if (signal.aborted) return 'unknown';
    if (!fresh.ok) {
      if (fresh.error.status === 404) {
        memory.leave(workload, name);
        return undefined;
      }
      options.onRead(fresh.error);
      postpone(workload, Math.max(POSTPONED_MS.failure, fresh.error.retryAfterMs ?? 0));
      return 'unknown';
    }
    options.onRead();
    const note = pods.noteOf(fresh.value);
    const uid = readRef(fresh.value)?.uid;
    const isReady = note?.from !== undefined && note.from <= clock.now();
    if (uid !== undefined && isReady && note.key === workload.key) return { uid, note };
    // It is not ready any more, or has another configuration, or is not to be asked.
    memory.leave(workload, name);
    pods.planAgain(fresh.value);
    return undefined;
  }

  function postpone(workload: Workload, milliseconds: number): void {
    workload.dueAt = clock.now() + milliseconds * (1 + random() / 2);
  }

  function report(workload: Workload, pod: string, address: string, answers: readonly PortAsked[]): void {
    const { namespace, isOld } = workload;
    for (const { port, requests } of answers) {
      for (const { path, verdict } of requests) {
        options.onRequest({ namespace, pod, address, port, path, verdict, isOld });
      }
    }
  }

  return { run, runOnce };
}

/**
 * Returns the same with the verdict of a connection that broke. A pod that is not the same after
 * the requests may have ended because of them, so it is asked less and less often.
 */
function withoutAnswer({ port, path }: PortAsked): PortAsked {
  return { port, path, verdict: { key: 'reset' }, requests: [] };
}

function without(namespaces: Workloads, some: ReadonlySet<Workload>): Workloads {
  const left = [...namespaces].map(([name, workloads]) => {
    return [name, new Map([...workloads].filter(([, workload]) => !some.has(workload)))] as const;
  });
  return new Map(left);
}

import type { Logger } from 'pino';
import { randomName } from '../ask/random-name.ts';
import { hostOf, refusedAddresses } from '../ask/refused-address.ts';
import { classOf, VERDICTS } from '../core/ask/verdict.ts';
import type { Kube } from '../kube/client.ts';
import { SYSTEM_CLOCK } from '../kube/clock.ts';
import type { Clock } from '../kube/clock.ts';
import type { AskMemory, Workload } from './remembered-answers.ts';
import type { AskSettings } from './ask-plan.ts';
import { createAskWorker } from './ask-worker.ts';
import type { AskedPods, SentRequest } from './ask-worker.ts';
import { createAsking } from './asking.ts';
import type { Asking } from './asking.ts';
import { createChangedServices } from './changed-services.ts';
import { ASK_SUBJECT } from './failure-log.ts';
import type { FailureLog } from './failure-log.ts';
import type { ReconcileMetrics } from './metrics.ts';
import { createServices } from './services.ts';
import type { TrackedNamespaces } from './tracked-namespaces.ts';

/** How pods are asked. */
export interface AskOptions extends AskSettings {
  /** autoscrape's version, as the pods see it. */
  readonly version: string;
  /** The answers. They outlive the leader's term, so that the next term of this process does not ask again. */
  readonly memory: AskMemory;
  /** Whether another process was the leader before, which has probably asked the same pods. */
  readonly wasAsked: boolean;
  readonly clock?: Clock;
  /** Returns a number from 0 to 1, 1 excluded. */
  readonly random?: () => number;
  /** Requests to pods in a second. */
  readonly perSecond?: number;
  /** Returns what says whether an address must not be asked, given those of this cluster. */
  readonly refusing?: typeof refusedAddresses;
}

/** Asks the pods of one leader's term. */
export interface LiveAsking {
  readonly asking: Asking;
  /** Lists Services; resolves when they are listed, or after three seconds. */
  start(): Promise<void>;
  /** Asks until the signal aborts; resolves then. */
  run(): Promise<void>;
}

export interface LiveAskingOptions {
  readonly kube: Kube;
  readonly metrics: ReconcileMetrics;
  readonly failureLog: FailureLog;
  readonly log: Logger;
  /** Time between two lists of the same collection, in milliseconds. */
  readonly relistMs: number;
  readonly namespaces: () => TrackedNamespaces;
  readonly signal: AbortSignal;
}

/** How long the first list of pods waits for the Services, without which no ports are known that only they name. */
const SERVICES_WAIT_MS = 3000;

/** Annotated Services that are logged in one term. */
const MAX_LOGGED = 1000;

/** Returns what asks pods, which does nothing before `start` and `run`. */
export function createLiveAsking(options: LiveAskingOptions, ask: AskOptions): LiveAsking {
  const { kube, metrics, failureLog, log, signal, namespaces } = options;
  const { clock = SYSTEM_CLOCK, random = Math.random, refusing = refusedAddresses } = ask;
  const changedServices = createChangedServices({
    ...options,
    podsOf: (namespace) => namespaces().get(namespace)?.pods,
    onFailure: (failure) => metrics.failed('list pods', failure),
    now: clock.now,
  });
  const services = createServices({
    ...options,
    onChange: (namespace, labelSelector) => changedServices.changed(namespace, labelSelector),
  });
  const { memory } = ask;
  const asking = createAsking({ memory, settings: ask, services, now: clock.now, random, onSeed, onServiceAnnotated });
  const asker = createAskWorker({
    ...options,
    ...ask,
    memory,
    clock,
    random,
    namespace: askedPods,
    refuses,
    onRequest,
    onAnswer,
    onRead(failure) {
      if (failure === undefined) return failureLog.resolve(ASK_SUBJECT);
      metrics.failed('get pods', failure);
      return failureLog.report(ASK_SUBJECT, failure);
    },
    onTick,
    randomName,
  });
  let servicesRun = Promise.resolve();
  let areServicesLate = false;
  const annotatedServices = new Set<string>();
  let isRefused: ((address: string) => boolean) | undefined;
  let refusedNodes = 0;

  function askedPods(name: string): AskedPods | undefined {
    const namespace = namespaces().get(name);
    if (namespace?.asking === undefined) return undefined;
    const { asking, pods } = namespace;
    return {
      noteOf: (object) => asking.noteOf(object),
      planAgain: (object) => pods.planAgain(object),
      isCurrent: () => namespaces().get(name) === namespace,
    };
  }

  /** A cluster may have thousands of nodes: their addresses are read again only after a new one came. */
  function refuses(): (address: string) => boolean {
    const nodes = asking.nodeAddresses();
    if (isRefused === undefined || nodes.length !== refusedNodes) {
      refusedNodes = nodes.length;
      isRefused = refusing([...nodes, hostOf(kube.server)]);
    }
    const known = isRefused;
    return (address) => known(address) || services.isServiceAddress(address);
  }

  /** Logs once for each Service that its pods are not asked. */
  function onServiceAnnotated(namespace: string, service: string): void {
    const name = `${namespace}/${service}`;
    if (annotatedServices.has(name) || annotatedServices.size === MAX_LOGGED) return;
    annotatedServices.add(name);
    log.info(
      { namespace, service, ...SERVICE_ADVICE },
      'pods not asked, their Service is annotated with prometheus.io/scrape: "true"',
    );
  }

  /** A pod that is being stored has the answer: the others follow when it is stored. */
  function onSeed(workload: Workload): void {
    queueMicrotask(() => onAnswer(workload));
  }

  /** Logs and counts a request. */
  function onRequest({ namespace, pod, port, path, verdict, isOld }: SentRequest): void {
    const { key, ...details } = verdict;
    if (key === 'never_list') return log.info({ namespace, pod }, 'pod not asked, its address is not a pod address');
    metrics.asked(key);
    const remedy = classOf(verdict) === 'unscrapable' ? { remedy: VERDICTS[key].remedy } : {};
    log.info({ namespace, pod, port, path, verdict: key, ...details, known: isOld, ...remedy }, 'pod asked');
  }

  function onAnswer(workload: Workload): void {
    const { namespace, pods: names, result } = workload;
    const tracked = namespaces().get(namespace);
    if (tracked?.asking === undefined) return;
    for (const name of names.keys()) {
      if (tracked.asking.takeTrusted(name)) memory.leave(workload, name);
    }
    const state = STATES[result];
    if (state !== undefined) tracked.pods.settle(names.keys(), state);
    settleOverdue(namespace);
  }

  /** Pods whose rule need not wait for an answer any more are planned again when they are reconciled. */
  function settleOverdue(namespace: string): void {
    namespaces().get(namespace)?.pods.settle(asking.overdue(namespace), 'annotate');
  }

  function onTick(): void {
    for (const namespace of asking.waiting()) settleOverdue(namespace);
    if (asking.sweepNodes()) isRefused = undefined;
    void changedServices.planPods();
    if (!areServicesLate || !services.isListed()) return;
    areServicesLate = false;
    namespaces().reload(ask.wasAsked);
  }

  return {
    asking,
    async start() {
      // Pods that waited in the term before are listed again.
      for (const namespace of memory.namespaces().keys()) memory.forgetPods(namespace);
      servicesRun = services.run();
      const until = clock.now() + SERVICES_WAIT_MS;
      while (!services.isListed() && clock.now() < until && !signal.aborted) {
        await new Promise<void>((resolve) => clock.after(50, resolve));
      }
      areServicesLate = !services.isListed();
    },
    async run() {
      await Promise.all([asker.run(), servicesRun]);
    },
  };
}

/** Logged once for each Service. */
const SERVICE_ADVICE = {
  remedy: 'nothing where your Prometheus reads Services; otherwise set --ask-annotated-services=ask',
};

/** What an answer means for the pods that waited for it. Where there was none, they may be asked later. */
const STATES = {
  waiting: undefined,
  metrics: 'annotate',
  unscrapable: 'asked_unscrapable',
  no_metrics: 'asked_no_metrics',
  not_answered: 'could_not_ask',
} as const;

import { MAX_REQUESTS } from '../ask/limits.ts';
import { randomName } from '../ask/random-name.ts';
import { hostOf, refusedAddresses } from '../ask/refused-address.ts';
import type { Place } from '../core/ask/redirect.ts';
import type { Verdict } from '../core/ask/verdict.ts';
import type { Result } from '../core/result.ts';
import type { Rules } from '../core/rules/rule.ts';
import type { SelectorText } from '../core/rules/selector-text.ts';
import { podsPath } from '../kube/api-paths.ts';
import type { Failure, Kube } from '../kube/client.ts';
import { SYSTEM_CLOCK } from '../kube/clock.ts';
import type { Clock } from '../kube/clock.ts';
import { listAll } from '../kube/list-pages.ts';
import { retry } from '../kube/retry.ts';
import { createAskMemory } from './remembered-answers.ts';
import type { Workload } from './remembered-answers.ts';
import type { AskSettings } from './ask-plan.ts';
import { createAskWorker } from './ask-worker.ts';
import { createAsking } from './asking.ts';
import type { NamespaceAsking } from './asking.ts';
import type { Namespace } from './namespace.ts';
import { annotatePlanner } from './plan-annotate.ts';
import { listServices } from './services.ts';

/** A request that would be sent to a pod, or was sent. */
export interface PodRequest extends Place {
  readonly namespace: string;
  readonly pod: string;
  readonly path: string;
  /** What it has shown; undefined where it was not sent. */
  readonly verdict?: Verdict;
}

/** Asks one pod of each workload, once. */
export interface AskOnce {
  /** Returns what the planner of a namespace needs to know. */
  inNamespace(namespace: Namespace): NamespaceAsking;
  /**
   * Lists the pods and returns the requests that `ask` sends at most, in no order that it keeps: an
   * answer can settle the port, and then some are left out. Those that an answer leads to (a
   * redirect, a control, a suggested path) are not known yet.
   */
  prepare(): Promise<readonly PodRequest[]>;
  /** Sends the requests; resolves with those that were sent when all are answered. */
  ask(): Promise<readonly PodRequest[]>;
  /** What failed: one sentence each. */
  readonly problems: readonly string[];
}

export interface AskOnceOptions {
  readonly kube: Kube;
  readonly rules: Rules;
  readonly namespaces: readonly Namespace[];
  readonly settings: AskSettings;
  /** Which pods are asked; all of them where it is undefined. */
  readonly podSelector?: SelectorText | undefined;
  /** autoscrape's version, as the pods see it. */
  readonly version: string;
  /** Called after each workload that was asked. */
  readonly onProgress: (done: number, of: number) => void;
  readonly clock?: Clock;
  readonly random?: () => number;
  /** Requests to pods in a second. */
  readonly perSecond?: number;
  /** Returns what says whether an address must not be asked, given those of this cluster. */
  readonly refusing?: typeof refusedAddresses;
  /** Ends the requests at once. */
  readonly signal: AbortSignal;
}

/**
 * Returns what asks, after it has listed the cluster's Services, or why they could not be listed.
 * Nothing is sent to a pod before `ask`.
 */
export async function createAskOnce(options: AskOnceOptions): Promise<Result<AskOnce, Failure>> {
  const { kube, rules, namespaces, settings, podSelector, version, signal, onProgress } = options;
  const { clock = SYSTEM_CLOCK, random = Math.random, refusing = refusedAddresses } = options;
  const listed = await retry(() => listServices(kube, signal), signal);
  if (!listed.ok) return listed;
  const services = listed.value;
  const problems: string[] = [];
  const memory = createAskMemory({
    now: clock.now,
    onFull: (namespace) => problems.push(`namespace ${namespace}: has more workloads than are asked in one run`),
  });
  const asking = createAsking({
    memory,
    settings,
    services,
    now: clock.now,
    random: () => 0, // nobody waits for pods that would be asked later
    onSeed: () => undefined,
    onServiceAnnotated: () => undefined,
    isOnce: true,
  });
  const planned = new Map<Workload, readonly PodRequest[]>();
  const askings = new Map(namespaces.map((namespace) => [namespace.name, inNamespace(namespace)]));

  function inNamespace({ name, mesh, askLabel }: Namespace): NamespaceAsking {
    return asking.inNamespace({ name, rules, mesh, askLabel, isOld: () => false });
  }

  function refuses(): (address: string) => boolean {
    const isRefused = refusing([...asking.nodeAddresses(), hostOf(kube.server)]);
    return (address) => isRefused(address) || services.isServiceAddress(address);
  }

  /** Plans the pod, and lets it wait for its workload's answer where it is the first that is ready. */
  function prepareFor(pods: NamespaceAsking, mesh: boolean): (object: unknown) => void {
    const planner = annotatePlanner(rules, mesh, pods, podSelector);
    return (object) => {
      pods.seen(object);
      const plan = planner(object);
      if (plan === undefined) return;
      const workload = pods.planned(object, plan, undefined, true);
      if (workload === undefined || plan.asking === undefined) return;
      const { namespace, name } = plan;
      const { plan: toAsk, from = Infinity } = plan.asking;
      if (planned.has(workload) || from > clock.now()) return memory.leave(workload, name);
      const requests = toAsk.ports.flatMap(({ port, paths }) =>
        paths.map((path) => ({ namespace, pod: name, address: toAsk.address, port, path })),
      );
      planned.set(workload, requests.slice(0, MAX_REQUESTS));
    };
  }

  return {
    ok: true,
    value: {
      problems,
      inNamespace: (namespace) => askings.get(namespace.name) ?? inNamespace(namespace),
      async prepare() {
        for (const { name, mesh } of namespaces) {
          const pods = askings.get(name);
          if (pods === undefined) continue;
          const list = () => listAll(kube, { path: podsPath(name) }, prepareFor(pods, mesh), signal);
          const listed = await retry(list, signal);
          if (!listed.ok) problems.push(`namespace ${name}: its pods could not be listed: ${listed.error.message}`);
        }
        const isRefused = refuses();
        return [...planned]
          .filter(([{ endpoint }]) => endpoint === undefined)
          .flatMap(([, requests]) => requests)
          .filter(({ address }) => !isRefused(address));
      },
      async ask() {
        const sent: PodRequest[] = [];
        let done = 0;
        const of = [...planned.keys()].filter(({ endpoint }) => endpoint === undefined).length;
        const asker = createAskWorker({
          kube,
          memory,
          namespace(name) {
            const pods = askings.get(name);
            return (
              pods && { noteOf: (object) => pods.noteOf(object), planAgain: () => undefined, isCurrent: () => true }
            );
          },
          refuses,
          onRequest({ namespace, pod, address, port, path, verdict }) {
            if (verdict.key !== 'never_list') sent.push({ namespace, pod, address, port, path, verdict });
          },
          onAnswer() {
            done += 1;
            onProgress(done, of);
          },
          onRead(failure) {
            if (failure !== undefined) problems.push(`a pod to ask could not be read: ${failure.message}`);
          },
          version,
          clock,
          random,
          randomName,
          ...(options.perSecond !== undefined && { perSecond: options.perSecond }),
          signal,
        });
        await asker.runOnce();
        if (signal.aborted) problems.push('stopped before all workloads were asked');
        return sent;
      },
    },
  };
}

import { objectIn, objectsIn, text, textEntries } from '../core/json.ts';
import type { PodRefusal } from '../core/ask/askable-ports.ts';
import { askableFrom } from '../core/ask/ready-to-ask.ts';
import { decide } from '../core/decide.ts';
import type { Decision } from '../core/decision.ts';
import type { Rules } from '../core/rules/rule.ts';
import type { AskMemory, Workload } from './remembered-answers.ts';
import type { AskNote } from './ask-note.ts';
import { planAsk } from './ask-plan.ts';
import type { AskPlan, AskSettings, AskSurroundings } from './ask-plan.ts';
import { decideAsked, isLeftToAsking, planAnnotated } from './decide-asked.ts';
import type { Annotated, AskedDecision } from './decide-asked.ts';
import { readEnd } from './plan.ts';
import type { PodPlan } from './plan.ts';
import type { KnownServices } from './services.ts';

/** What the planners of all namespaces share about asking. */
export interface Asking {
  readonly memory: AskMemory;
  /** Returns what asks the pods of one namespace, whose labels and rules are these. */
  inNamespace(namespace: AskedNamespace): NamespaceAsking;
  /** Returns the addresses of all nodes on which pods were seen lately. */
  nodeAddresses(): readonly string[];
  /** Returns the names of the namespace's pods whose rule may decide without an answer now. */
  overdue(namespace: string): readonly string[];
  /** Returns the namespaces that have pods whose rule waits for an answer. */
  waiting(): readonly string[];
  /** Removes addresses of nodes on which no pod was seen lately. Returns whether there were any. */
  sweepNodes(): boolean;
  /** Removes all that is known of a namespace that is not tracked any more. */
  forget(namespace: string): void;
}

/** A namespace whose pods are asked. */
export interface AskedNamespace {
  readonly name: string;
  readonly rules: Rules;
  readonly mesh: boolean;
  /** The value of its label autoscrape.io/ask. */
  readonly askLabel: string | undefined;
  /** Returns whether a pod that is new now was there before this leader. */
  readonly isOld: () => boolean;
}

/** The pods of one namespace, as far as asking is concerned. */
export interface NamespaceAsking {
  /** Notes the pod's node. Called for each pod of a list or a watch, changed or not. */
  seen(object: unknown): void;
  /** Returns what to do with a pod that is left to asking. */
  decide(object: unknown, name: string, decision: Decision): AskedDecision & { readonly note?: AskNote };
  /** Returns what there is to ask of the pod as it is now; undefined where there is nothing. */
  noteOf(object: unknown): AskNote | undefined;
  /**
   * Stores the plan of a pod that is new or has changed. Returns the workload whose answer it waits
   * for, if any; `before` is the one that it waited for until now.
   */
  planned(object: unknown, plan: PodPlan, before: Workload | undefined, isNew: boolean): Workload | undefined;
  /** The pod is gone. */
  removed(name: string, workload: Workload | undefined): void;
  /** The pods are listed again from the start. */
  forgetPods(): void;
  /** Removes a pod that was annotated on trust and has been asked since. Returns whether it was. */
  takeTrusted(name: string): boolean;
}

export interface AskingOptions {
  readonly memory: AskMemory;
  readonly settings: AskSettings;
  readonly services: Pick<KnownServices, 'inNamespace' | 'isListed'>;
  /** Returns the Unix time in milliseconds. */
  readonly now: () => number;
  /** Returns a number from 0 to 1, 1 excluded. */
  readonly random: () => number;
  /** A workload has an answer from a pod that is annotated already, and others wait for it. */
  readonly onSeed: (workload: Workload) => void;
  /** Pods are left alone because this Service has `prometheus.io/scrape: "true"`. Called for each. */
  readonly onServiceAnnotated: (namespace: string, service: string) => void;
  /** Whether a pod's age counts as the time that its rule has waited: this is the only run. */
  readonly isOnce?: boolean;
}

/** A pod is not asked within this time after it has become ready: a server is busy at its start. */
const JITTER_MS = 30_000;

/** How long a rule that only hints waits for an answer, before it decides by itself. */
const WAIT_MS = 10 * 60_000;

/**
 * How long the address of a node is known after the last list that had a pod there: addresses of
 * nodes are used again, by other nodes or, where both have the same network, by pods. Pods are
 * listed at least every half hour.
 */
const NODE_MS = 2 * 60 * 60_000;

interface State {
  /** Pods whose rule waits for an answer, with the Unix time in milliseconds since when. */
  readonly waiting: Map<string, number>;
  /** Pods that are annotated because their owner's other pods had metrics, and not asked yet. */
  readonly trusted: Set<string>;
}

/** Returns what is shared about asking, in which nothing is known yet. */
export function createAsking({
  memory,
  settings,
  services,
  now,
  random,
  onSeed,
  onServiceAnnotated,
  isOnce = false,
}: AskingOptions): Asking {
  const states = new Map<string, State>();
  /** The addresses of nodes, with the Unix time in milliseconds of the last pod there. */
  const nodes = new Map<string, number>();

  function stateOf(namespace: string): State {
    const known = states.get(namespace) ?? { waiting: new Map(), trusted: new Set() };
    states.set(namespace, known);
    return known;
  }

  /** While the Services are unknown, so are the ports that they name, and nothing is asked. */
  function from(object: unknown, jitterMs: number): number | undefined {
    return services.isListed() ? askableFrom(object, jitterMs) : undefined;
  }

  function note(object: unknown, plan: AskPlan, annotated: Annotated | undefined, jitterMs = 0): AskNote {
    const at = from(object, jitterMs);
    return { plan, from: at, key: at === undefined ? undefined : plan.key(), annotated, onTrust: false };
  }

  function inNamespace({ name: namespace, rules, mesh, askLabel, isOld }: AskedNamespace): NamespaceAsking {
    const { waiting, trusted } = stateOf(namespace);
    const surroundings = (object: unknown): AskSurroundings & { mesh: boolean } => {
      const labels = new Map(textEntries(objectIn(object, 'metadata').labels));
      return { rules, settings, askLabel, services: services.inNamespace(namespace, labels), mesh };
    };
    const decideFor = (object: unknown): Decision => decide(object, rules, { mesh });

    function annotatedNote(object: unknown): AskNote | undefined {
      const found = planAnnotated(object, decideFor, surroundings(object));
      if (found === undefined || found.annotated === undefined) return undefined;
      return note(object, found.plan, found.annotated);
    }

    function join(name: string, { key, from }: AskNote): Workload | undefined {
      if (key === undefined || from === undefined) return undefined;
      return memory.join({ namespace, key, name, from, isOld: isOld() });
    }

    function workloadOf(object: unknown, plan: PodPlan, isNew: boolean): Workload | undefined {
      const { name, asking } = plan;
      if (plan.action === 'skip' && plan.reason === 'already_injected') {
        waiting.delete(name);
        if (!isNew && !trusted.has(name)) return undefined;
        const annotated = annotatedNote(object);
        if (annotated === undefined) return undefined;
        if (trusted.has(name)) return join(name, annotated);
        if (annotated.annotated !== undefined) {
          const { key, plan } = annotated;
          const { isAnswered, ...endpoint } = annotated.annotated;
          const seeded = memory.seed({ namespace, key, owner: plan.owner, isAnswered }, endpoint);
          if (seeded !== undefined) onSeed(seeded);
        }
        return undefined;
      }
      if (asking === undefined || plan.action !== 'skip') {
        waiting.delete(name);
        if (asking?.onTrust === true) trusted.add(name);
        return undefined;
      }
      if (asking.plan.confirms !== undefined && isWaiting(plan.reason)) {
        if (!waiting.has(name)) waiting.set(name, now());
      } else waiting.delete(name);
      return join(name, asking);
    }

    function hasWaited(object: unknown, name: string, { key }: AskNote): boolean {
      const since = isOnce ? Date.parse(text(objectIn(object, 'metadata').creationTimestamp)) : waiting.get(name);
      if (since === undefined || !(now() - since >= WAIT_MS)) return false;
      return !isOnce || key === undefined || (memory.find(namespace, key)?.answeredAt ?? 0) > 0;
    }

    return {
      decide(object, name, decision) {
        const around = surroundings(object);
        const plan = planAsk(object, decision, around);
        const byRule: AskedDecision =
          decision.outcome === 'annotate'
            ? { outcome: 'annotate', decision, onTrust: false }
            : { outcome: 'skip', reason: decision.reason };
        if ('left' in plan) {
          if (decision.outcome === 'annotate') return byRule;
          if (plan.left === 'service_annotated') {
            onServiceAnnotated(namespace, plan.service);
            return { outcome: 'skip', reason: 'service_annotated', detail: `Service ${plan.service}` };
          }
          return plan.left === 'refused'
            ? { outcome: 'skip', reason: 'could_not_ask', detail: REFUSALS[plan.why] }
            : byRule;
        }
        if (decision.outcome === 'annotate' && plan.confirms === undefined) return byRule;
        const asked = note(object, plan, undefined, random() * JITTER_MS);
        const answers = { memory, key: asked.key, hasWaited: hasWaited(object, name, asked) };
        const decided = decideAsked(object, decision, plan, namespace, answers, around);
        const onTrust = decided.outcome === 'annotate' && decided.onTrust;
        return { ...decided, note: { ...asked, onTrust } };
      },
      noteOf(object) {
        if (readEnd(object) !== undefined) return undefined;
        const decision = decideFor(object);
        if (decision.outcome === 'skip' && decision.reason === 'already_injected') return annotatedNote(object);
        if (!isLeftToAsking(decision)) return undefined;
        const plan = planAsk(object, decision, surroundings(object));
        return 'left' in plan ? undefined : note(object, plan, undefined);
      },
      seen(object) {
        const status = objectIn(object, 'status');
        for (const address of [status.hostIP, ...objectsIn(status, 'hostIPs').map(({ ip }) => ip)].map(text)) {
          if (address !== '') nodes.set(address, now());
        }
      },
      planned(object, plan, before, isNew) {
        const workload = workloadOf(object, plan, isNew);
        if (before !== undefined && before !== workload) memory.leave(before, plan.name);
        return workload;
      },
      removed(name, workload) {
        waiting.delete(name);
        trusted.delete(name);
        if (workload !== undefined) memory.leave(workload, name);
      },
      forgetPods: () => memory.forgetPods(namespace),
      takeTrusted: (name) => trusted.delete(name),
    };
  }

  return {
    memory,
    inNamespace,
    nodeAddresses: () => [...nodes.keys()],
    sweepNodes() {
      const { size } = nodes;
      for (const [address, at] of nodes) if (now() - at >= NODE_MS) nodes.delete(address);
      return nodes.size < size;
    },
    overdue(namespace) {
      const isUnreachable = memory.isUnreachable(namespace);
      return [...(states.get(namespace)?.waiting ?? [])]
        .filter(([, since]) => isUnreachable || now() - since >= WAIT_MS)
        .map(([name]) => name);
    },
    waiting: () => [...states].flatMap(([namespace, { waiting }]) => (waiting.size === 0 ? [] : [namespace])),
    forget(namespace) {
      states.delete(namespace);
      memory.forget(namespace);
    },
  };
}

const REFUSALS: Readonly<Record<PodRefusal, string>> = {
  host_network: 'on the host network',
  host_process: 'a host process',
  host_address: "its address is its node's",
  scale_to_zero: 'a request would wake it',
};

function isWaiting(reason: string): boolean {
  return reason === 'to_be_asked' || reason === 'could_not_ask';
}

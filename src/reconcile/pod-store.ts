import type { SuspectKind } from '../core/suspect-annotations.ts';
import type { ListReceiver } from '../kube/list-watch.ts';
import type { Workload } from './remembered-answers.ts';
import type { NamespaceAsking } from './asking.ts';
import { readRef } from './plan.ts';
import type { AskReason, LivePodSkipReason, Planner, PodPlan } from './plan.ts';

/**
 * What is planned for a known pod. `refused`: to be annotated, but the API server refuses to change
 * this version.
 */
export type PodState = LivePodSkipReason | 'annotate' | 'refused';

/**
 * All that is kept of a pod, changed in place: a cluster may have 150,000. What to write is planned
 * again from a fresh read when the pod is reconciled. The UID is not kept: versions of all pods can
 * be compared (KEP-5504), so a higher one is newer, also where it is another pod with the same
 * name.
 */
interface PodRecord {
  version: string;
  state: PodState;
  /** How often it was attempted to change the pod. */
  attempts: number;
  /** Number of the list before or in which it was last seen. */
  list: number;
  /** The workload for whose answer it waits, if any. */
  workload: Workload | undefined;
}

/** A pod that is to be annotated because it is new or has changed. */
export interface PendingPod {
  readonly name: string;
  /** How often it was attempted to change this pod before. */
  readonly attempts: number;
  /** Whether the API server refused to change the version before. */
  readonly wasRefused: boolean;
}

/** The pods of one namespace, as last seen. */
export interface PodStore {
  /** Plans and stores a pod, unless the same version or a newer one is known. */
  upsert(object: unknown): void;
  /** Removes a pod that was deleted, but not a later one that has taken its name. */
  delete(object: unknown): void;
  /** Returns whether the pod is to be annotated now. */
  isPending(name: string): boolean;
  /** Returns the known version, or undefined where there is no such pod. */
  version(name: string): string | undefined;
  /** Removes the pod if that is still its version. */
  deleteVersion(name: string, version: string | undefined): void;
  /** Counts an attempt to change the pod, and returns how many there have been. */
  recordAttempt(name: string): number;
  /**
   * Records that the API server refuses to change this version: the pod is not pending until it
   * changes or is released.
   */
  refuse(name: string, version: string): void;
  /**
   * Returns whether the webhook missed the pod: it was created under our watch and had to be
   * annotated. Returns true once for a pod.
   */
  takeMissed(name: string): boolean;
  /**
   * Sets what an answer says about pods that are asked, and queues those that are to be annotated.
   */
  settle(names: Iterable<string>, state: AskReason | 'annotate'): void;
  /**
   * Plans a known pod again, also where its version is the same: what else the plan depends on has
   * changed. A pod that is not known is gone by now.
   */
  planAgain(object: unknown): void;
  /** Returns the number of refused pods. */
  refused(): number;
  /**
   * Makes refused pods pending again, all of them or the one that was refused longest ago; returns
   * their names.
   */
  release(which: 'one' | 'all'): string[];
  /**
   * Returns the receiver of a list that begins now. A list is the truth: at its end, pods that it
   * does not hold are removed. Its version of a pod that has not changed since it began is stored
   * even when it is lower than the known one, because a restored etcd counts its versions from the
   * start.
   */
  beginList(): ListReceiver;
  /** Adds the number of pods in each state to `counts`. */
  count(counts: Map<string, number>): void;
  /** Adds the number of pods whose own annotations are suspect to `counts`, by what is suspect. */
  countSuspects(counts: Map<SuspectKind, number>): void;
}

/**
 * Returns an empty store. It plans pods as they come, and calls `onPending` for each new or changed
 * one to annotate. `isWatched` returns whether a pod that is new now was created under our watch.
 * `asking` receives each pod's plan.
 */
export function createPodStore(
  planner: Planner,
  isWatched: () => boolean,
  onPending: (pod: PendingPod) => void,
  asking?: Pick<NamespaceAsking, 'seen' | 'planned' | 'removed'>,
): PodStore {
  const pods = new Map<string, PodRecord>();
  const refused = new Set<string>();
  /** Names of pods that the webhook missed and that are not annotated yet: few, so no field of each record. */
  const missed = new Set<string>();
  /** What is suspect in the annotations that pods have of their own: few, too. */
  const suspects = new Map<string, readonly SuspectKind[]>();
  let lists = 0;

  function upsert(object: unknown, isListed: boolean, isAgain = false): void {
    const ref = readRef(object);
    if (ref === undefined) return;
    asking?.seen(object);
    const { name, resourceVersion } = ref;
    const known = pods.get(name);
    if (known === undefined && isAgain) return;
    if (known !== undefined) {
      const isOutdated = isListed && known.list < lists;
      if (isListed) known.list = lists;
      const replaces = isOutdated ? resourceVersion !== known.version : isNewer(resourceVersion, known.version);
      const isSame = resourceVersion === known.version;
      // A Service that has come or gone changes what is asked, and not the pod.
      if (!replaces && !(isSame && (isAgain || (isListed && asking !== undefined && dependsOnServices(known.state)))))
        return;
    }
    const plan = planner(object);
    if (plan === undefined) return;
    const attempts = known?.attempts ?? 0;
    const wasRefused = known?.state === 'refused';
    const state = stateOf(plan);
    const workload = asking?.planned(object, plan, known?.workload, known === undefined);
    if (plan.action === 'skip' && plan.suspects !== undefined) suspects.set(name, plan.suspects);
    else suspects.delete(name);
    if (known === undefined) {
      pods.set(name, { version: resourceVersion, state, attempts, list: lists, workload });
      if (plan.action !== 'skip' && plan.isLeftToAsking !== true && isWatched()) missed.add(name);
    } else {
      refused.delete(name);
      known.version = resourceVersion;
      known.state = state;
      known.list = lists;
      known.workload = workload;
    }
    if (state === 'annotate') onPending({ name, attempts, wasRefused });
  }

  function remove(name: string): void {
    asking?.removed(name, pods.get(name)?.workload);
    pods.delete(name);
    refused.delete(name);
    missed.delete(name);
    suspects.delete(name);
  }

  return {
    upsert: (object) => upsert(object, false),
    delete(object) {
      const ref = readRef(object);
      const known = ref === undefined ? undefined : pods.get(ref.name);
      // A deletion has a version of its own, which is newer than all of the pod's.
      if (ref !== undefined && known !== undefined && !isNewer(known.version, ref.resourceVersion)) remove(ref.name);
    },
    isPending: (name) => pods.get(name)?.state === 'annotate',
    version: (name) => pods.get(name)?.version,
    deleteVersion(name, version) {
      if (pods.get(name)?.version === version) remove(name);
    },
    recordAttempt(name) {
      const known = pods.get(name);
      if (known === undefined) return 0;
      known.attempts += 1;
      return known.attempts;
    },
    refuse(name, version) {
      const known = pods.get(name);
      if (known === undefined || isNewer(known.version, version)) return;
      known.version = version;
      known.state = 'refused';
      refused.delete(name);
      refused.add(name);
    },
    takeMissed: (name) => missed.delete(name),
    settle(names, state) {
      for (const name of names) {
        const known = pods.get(name);
        if (known === undefined || !isAsked(known.state)) continue;
        known.state = state;
        if (state === 'annotate') onPending({ name, attempts: known.attempts, wasRefused: false });
      }
    },
    planAgain: (object) => upsert(object, false, true),
    refused: () => refused.size,
    release(which) {
      const names = which === 'one' ? [...refused].slice(0, 1) : [...refused];
      for (const name of names) {
        refused.delete(name);
        const known = pods.get(name);
        if (known !== undefined) known.state = 'annotate';
      }
      return names;
    },
    beginList() {
      lists += 1;
      return {
        add: (object) => upsert(object, true),
        finish() {
          for (const [name, { list }] of pods) if (list < lists) remove(name);
        },
      };
    },
    count(counts) {
      for (const { state } of pods.values()) counts.set(state, (counts.get(state) ?? 0) + 1);
    },
    countSuspects(counts) {
      for (const kinds of suspects.values()) for (const kind of kinds) counts.set(kind, (counts.get(kind) ?? 0) + 1);
    },
  };
}

function stateOf(plan: PodPlan): PodState {
  return plan.action === 'skip' ? plan.reason : 'annotate';
}

/** States of pods that are asked, or would be. */
const ASKED: readonly PodState[] = [
  'to_be_asked',
  'asked_no_metrics',
  'asked_unscrapable',
  'could_not_ask',
] satisfies readonly AskReason[];

function isAsked(state: PodState): boolean {
  return ASKED.includes(state);
}

function dependsOnServices(state: PodState): boolean {
  return state === 'no_candidate' || state === 'service_annotated' || isAsked(state);
}

/**
 * Returns whether a version is newer than another: resourceVersions are decimal numbers that may be
 * compared (KEP-5504). The response to our own patch is newer than events that were sent before it.
 */
function isNewer(version: string, than: string): boolean {
  return version.length === than.length ? version > than : version.length > than.length;
}

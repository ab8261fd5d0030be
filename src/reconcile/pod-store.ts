import { readRef } from './plan.ts';
import type { LeaveReason, PodPlan, Planner } from './plan.ts';

/** What is to be done with a known pod. `refused`: to be annotated, but the API server refuses this version. */
export type Todo = LeaveReason | 'annotate' | 'refused';

/**
 * All that is kept of a pod, and changed in place: a cluster may have 150,000. What to write is planned again from a fresh read when
 * the pod's turn has come. The UID is not kept: versions of all pods can be compared (KEP-5504), so what comes later is newer,
 * also where it is another pod with the same name.
 */
interface PodRecord {
  version: string;
  todo: Todo;
  /** How often it was tried to change the pod. */
  tries: number;
  /** Number of the list before or in which it was last seen. */
  list: number;
}

/** A pod that is to be annotated, as it was seen because it is new or has changed. */
export interface Waiting {
  readonly name: string;
  /** How often changing this pod was tried before. */
  readonly tries: number;
  /** Whether there was no pod of that name before. */
  readonly isNew: boolean;
  /** Whether the API server refused to have the version before it changed. */
  readonly wasRefused: boolean;
}

/** The pods of one namespace, as last seen. */
export interface PodStore {
  /** Takes a pod as it was seen, unless the very same or something newer is known already. */
  upsert(object: unknown): void;
  /** Forgets a pod that was deleted, but not a later one that has taken its name. */
  delete(object: unknown): void;
  /** Returns whether the pod is to be annotated now. */
  isWaiting(name: string): boolean;
  /** The version that is known, or undefined where there is no such pod. */
  version(name: string): string | undefined;
  /** Forgets the pod if that is still its version. */
  deleteVersion(name: string, version: string | undefined): void;
  /** Counts a try and returns how many there have been. */
  countTry(name: string): number;
  /** The API server refuses to change this version: it is not tried again until it changes or `release` says so. */
  refuse(name: string, version: string): void;
  /** Number of refused pods. */
  refused(): number;
  /** Has refused pods tried again, the one that was refused longest ago or all of them; returns their names. */
  release(which: 'one' | 'all'): string[];
  /**
   * Takes a whole list that begins now. It is the truth: pods that it does not hold are forgotten at its end, and what it says of
   * those that have not changed since it began is taken, however old it seems: a restored etcd counts its versions from the start.
   */
  list(): { object(object: unknown): void; done(): void };
  /** Adds to the number of pods of each kind. */
  count(into: Map<string, number>): void;
}

/** Returns an empty store of a namespace's pods, planned as they come; `onWaiting` is called for each new or changed one to annotate. */
export function createPodStore(planner: Planner, onWaiting: (waiting: Waiting) => void): PodStore {
  const pods = new Map<string, PodRecord>();
  const refused = new Set<string>();
  let lists = 0;

  function upsert(object: unknown, isListed: boolean): void {
    const ref = readRef(object);
    if (ref === undefined) return;
    const { name, resourceVersion } = ref;
    const known = pods.get(name);
    if (known !== undefined) {
      const isOutdated = isListed && known.list < lists;
      if (isListed) known.list = lists;
      const replaces = isOutdated ? resourceVersion !== known.version : isNewer(resourceVersion, known.version);
      if (!replaces) return;
    }
    const plan = planner(object);
    if (plan === undefined) return;
    const tries = known?.tries ?? 0;
    const wasRefused = known?.todo === 'refused';
    const todo = todoOf(plan);
    if (known === undefined) {
      pods.set(name, { version: resourceVersion, todo, tries, list: lists });
    } else {
      refused.delete(name);
      known.version = resourceVersion;
      known.todo = todo;
      known.list = lists;
    }
    if (todo === 'annotate') onWaiting({ name, tries, isNew: known === undefined, wasRefused });
  }

  function forget(name: string): void {
    pods.delete(name);
    refused.delete(name);
  }

  return {
    upsert: (object) => upsert(object, false),
    delete(object) {
      const ref = readRef(object);
      const known = ref === undefined ? undefined : pods.get(ref.name);
      // A deletion has a version of its own, which is newer than all of the pod's.
      if (ref !== undefined && known !== undefined && !isNewer(known.version, ref.resourceVersion)) forget(ref.name);
    },
    isWaiting: (name) => pods.get(name)?.todo === 'annotate',
    version: (name) => pods.get(name)?.version,
    deleteVersion(name, version) {
      if (pods.get(name)?.version === version) forget(name);
    },
    countTry(name) {
      const known = pods.get(name);
      if (known === undefined) return 0;
      known.tries += 1;
      return known.tries;
    },
    refuse(name, version) {
      const known = pods.get(name);
      if (known === undefined || isNewer(known.version, version)) return;
      known.version = version;
      known.todo = 'refused';
      refused.delete(name);
      refused.add(name);
    },
    refused: () => refused.size,
    release(which) {
      const names = which === 'one' ? [...refused].slice(0, 1) : [...refused];
      for (const name of names) {
        refused.delete(name);
        const known = pods.get(name);
        if (known !== undefined) known.todo = 'annotate';
      }
      return names;
    },
    list() {
      lists += 1;
      return {
        object: (object) => upsert(object, true),
        done() {
          for (const [name, { list }] of pods) if (list < lists) forget(name);
        },
      };
    },
    count(into) {
      for (const { todo } of pods.values()) into.set(todo, (into.get(todo) ?? 0) + 1);
    },
  };
}

function todoOf(plan: PodPlan): Todo {
  return plan.action === 'leave' ? plan.reason : 'annotate';
}

/**
 * Whether a version comes after another: resourceVersions are decimal numbers that may be compared (KEP-5504). The answer to
 * our own patch is newer than events that were on their way before it.
 */
function isNewer(version: string, than: string): boolean {
  return version.length === than.length ? version > than : version.length > than.length;
}

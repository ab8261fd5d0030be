import type { ChangePlan } from './apply.ts';
import { readRef } from './plan.ts';
import type { LeaveReason, PodPlan, Planner } from './plan.ts';

/** What is kept of a pod: 5,000 whole ones would be 100 MB. A patch is kept only as long as it is to be sent. */
interface Kept {
  readonly uid: string;
  readonly resourceVersion: string;
  readonly plan: LeaveReason | ChangePlan;
  readonly tries: number;
}

/** A pod that was looked at, because it is new or has changed. */
export interface Seen {
  readonly plan: PodPlan;
  /** Whether this pod, by its UID, had never been seen before. */
  readonly isNew: boolean;
}

/** A change that a pod waits for, and how often changing this pod was tried before. */
export interface Waiting {
  readonly change: ChangePlan;
  readonly tries: number;
}

/** The pods of one namespace, as last seen. */
export interface Pods {
  /** Takes a pod as it was seen, unless the very same or something newer is known already. */
  see(object: unknown): void;
  /** Forgets a pod, but not another one that has taken its name. */
  forget(object: unknown): void;
  forgetName(name: string): void;
  waiting(name: string): Waiting | undefined;
  /** Counts a try. */
  tried(name: string): void;
  /**
   * Takes a whole list that begins now. It is the truth: pods that it does not hold are forgotten at its end, and what it says of
   * those that were known at its beginning is taken, however old it seems: a restored etcd counts its versions anew.
   */
  list(): { object(object: unknown): void; done(): void };
  /** Adds to the number of pods of each plan. */
  count(into: Map<string, number>): void;
}

/** The pods of a namespace, none at first, planned as they come; `onSeen` is told of each that is new or has changed. */
export function createPods(planner: Planner, onSeen: (seen: Seen) => void): Pods {
  const pods = new Map<string, Kept>();

  function see(object: unknown, outdated?: string): void {
    const ref = readRef(object);
    if (ref === undefined) return;
    const { name, uid, resourceVersion } = ref;
    const found = pods.get(name);
    const known = found?.uid === uid ? found : undefined;
    if (known !== undefined && !replaces(resourceVersion, known.resourceVersion, outdated)) return;
    const plan = planner(object);
    if (plan === undefined) return;
    const kept = plan.action === 'leave' ? plan.reason : plan;
    pods.set(name, { uid, resourceVersion, plan: kept, tries: known?.tries ?? 0 });
    onSeen({ plan, isNew: known === undefined });
  }

  return {
    see: (object) => see(object),
    forget(object) {
      const ref = readRef(object);
      if (ref !== undefined && pods.get(ref.name)?.uid === ref.uid) pods.delete(ref.name);
    },
    forgetName(name) {
      pods.delete(name);
    },
    waiting(name) {
      const kept = pods.get(name);
      return kept === undefined || typeof kept.plan === 'string' ? undefined : { change: kept.plan, tries: kept.tries };
    },
    tried(name) {
      const kept = pods.get(name);
      if (kept !== undefined) pods.set(name, { ...kept, tries: kept.tries + 1 });
    },
    list() {
      const before = new Map([...pods].map(([name, { resourceVersion }]) => [name, resourceVersion]));
      return {
        object(object) {
          const ref = readRef(object);
          if (ref === undefined) return;
          see(object, before.get(ref.name));
          before.delete(ref.name);
        },
        done() {
          for (const name of before.keys()) pods.delete(name);
        },
      };
    },
    count(into) {
      for (const { plan } of pods.values()) {
        const key = typeof plan === 'string' ? plan : plan.action;
        into.set(key, (into.get(key) ?? 0) + 1);
      }
    },
  };
}

/** Whether a version is to replace the known one: it is newer, or of a list that began when the known one was `outdated` already. */
function replaces(version: string, known: string, outdated: string | undefined): boolean {
  return known === outdated ? version !== known : isNewer(version, known);
}

/**
 * Whether a version comes after another: resourceVersions are decimal numbers that may be compared (KEP-5504). The answer to
 * our own patch is newer than events that were on their way before it.
 */
function isNewer(version: string, than: string): boolean {
  return version.length === than.length ? version > than : version.length > than.length;
}

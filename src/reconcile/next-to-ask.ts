import type { Workload } from './remembered-answers.ts';

/** A pod to ask, and the workload that it answers for. */
export interface NextToAsk {
  readonly workload: Workload;
  readonly pod: string;
}

/** What decides which pod is next. */
export interface AskTurn {
  readonly now: number;
  /** Workloads by namespace and key. */
  readonly namespaces: ReadonlyMap<string, ReadonlyMap<string, Workload>>;
  /** Namespaces in which a pod is being asked. */
  readonly busy: ReadonlySet<string>;
  /** Whether workloads that were there before this leader may be asked now. */
  readonly mayAskOld: boolean;
  /** Returns a number from 0 to 1, 1 excluded. */
  readonly random: () => number;
}

/**
 * Returns the next pod to ask, or undefined where none is due: any ready pod of any workload that
 * is due, in any namespace where no pod is being asked. The order is random, because scanners are known by asking in order. New
 * workloads come before old ones.
 */
export function nextToAsk({ now, namespaces, busy, mayAskOld, random }: AskTurn): NextToAsk | undefined {
  for (const isOld of mayAskOld ? [false, true] : [false]) {
    for (const [namespace, workloads] of shuffled(namespaces, random)) {
      if (busy.has(namespace)) continue;
      const due = [...workloads.values()].filter(
        ({ isOld: isOldOne, dueAt, readyFrom, pods }) =>
          isOldOne === isOld && dueAt <= now && readyFrom <= now && pods.size > 0,
      );
      for (const workload of shuffled(due, random)) {
        const pod = readyPod(workload, now, random);
        if (pod !== undefined) return { workload, pod };
      }
    }
  }
  return undefined;
}

/**
 * Returns a ready pod of the workload, and the one that was asked last only where it is alone.
 * Stores from when on there can be one.
 */
function readyPod(workload: Workload, now: number, random: () => number): string | undefined {
  const { pods, lastPod } = workload;
  let ready = 0;
  let chosen: string | undefined;
  let first = Infinity;
  for (const [name, seconds] of pods) {
    first = Math.min(first, seconds);
    if (seconds * 1000 > now || name === lastPod) continue;
    ready += 1;
    // Each of them with the same probability, without a copy of the list: reservoir sampling.
    if (random() * ready < 1) chosen = name;
  }
  workload.readyFrom = first * 1000;
  const last = lastPod === undefined ? undefined : pods.get(lastPod);
  return chosen ?? (last !== undefined && last * 1000 <= now ? lastPod : undefined);
}

/** Returns the items in random order: Fisher and Yates' shuffle. */
function shuffled<T>(items: Iterable<T>, random: () => number): T[] {
  const order = [...items];
  for (let end = order.length - 1; end > 0; end -= 1) {
    const index = Math.floor(random() * (end + 1));
    const [a, b] = [order[end], order[index]];
    if (a !== undefined && b !== undefined) [order[end], order[index]] = [b, a];
  }
  return order;
}

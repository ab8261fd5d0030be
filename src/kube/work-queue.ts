import { createWakeUp } from './wake-up.ts';

/** Something to do, by name. */
export interface WorkItem {
  /** Groups take turns. A group is a namespace, for example. */
  readonly group: string;
  readonly name: string;
  /** Whether it was attempted before. */
  readonly isRetry: boolean;
}

/**
 * A work queue for one worker. First attempts come before retries, and groups take turns within
 * both, so that neither failures nor a large group keep others waiting. An item that waits already
 * is not added a second time.
 */
export interface WorkQueue {
  add(item: WorkItem): void;
  /** Adds a retry after a delay in milliseconds. Until then `add` ignores the item. */
  addLater(group: string, name: string, delayMs: number): void;
  /** Takes the next item, or returns undefined when nothing can be taken now. */
  take(): WorkItem | undefined;
  /** Resolves when there is an item to take, or when the signal aborts. */
  wait(signal: AbortSignal): Promise<void>;
  /** Keeps a group's items back for so many milliseconds from now. */
  pause(group: string, milliseconds: number): void;
  /** Returns whether a first attempt waits, in a paused group too. */
  hasFirstAttempts(): boolean;
  /** Removes all items of a group, and its pause. */
  drop(group: string): void;
  clear(): void;
}

/**
 * The items of one group. The iterator is kept: a new one would step over all items that were taken
 * before.
 */
interface Items {
  readonly names: Set<string>;
  readonly order: SetIterator<string>;
}

/** Groups with items, in the order of their turns. */
type Rotation = Map<string, Items>;

/** Returns an empty work queue. */
export function createWorkQueue(): WorkQueue {
  const first: Rotation = new Map();
  const retries: Rotation = new Map();
  const delayed = new Map<string, Map<string, NodeJS.Timeout>>();
  const paused = new Map<string, NodeJS.Timeout>();
  const wakeUp = createWakeUp();

  function canTake(rotation: Rotation): boolean {
    return [...rotation.keys()].some((group) => !paused.has(group));
  }

  function takeFrom(rotation: Rotation, isRetry: boolean): WorkItem | undefined {
    for (const [group, items] of rotation) {
      if (paused.has(group)) continue;
      const { value: name } = items.order.next();
      rotation.delete(group);
      if (name === undefined) continue;
      items.names.delete(name);
      if (items.names.size > 0) rotation.set(group, items); // its next turn comes after those of all others
      return { group, name, isRetry };
    }
    return undefined;
  }

  function add({ group, name, isRetry }: WorkItem): void {
    if (delayed.get(group)?.has(name) === true) return;
    const other = isRetry ? first : retries;
    if (other.get(group)?.names.has(name) === true) return;
    const rotation = isRetry ? retries : first;
    let items = rotation.get(group);
    if (items === undefined) {
      const names = new Set<string>();
      items = { names, order: names.values() };
      rotation.set(group, items);
    }
    items.names.add(name);
    wakeUp.wake();
  }

  function drop(group: string): void {
    first.delete(group);
    retries.delete(group);
    for (const timer of delayed.get(group)?.values() ?? []) clearTimeout(timer);
    delayed.delete(group);
    clearTimeout(paused.get(group));
    paused.delete(group);
  }

  return {
    add,
    addLater(group, name, delayMs) {
      const timers = delayed.get(group) ?? new Map<string, NodeJS.Timeout>();
      if (timers.has(name)) return;
      delayed.set(group, timers);
      const timer = setTimeout(() => {
        timers.delete(name);
        add({ group, name, isRetry: true });
      }, delayMs);
      timers.set(name, timer);
    },
    take: () => takeFrom(first, false) ?? takeFrom(retries, true),
    async wait(signal) {
      while (!signal.aborted && !canTake(first) && !canTake(retries)) await wakeUp.wait(Infinity, signal);
    },
    pause(group, milliseconds) {
      clearTimeout(paused.get(group));
      const timer = setTimeout(() => {
        paused.delete(group);
        wakeUp.wake();
      }, milliseconds);
      paused.set(group, timer);
    },
    hasFirstAttempts: () => first.size > 0,
    drop,
    clear() {
      for (const group of [...first.keys(), ...retries.keys(), ...delayed.keys(), ...paused.keys()]) drop(group);
    },
  };
}

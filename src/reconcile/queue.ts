import { createBell } from './bell.ts';

/** Pods that wait to be changed, first come, first served. */
export interface Queue {
  /** Puts a pod in line, now or after so many milliseconds; one that is waiting already keeps its time. */
  add(key: string, delayMs: number): void;
  /** The next one, as soon as there is one; undefined when the signal fires first. */
  next(signal: AbortSignal): Promise<string | undefined>;
  /** Whether nothing waits, not even for a time to pass. */
  isEmpty(): boolean;
  clear(): void;
}

/** An empty queue, for one worker. */
export function createQueue(): Queue {
  const ready = new Set<string>();
  const delayed = new Map<string, NodeJS.Timeout>();
  const bell = createBell();

  function enter(key: string): void {
    ready.add(key);
    bell.ring();
  }

  return {
    add(key, delayMs) {
      if (delayed.has(key)) return;
      if (delayMs === 0) {
        enter(key);
        return;
      }
      const timer = setTimeout(() => {
        delayed.delete(key);
        enter(key);
      }, delayMs);
      delayed.set(key, timer);
    },
    async next(signal) {
      while (!signal.aborted) {
        const [key] = ready;
        if (key !== undefined) {
          ready.delete(key);
          return key;
        }
        await bell.wait(Infinity, signal);
      }
      return undefined;
    },
    isEmpty: () => ready.size === 0 && delayed.size === 0,
    clear() {
      for (const timer of delayed.values()) clearTimeout(timer);
      delayed.clear();
      ready.clear();
    },
  };
}

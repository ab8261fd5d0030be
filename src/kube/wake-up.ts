/** Wakes one waiting loop when there is something to do. */
export interface WakeUp {
  wake(): void;
  /**
   * Resolves at the next `wake` (at once if there was one since the last wait), after a time in
   * milliseconds, or when the signal aborts.
   */
  wait(milliseconds: number, signal: AbortSignal): Promise<void>;
}

/** The longest time in milliseconds that setTimeout can wait. */
const LONGEST_MS = 2 ** 31 - 1;

/** Returns a wake-up for one waiting loop. */
export function createWakeUp(): WakeUp {
  let isAwake = false;
  let waiting: (() => void) | undefined;
  return {
    wake() {
      isAwake = true;
      waiting?.();
    },
    async wait(milliseconds, signal) {
      if (!isAwake && !signal.aborted) {
        const { promise, resolve } = Promise.withResolvers<void>();
        waiting = resolve;
        const timer = setTimeout(resolve, Math.min(milliseconds, LONGEST_MS));
        signal.addEventListener('abort', waiting, { once: true });
        await promise;
        signal.removeEventListener('abort', waiting);
        clearTimeout(timer);
        waiting = undefined;
      }
      isAwake = false;
    },
  };
}

/** What one loop waits at, and others ring when there is something to do. */
export interface Bell {
  ring(): void;
  /** Resolves at the next ring (or at once if it rang since the last wait), after the time in milliseconds, or by the signal. */
  wait(milliseconds: number, signal: AbortSignal): Promise<void>;
}

/** Longest time that setTimeout can wait. */
const LONGEST = 2 ** 31 - 1;

/** A bell for one waiting loop. */
export function createBell(): Bell {
  let rung = false;
  let waiting: (() => void) | undefined;
  return {
    ring() {
      rung = true;
      waiting?.();
    },
    async wait(milliseconds, signal) {
      if (!rung && !signal.aborted) {
        const { promise, resolve } = Promise.withResolvers<void>();
        waiting = resolve;
        const timer = setTimeout(resolve, Math.min(milliseconds, LONGEST));
        signal.addEventListener('abort', waiting, { once: true });
        await promise;
        signal.removeEventListener('abort', waiting);
        clearTimeout(timer);
        waiting = undefined;
      }
      rung = false;
    },
  };
}

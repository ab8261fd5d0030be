import { setTimeout as sleep } from 'node:timers/promises';

/** Resolves after a time in milliseconds, or as soon as the signal fires; never rejects. */
export async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  await sleep(milliseconds, undefined, { signal }).catch(() => undefined);
}

/** Waiting times that grow until something works again. */
export interface Backoff {
  /** The next time to wait, in milliseconds. */
  next(): number;
  reset(): void;
}

/**
 * Waiting times from `first` to `longest` milliseconds, twice as long each time and up to a third shorter by chance:
 * when the API server comes back, fifty watches must not all return in one instant.
 */
export function createBackoff(first = 1000, longest = 30_000): Backoff {
  let tries = 0;
  return {
    next() {
      const whole = Math.min(longest, first * 2 ** tries);
      tries = Math.min(tries + 1, 30);
      return whole * (1 - Math.random() / 3);
    },
    reset() {
      tries = 0;
    },
  };
}

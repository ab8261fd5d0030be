import { sleep } from './retry.ts';

/** Limits how many requests are sent in a second. */
export interface RateLimiter {
  /** Resolves when the caller may send its request, or when the signal aborts. */
  wait(signal: AbortSignal): Promise<void>;
  /** Lets nobody through for so many milliseconds: the API server asked for it. */
  pauseFor(milliseconds: number): void;
}

/**
 * Returns a limiter of at most `perSecond` requests, evenly spaced. Turns that nobody used are not
 * saved up.
 */
export function createRateLimiter(
  perSecond: number,
  now: () => number = () => performance.now(),
  wait: typeof sleep = sleep,
): RateLimiter {
  const gapMs = 1000 / perSecond;
  let freeAt = 0;
  return {
    async wait(signal) {
      const askedAt = now();
      const at = Math.max(askedAt, freeAt);
      freeAt = at + gapMs;
      // The clock is read once: between two readings the turn may come, and Node warns of a
      // negative timeout.
      if (at > askedAt) await wait(at - askedAt, signal);
    },
    pauseFor(milliseconds) {
      freeAt = Math.max(freeAt, now() + milliseconds);
    },
  };
}

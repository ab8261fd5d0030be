/** Resolves after a time in milliseconds, or as soon as the signal aborts. Never rejects. */
export async function sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const wake = () => resolve();
  const timer = setTimeout(wake, milliseconds);
  signal.addEventListener('abort', wake, { once: true });
  await promise;
  signal.removeEventListener('abort', wake);
  clearTimeout(timer);
}

/** Delays between retries, which grow until something succeeds. */
export interface Backoff {
  /** Returns the next delay in milliseconds. */
  next(): number;
  /** Starts again from the first delay. */
  reset(): void;
}

/**
 * Returns a backoff from `firstMs` to `longestMs`: each delay is twice as long as the one before,
 * and up to a third shorter at random. When the API server comes back, fifty watches must not all
 * return at the same moment.
 */
export function createBackoff(firstMs = 1000, longestMs = 30_000): Backoff {
  let attempts = 0;
  return {
    next() {
      const whole = Math.min(longestMs, firstMs * 2 ** attempts);
      attempts = Math.min(attempts + 1, 30);
      return whole * (1 - Math.random() / 3);
    },
    reset() {
      attempts = 0;
    },
  };
}

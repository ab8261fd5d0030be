import type { Result } from '../core/result.ts';
import { isOutage } from './client.ts';
import type { Failure } from './client.ts';

/** How often something is attempted before its failure is returned. */
const ATTEMPTS = 4;

/**
 * Returns whether a list that failed may succeed from its start: there was an outage, or it took so
 * long that its next page expired (410).
 */
export function isRetryable(failure: Failure): boolean {
  return isOutage(failure) || failure.status === 410;
}

/**
 * Returns what `attempt` returns, attempted a few times while its failure is retryable. The first
 * delay is a second and each next one is longer, or it is as long as the API server asks for.
 */
export async function retry<Value>(
  attempt: () => Promise<Result<Value, Failure>>,
  signal: AbortSignal,
  shouldRetry = isRetryable,
): Promise<Result<Value, Failure>> {
  const backoff = createBackoff();
  for (let attempts = 1; ; attempts += 1) {
    const result = await attempt();
    if (result.ok || attempts === ATTEMPTS || signal.aborted || !shouldRetry(result.error)) return result;
    await sleep(result.error.retryAfterMs ?? backoff.next(), signal);
  }
}

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

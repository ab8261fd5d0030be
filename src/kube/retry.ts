import type { Result } from '../core/result.ts';
import { createBackoff, sleep } from './exponential-backoff.ts';
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

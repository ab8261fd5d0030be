import { isOutage } from './request.ts';
import type { Failure } from './request.ts';
import { createBackoff, pause } from './backoff.ts';

/** How often something is asked for before its failure is told. */
const TRIES = 4;

/** Whether a list that has failed may come when it is begun anew: there was an outage, or it took so long that its next page expired (410). */
export function mayPass(failure: Failure): boolean {
  return isOutage(failure) || failure.status === 410;
}

/**
 * What `once` brings, tried again a few times when its failure may pass by itself. A second is waited first and then ever longer,
 * or as long as the API server asks for.
 */
export async function insist<Result extends { readonly ok: true } | { readonly ok: false; readonly failure: Failure }>(
  once: () => Promise<Result>,
  signal: AbortSignal,
  mayBeTried = mayPass,
): Promise<Result> {
  const backoff = createBackoff();
  for (let tries = 1; ; tries += 1) {
    const result = await once();
    if (result.ok || tries === TRIES || signal.aborted || !mayBeTried(result.failure)) return result;
    await pause(result.failure.retryAfterMs ?? backoff.next(), signal);
  }
}

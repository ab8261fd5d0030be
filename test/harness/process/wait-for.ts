import { setTimeout as sleep } from 'node:timers/promises';

/** How long to wait, and how often to look. */
export interface WaitOptions {
  readonly seconds?: number;
  readonly everyMs?: number;
}

/**
 * Looks again and again until `probe` returns something other than undefined or false, and returns that. A probe
 * that throws is tried again; when the time is over, the last error is the cause of the one thrown.
 */
export async function waitFor<Found>(
  what: string,
  probe: () => Promise<Found | undefined | false> | Found | undefined | false,
  { seconds = 30, everyMs = 100 }: WaitOptions = {},
): Promise<Found> {
  const end = performance.now() + seconds * 1000;
  let cause: unknown;
  do {
    try {
      const found = await probe();
      if (found !== undefined && found !== false) return found;
      cause = undefined;
    } catch (error) {
      if (error instanceof GiveUp) throw error;
      cause = error;
    }
    await sleep(everyMs);
  } while (performance.now() < end);
  throw new Error(`gave up after ${seconds} s waiting for ${what}`, { cause });
}

/** Thrown by a probe that knows that waiting longer does not help. */
export class GiveUp extends Error {}

import { TOTAL_MS } from '../../../src/ask/limits.ts';
import type { Clock } from '../../../src/kube/clock.ts';

/**
 * Time that a test moves, for requests to real servers: while one is in flight, time stands still,
 * so that no test depends on how fast the machine is.
 */
export interface AskingClock extends Clock {
  /** Moves time to what is due next, by at least 100 ms, until the condition holds. Throws after so many milliseconds. */
  readonly runUntil: (what: string, condition: () => boolean, milliseconds: number) => Promise<void>;
  /** Moves time by so many milliseconds. */
  readonly run: (milliseconds: number) => Promise<void>;
  /** Lets time pass while requests are in flight too, for servers that do not answer. */
  isHasty: boolean;
}

const STEP_MS = 100;

/** Returns a clock that begins at 2026-01-01T00:00:00Z. */
export function createAskingClock(): AskingClock {
  let now = Date.UTC(2026, 0, 1);
  const timers = new Set<{ readonly at: number; readonly milliseconds: number; readonly action: () => void }>();

  /** Lets everything happen that needs no time, and real requests end. */
  async function settle(): Promise<void> {
    // One promise for all rounds: the test runner keeps a record of each promise, and these are made 70,000 times.
    await new Promise<void>((resolve) => {
      let rounds = 0;
      const next = (): void => void (++rounds < 5 ? setImmediate(next) : resolve());
      setImmediate(next);
    });
    while (!clock.isHasty && [...timers].some(({ milliseconds }) => milliseconds === TOTAL_MS))
      await new Promise((resolve) => setTimeout(resolve, 1));
  }

  function step(end: number): void {
    const next = Math.min(...[...timers].map(({ at }) => at), end);
    now = Math.max(now + STEP_MS, next);
    for (const timer of timers) {
      if (timer.at > now) continue;
      timers.delete(timer);
      timer.action();
    }
  }

  const clock: AskingClock = {
    isHasty: false,
    now: () => now,
    after(milliseconds, action) {
      const timer = { at: now + milliseconds, milliseconds, action };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    async runUntil(what, condition, milliseconds) {
      const end = now + milliseconds;
      for (await settle(); !condition(); await settle()) {
        if (now >= end) throw new Error(`${what} did not happen within ${milliseconds / 1000} s`);
        step(end);
      }
    },
    async run(milliseconds) {
      const end = now + milliseconds;
      for (await settle(); now < end; await settle()) step(end);
    },
  };
  return clock;
}

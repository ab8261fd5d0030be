import type { TestContext } from 'node:test';

/**
 * Time that a test moves: `setTimeout` fires by it, so that no assertion depends on how busy the
 * machine is.
 */
export interface VirtualClock {
  /** Returns milliseconds since the clock was made. */
  now(): number;
  /** Moves time in steps of 10 ms until the condition holds, at most so many milliseconds. */
  runUntil(condition: () => boolean, milliseconds: number): Promise<void>;
}

const STEP_MS = 10;

/**
 * Promises settled in a step that lead to another timer: more than any chain in the code that is
 * tested.
 */
const ROUNDS = 5;

/** Mocks `setTimeout` until the test ends, and returns the clock that it follows. */
export function useVirtualClock(t: TestContext): VirtualClock {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let now = 0;
  return {
    now: () => now,
    async runUntil(condition, milliseconds) {
      for (const end = now + milliseconds; now < end && !condition(); now += STEP_MS) {
        for (let round = 0; round < ROUNDS; round += 1) await new Promise((resolve) => setImmediate(resolve));
        t.mock.timers.tick(STEP_MS);
      }
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}

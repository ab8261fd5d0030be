import { pause } from './backoff.ts';

/** What keeps the patches at most so many a second, however many pods wait. */
export interface Pace {
  /** Resolves when it is the caller's turn, or the signal fires. */
  turn(signal: AbortSignal): Promise<void>;
  /** Lets nobody have a turn for so many milliseconds: the API server has asked for it. */
  hold(milliseconds: number): void;
}

/** A pace of at most `perSecond` turns, evenly spaced, without saving up unused ones. */
export function createPace(
  perSecond: number,
  now: () => number = () => performance.now(),
  wait: typeof pause = pause,
): Pace {
  const gap = 1000 / perSecond;
  let free = 0;
  return {
    async turn(signal) {
      const asked = now();
      const at = Math.max(asked, free);
      free = at + gap;
      // The clock is read once: between two readings the turn may come, and a negative wait is a warning of Node's.
      if (at > asked) await wait(at - asked, signal);
    },
    hold(milliseconds) {
      free = Math.max(free, now() + milliseconds);
    },
  };
}

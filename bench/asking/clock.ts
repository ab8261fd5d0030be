import type { Clock } from '../../src/kube/clock.ts';

/** A clock that goes as others do, and can be put forward. */
export interface JumpingClock extends Clock {
  /** Puts it forward, and calls at once what becomes due by that. */
  jump(milliseconds: number): void;
}

/** Returns a clock with the time of now. */
export function createJumpingClock(): JumpingClock {
  let offset = 0;
  const now = (): number => Date.now() + offset;
  /** When each action is due, by this clock, and what calls it early. */
  const due = new Map<() => void, number>();
  return {
    now,
    after(milliseconds, action) {
      const cancel = (): void => {
        clearTimeout(timer);
        due.delete(call);
      };
      const call = (): void => {
        cancel();
        action();
      };
      const timer = setTimeout(call, milliseconds);
      due.set(call, now() + milliseconds);
      return cancel;
    },
    jump(milliseconds) {
      offset += milliseconds;
      const called = [...due].filter(([, at]) => at <= now()).toSorted(([, one], [, other]) => one - other);
      // An action that an earlier one has cancelled is not called.
      for (const [call] of called) if (due.has(call)) call();
    },
  };
}

/** Time, which tests move themselves. */
export interface Clock {
  /** Returns the Unix time in milliseconds. */
  readonly now: () => number;
  /** Calls the action once after so many milliseconds. Returns what cancels it. */
  readonly after: (milliseconds: number, action: () => void) => () => void;
}

/** The process's clock. */
export const SYSTEM_CLOCK: Clock = {
  now: () => Date.now(),
  after(milliseconds, action) {
    const timer = setTimeout(action, milliseconds);
    return () => clearTimeout(timer);
  },
};

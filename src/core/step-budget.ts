import { MAX_STEPS } from './limits.ts';

/**
 * The steps that are left for one decision. All work that grows with the pod spends its steps
 * before it starts, in proportion to its cost, so that a test can bound the work on any machine. A
 * step is about 10 ns.
 */
export interface Work {
  /** In steps; negative after more were requested than were left. */
  left: number;
}

/** Returns the work of one decision that has not started. */
export function startWork(steps = MAX_STEPS): Work {
  return { left: steps };
}

/**
 * Spends steps before the work that they stand for. Returns whether they were left. Once they were
 * not, every further call returns false, and the caller may return any result, because the pod is
 * skipped.
 */
export function spend(work: Work, steps: number): boolean {
  work.left -= steps;
  return work.left >= 0;
}

/** Returns whether more steps were requested than were left. */
export function isExhausted(work: Work): boolean {
  return work.left < 0;
}

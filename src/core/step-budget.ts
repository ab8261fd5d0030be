import { MAX_STEPS } from './limits.ts';

/**
 * What is left of the steps that one decision may take. Everything that a pod can make long takes its steps before it is done,
 * in proportion to what it costs, so that a test can bound the work on any machine. A step is about 10 ns.
 */
export interface Work {
  /** Steps; below zero once more were asked for than there were. */
  left: number;
}

/** Returns the work of one decision, with nothing done yet. */
export function startWork(steps = MAX_STEPS): Work {
  return { left: steps };
}

/**
 * Takes the steps of what is about to be done. Returns whether it may be done: once the steps don't suffice, nothing may, and
 * what is returned instead doesn't matter, since the pod is left alone.
 */
export function spend(work: Work, steps: number): boolean {
  work.left -= steps;
  return work.left >= 0;
}

/** Returns whether more was asked for than there was. */
export function isExhausted(work: Work): boolean {
  return work.left < 0;
}

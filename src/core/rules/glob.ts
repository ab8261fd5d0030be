import { spend } from '../step-budget.ts';
import type { Work } from '../step-budget.ts';

/**
 * Returns whether the text is of the form that the glob gives, in which `*` stands for any characters. Two pointers and the
 * last `*` are all that is remembered, so the steps are at most the product of both lengths, however many `*` there are; a regular
 * expression that backtracks takes a power of the text's length for it.
 */
export function isLike(glob: string, text: string, work: Work): boolean {
  let [g, t] = [0, 0];
  let star = -1; // where the last `*` is in the glob, and where what it stands for ends in the text
  let resume = 0;
  let steps = 0;
  while (t < text.length) {
    steps += 1;
    if (glob[g] === '*') {
      star = g;
      resume = t;
      g += 1;
    } else if (glob[g] === text[t]) {
      g += 1;
      t += 1;
    } else if (star < 0) break;
    else {
      g = star + 1;
      resume += 1;
      t = resume;
      if (steps > COUNTED) {
        if (!spend(work, steps)) return false;
        steps = 0;
      }
    }
  }
  while (glob[g] === '*') g += 1;
  return spend(work, steps + 1) && t === text.length && g === glob.length;
}

/** Steps after which they are taken off the work. */
const COUNTED = 1000;

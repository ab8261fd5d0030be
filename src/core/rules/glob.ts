import { spend } from '../step-budget.ts';
import type { Work } from '../step-budget.ts';

/**
 * Returns whether the string matches the glob, in which `*` matches any characters. Only two
 * pointers and the last `*` are remembered, so the steps are at most the product of both lengths,
 * with any number of `*`. A regular expression that backtracks takes a power of the string's
 * length.
 */
export function isLike(glob: string, text: string, work: Work): boolean {
  let [g, t] = [0, 0];
  let star = -1; // the last `*` in the glob; what it matches ends at `resume` in the string
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

/** In steps: how many are counted before they are spent together. */
const COUNTED = 1000;

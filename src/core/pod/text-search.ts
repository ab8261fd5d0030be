import { spend } from '../step-budget.ts';
import type { Work } from '../step-budget.ts';

/**
 * Returns a function that tells whether one of the texts contains a string. The texts are read and
 * joined at the first call, so that one search goes through all of them: most rules look for
 * strings that no text of a pod contains. Strings have no line break.
 */
export function searchIn(texts: () => Iterable<string>, work: Work): (part: string) => boolean {
  const known = new Map<string, boolean>();
  const absent: string[] = [];
  let all: string | undefined;
  return (part) => {
    const before = known.get(part);
    if (before !== undefined) return before;
    for (const other of absent) if (part.includes(other)) return false;
    all ??= join(texts(), work);
    const found = spend(work, 1 + (all.length >> 5)) && all.includes(part);
    known.set(part, found);
    if (!found) absent.push(part);
    return found;
  };
}

function join(texts: Iterable<string>, work: Work): string {
  let all = '';
  for (const text of texts) {
    if (!spend(work, 2 + (text.length >> 3))) break;
    all = all + '\n' + text; // a template would take a third more time
  }
  return all;
}

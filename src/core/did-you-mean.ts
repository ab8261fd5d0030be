import { MAX_SUGGESTED } from './limits.ts';

/**
 * Returns the known word that a mistyped one was probably meant to be, or undefined where none is
 * near.
 */
function suggest(word: string, known: readonly string[]): string | undefined {
  if (word.length > MAX_SUGGESTED) return undefined;
  // Up to a third of the letters wrong is a typing mistake; more is another word.
  const most = Math.max(1, Math.floor(word.length / 3));
  const nearest = known
    .filter((candidate) => Math.abs(candidate.length - word.length) <= most)
    .map((candidate) => ({ candidate, distance: editDistance(word.toLowerCase(), candidate.toLowerCase()) }))
    .toSorted((a, b) => a.distance - b.distance)[0];
  return nearest !== undefined && nearest.distance <= most ? nearest.candidate : undefined;
}

/**
 * Returns `, did you mean "x"?` for a word that is similar to a known one, else the empty string. A
 * word of more than 63 characters is not compared.
 */
export function didYouMean(word: string, known: readonly string[]): string {
  const candidate = suggest(word, known);
  return candidate === undefined ? '' : `, did you mean "${candidate}"?`;
}

/**
 * Optimal string alignment: insertions, deletions, substitutions and swaps of neighbours cost one
 * each.
 */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      let best = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + cost);
      if (a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) best = Math.min(best, (beforeLast[j - 2] ?? 0) + 1);
      row.push(best);
    }
    [beforeLast, last] = [last, row];
  }
  return last[b.length] ?? 0;
}

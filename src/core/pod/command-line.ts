import { MAX_EXPANSION, MAX_TEXT } from '../limits.ts';
import { spend } from '../step-budget.ts';
import type { Work } from '../step-budget.ts';

/**
 * `$(NAME)` in a command is replaced by the variable's value; `$$(NAME)` stays (Kubernetes, "expansion" in
 * third_party/forked/golang). No name goes past a `$` here: `$($($(…` would else be searched to its end at every `$`.
 */
const REFERENCE = /\$\$|\$\(([^$()]*)\)/g;

/**
 * Returns what a command line states, one statement a word: `--flag value` is also there as `--flag=value`, `-flag` also as
 * `--flag` (Go's flag package takes both), and text that a shell would split is split at its spaces. No more than `limit`
 * words are read.
 */
export function statedWords(
  command: readonly string[],
  environment: ReadonlyMap<string, string>,
  limit: number,
  work: Work,
): readonly string[] {
  const words: string[] = [];
  for (const text of command) {
    if (words.length >= limit || !spend(work, STATEMENT + (Math.min(text.length, LONGEST_SPLIT) >> 2))) break;
    for (const word of split(text, environment, limit)) words.push(word);
  }
  words.length = Math.min(words.length, limit);
  const stated = new Set<string>();
  for (const [i, word] of words.entries()) {
    const next = words[i + 1];
    const isFlag = /^--?[A-Za-z]/.test(word);
    const withValue =
      isFlag && !word.includes('=') && next !== undefined && !next.startsWith('-') ? `${word}=${next}` : word;
    if (!spend(work, 4 * STATEMENT + ((word.length + withValue.length) >> 2))) break;
    for (const statement of [word, withValue]) {
      stated.add(statement);
      if (isFlag && !statement.startsWith('--')) stated.add(`-${statement}`);
    }
  }
  return [...stated];
}

/** Steps of a statement beside those of its characters, which are copied and hashed at some 2 ns each. */
const STATEMENT = 8;

/** Characters of a long text of which pieces are read. */
const LONGEST_SPLIT = 16 * MAX_TEXT;

/** The text and, where a shell would split it, its pieces; of a long text only the pieces of its first 64 KiB. */
function split(text: string, environment: ReadonlyMap<string, string>, limit: number): string[] {
  if (text.length > MAX_TEXT) {
    const pieces = text.slice(0, LONGEST_SPLIT).split(/\s+/, limit);
    return pieces
      .filter((piece) => piece !== '' && piece.length <= MAX_TEXT)
      .map((piece) => expand(piece, environment));
  }
  const word = expand(text, environment);
  return /\s/.test(word) ? [word, ...word.split(/\s+/).filter(Boolean)] : [word];
}

function expand(word: string, environment: ReadonlyMap<string, string>): string {
  if (!word.includes('$')) return word;
  let room = MAX_EXPANSION;
  return word.replace(REFERENCE, (reference, name: string | undefined) => {
    if (reference === '$$' || name === undefined) return '$';
    const value = environment.get(name) ?? reference;
    room -= value.length;
    return room < 0 ? reference : value;
  });
}

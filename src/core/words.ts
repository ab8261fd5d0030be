import { MAX_EXPANSION, MAX_TEXT } from './bounds.ts';

/** `$(NAME)` in a command is replaced by the variable's value; `$$(NAME)` stays (Kubernetes, "expansion" in third_party/forked/golang). */
const REFERENCE = /\$\$|\$\(([^)]*)\)/g;

/**
 * Returns what a command line states, one statement a word: `--flag value` is also there as `--flag=value`, `-flag` also as
 * `--flag` (Go's flag package takes both), and text that a shell would split is split at its spaces. No more than `limit`
 * words are read.
 */
export function statedWords(
  command: readonly string[],
  environment: ReadonlyMap<string, string>,
  limit: number,
): readonly string[] {
  const words: string[] = [];
  for (const whole of command) {
    const word = expand(whole, environment);
    if (word.length <= MAX_TEXT) words.push(word);
    // `limit` pieces at most, and a text of megabytes is never split whole.
    if (/\s/.test(word))
      words.push(
        ...word
          .slice(0, MAX_TEXT * 16)
          .split(/\s+/, limit)
          .filter(isWord),
      );
    if (words.length >= limit) break;
  }
  words.length = Math.min(words.length, limit);
  const stated = new Set<string>();
  for (const [i, word] of words.entries()) {
    const next = words[i + 1];
    const isFlag = /^--?[A-Za-z]/.test(word);
    const withValue =
      isFlag && !word.includes('=') && next !== undefined && !next.startsWith('-') ? `${word}=${next}` : word;
    for (const statement of [word, withValue]) {
      stated.add(statement);
      if (isFlag && !statement.startsWith('--')) stated.add(`-${statement}`);
    }
  }
  return [...stated];
}

function isWord(piece: string): boolean {
  return piece !== '' && piece.length <= MAX_TEXT;
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

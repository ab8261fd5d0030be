/** `$(NAME)` in a command is replaced by the variable's value; `$$(NAME)` stays (Kubernetes, "expansion" in third_party/forked/golang). */
const REFERENCE = /\$\$|\$\(([^)]*)\)/g;

/**
 * Returns what a command line states, one statement a word: `--flag value` is also there as `--flag=value`, `-flag` also as
 * `--flag` (Go's flag package takes both), and text that a shell would split is split at its spaces.
 */
export function statedWords(command: readonly string[], environment: ReadonlyMap<string, string>): readonly string[] {
  const words = command
    .map((word) => expand(word, environment))
    .flatMap((word) => (/\s/.test(word) ? [word, ...word.split(/\s+/).filter(Boolean)] : [word]));
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

function expand(word: string, environment: ReadonlyMap<string, string>): string {
  if (!word.includes('$')) return word;
  return word.replace(REFERENCE, (reference, name: string | undefined) =>
    reference === '$$' || name === undefined ? '$' : (environment.get(name) ?? reference),
  );
}

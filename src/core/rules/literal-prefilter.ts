/*
 * A prefilter for RE2, as RE2's own FilteredRE2 has one: the literal strings that every match of a
 * pattern begins with or contains, read from its source. Few values of a pod contain them, and a
 * search for a literal is many times cheaper than RE2: without this file a decision takes 15 to 34
 * times as long as parsing the pod's JSON, with it 1.0 to 1.3 times (`npm run bench`).
 */

/** What is known of a pattern's matches, so that a string that cannot match never reaches RE2. */
export interface Literals {
  /** Every match begins with one of these; `['']` where nothing is certain. */
  readonly prefixes: readonly string[];
  /** Whether the pattern matches the `prefixes` and nothing else. */
  readonly exact: boolean;
  /** Every match contains one of these; undefined where nothing is certain. */
  readonly required: readonly string[] | undefined;
}

/** With more prefixes than this, RE2 itself is as fast. */
const MAX_PREFIXES = 64;
/** Required strings are searched for in the whole value, so only a few are worth it. */
const MAX_REQUIRED = 16;
/**
 * Characters of the prefixes, or of the required strings, together. The longest list of the shipped
 * rules has 1,585. Without a limit, ten patterns of 64 prefixes with 700 characters filled the
 * webhook's heap.
 */
const MAX_CHARACTERS = 2048;

const ANYTHING: Literals = { prefixes: [''], exact: false, required: undefined };

/**
 * Returns the literals of a pattern: matches of `(a|b)_port=.*` begin with `a_port=` or `b_port=`,
 * matches of `(.*-)?metrics` contain `metrics`. Where the source has syntax that this reader does
 * not know, nothing is certain.
 */
export function literalsOf(source: string): Literals {
  const reader = { source, at: 0 };
  const literals = readAlternatives(reader);
  return literals === undefined || reader.at < source.length ? ANYTHING : literals;
}

interface Reader {
  readonly source: string;
  at: number;
}

/** Takes what the pattern matches where the reader stands. The pattern has the flag `y`. */
function take(reader: Reader, pattern: RegExp): string | undefined {
  pattern.lastIndex = reader.at;
  const found = pattern.exec(reader.source)?.[0];
  if (found !== undefined) reader.at += found.length;
  return found;
}

function isNext(reader: Reader, characters: string): boolean {
  return reader.at < reader.source.length && characters.includes(reader.source.charAt(reader.at));
}

function readAlternatives(reader: Reader): Literals | undefined {
  const branches: Literals[] = [];
  do {
    const branch = readBranch(reader);
    if (branch === undefined) return undefined;
    branches.push(branch);
  } while (take(reader, /\|/y) !== undefined);
  const prefixes = branches.flatMap((branch) => branch.prefixes);
  const required = branches.map((branch) => branch.required);
  const isCertain = required.every((strings) => strings !== undefined) && required.flat().length <= MAX_REQUIRED;
  return {
    prefixes: prefixes.length > MAX_PREFIXES ? [''] : prefixes,
    exact: prefixes.length <= MAX_PREFIXES && branches.every((branch) => branch.exact),
    required: isCertain ? required.flat() : undefined,
  };
}

function readBranch(reader: Reader): Literals | undefined {
  let prefixes: readonly string[] = [''];
  let exact = true;
  let sequence: readonly string[] = ['']; // what the exact atoms since the last other one match together
  let literal = ''; // the same while they match a single string
  let required: readonly string[] | undefined;
  const consider = (strings: readonly string[] | undefined): void => {
    if (strings === undefined || strings.length > MAX_REQUIRED || shortest(strings) === 0) return;
    if (required === undefined || selectivity(strings) > selectivity(required)) required = strings;
  };
  while (reader.at < reader.source.length && !isNext(reader, '|)')) {
    const atom = readAtom(reader);
    if (atom === undefined) return undefined;
    if (exact) {
      const longer = join(prefixes, atom.prefixes, MAX_PREFIXES);
      exact = longer !== undefined && atom.exact;
      prefixes = longer ?? prefixes;
    }
    const longer = join(sequence, atom.prefixes, MAX_REQUIRED);
    const [only] = atom.prefixes;
    if (atom.exact && atom.prefixes.length === 1 && only !== undefined) literal += only;
    else {
      consider([literal]);
      literal = '';
    }
    if (longer === undefined || !atom.exact) {
      consider(longer ?? sequence);
      consider(atom.required);
      sequence = atom.exact && atom.prefixes.length <= MAX_REQUIRED ? atom.prefixes : [''];
    } else sequence = longer;
  }
  consider([literal]);
  consider(sequence);
  return { prefixes, exact, required };
}

/**
 * Returns every string of `some` followed by every string of `others`, or undefined for more than
 * `limit` strings or {@link MAX_CHARACTERS}.
 */
function join(some: readonly string[], others: readonly string[], limit: number): readonly string[] | undefined {
  return some.length * others.length > limit ||
    charactersOf(some) * others.length + charactersOf(others) * some.length > MAX_CHARACTERS
    ? undefined
    : // V8 stores the sum of two strings as a pair, which takes 32 bytes for each character that was
      // added to a prefix. It writes what join() returns as one string.
      some.flatMap((first) => others.map((second) => [first, second].join('')));
}

function charactersOf(strings: readonly string[]): number {
  return strings.reduce((sum, { length }) => sum + length, 0);
}

/**
 * Returns how well the strings filter: long ones rule out more values, up to a point, and each one
 * costs a search.
 */
function selectivity(strings: readonly string[]): number {
  const length = shortest(strings);
  // Nearly every argument has a "=".
  return length < 3 ? length - 2 * MAX_REQUIRED : Math.min(length, 8) - 2 * (strings.length - 1);
}

function shortest(strings: readonly string[]): number {
  return Math.min(...strings.map(({ length }) => length));
}

/** Reads one atom with its repetition; undefined to give up. */
function readAtom(reader: Reader): Literals | undefined {
  const atom = readBareAtom(reader);
  const repetition = atom === undefined ? undefined : take(reader, /(?:[*+?]|\{\d+(?:,\d*)?\})\??/y);
  if (atom === undefined || repetition === undefined) return atom;
  // `[-_]?` has one prefix, not the empty one twice, which would double all strings before it.
  if (repetition.startsWith('?'))
    return { prefixes: [...new Set(['', ...atom.prefixes])], exact: atom.exact, required: undefined };
  return repetition.startsWith('+') ? { ...atom, exact: false } : ANYTHING;
}

function readBareAtom(reader: Reader): Literals | undefined {
  const group = take(reader, /\((?:\?:|\?P?<\w+>|\?i:|(?!\?))/y);
  if (group !== undefined) {
    const inner = readAlternatives(reader);
    if (take(reader, /\)/y) === undefined) return undefined;
    return group === '(?i:' ? inner && ANYTHING : inner;
  }
  // Most of a pattern: characters that stand for themselves, and that no repetition follows.
  const run = take(reader, /(?:[^.*+?()[\]{}|^$\\](?![*+?{]))+/y);
  if (run !== undefined) return { prefixes: [run], exact: true, required: undefined };
  // \pN, \x{…}, \Q…\E and octal escapes are not read: nothing is certain of them.
  if (take(reader, /(?:\\[dDwWsS]|\[\^?\]?(?:\\.|\[:\^?\w+:\]|[^\]\\])*\]|\.)/y) !== undefined) return ANYTHING;
  const literal = take(reader, /(?:\\[^A-Za-z0-9]|[^.*+?()[\]{}|^$\\])/y);
  return literal === undefined
    ? undefined
    : { prefixes: [literal.startsWith('\\') ? literal.slice(1) : literal], exact: true, required: undefined };
}

import { RE2JS } from 're2js';

/**
 * A compiled pattern: RE2, anchored at both ends, as in Prometheus' relabelling. It runs in linear time whatever text a pod
 * brings, which JavaScript's own regular expressions do not (15 characters can cost them milliseconds).
 */
export interface Pattern {
  readonly source: string;
  readonly groupNames: readonly string[];
  /** Texts one of which every match begins with; undefined where the pattern may begin with anything. */
  readonly prefixes: readonly string[] | undefined;
  readonly matches: (text: string) => boolean;
  /** The named groups of a match (those that took part), or undefined where the text does not match. */
  readonly groups: (text: string) => ReadonlyMap<string, string> | undefined;
}

/** Patterns are names, flags and paths. RE2 compiles in time linear to this bound, whatever a rules file holds. */
const LONGEST_PATTERN = 1024;

/** What has been compiled, since a rules file is checked first and compiled then. Cleared when full: reloads bring others. */
const compiled = new Map<string, Pattern | string>();
const MOST_COMPILED = 2000;

/** Returns the compiled pattern, or a sentence that says what is wrong with it. */
export function compilePattern(source: string): Pattern | string {
  const known = compiled.get(source);
  if (known !== undefined) return known;
  if (compiled.size >= MOST_COMPILED) compiled.clear();
  const pattern = compile(source);
  compiled.set(source, pattern);
  return pattern;
}

function compile(source: string): Pattern | string {
  if (source.length > LONGEST_PATTERN) return `the pattern is longer than ${LONGEST_PATTERN} characters`;
  let regex: RE2JS;
  try {
    regex = RE2JS.compile(source);
  } catch (error) {
    const reason = error instanceof Error ? error.message.replace(/^error parsing regexp: /, '') : 'it cannot be read';
    return /\(\?[=!<]|\\[1-9]/.test(source) && !/\(\?P?</.test(source.replace(/\(\?<[=!]/g, ''))
      ? `not an RE2 pattern (${reason}): RE2 has no look-around and no back-references`
      : `not an RE2 pattern: ${reason}`;
  }
  const literals = expandLiterals(source);
  // A pattern that is nothing but words needs no regular expression: most port names are decided here.
  const words = literals?.complete === true ? new Set(literals.texts) : undefined;
  const prefixes = literals?.texts;
  const plausible = (text: string): boolean =>
    prefixes === undefined || prefixes.some((prefix) => text.startsWith(prefix));
  const groupNames = Object.keys(regex.namedGroups());
  return {
    source,
    groupNames,
    prefixes,
    matches: (text) => (words === undefined ? plausible(text) && regex.matches(text) : words.has(text)),
    groups: (text) => {
      if (!plausible(text)) return undefined;
      const matcher = regex.matcher(text);
      if (!matcher.matches()) return undefined;
      const groups = new Map<string, string>();
      for (const name of groupNames) {
        const value: unknown = matcher.group(name);
        if (typeof value === 'string') groups.set(name, value);
      }
      return groups;
    },
  };
}

interface Literals {
  readonly texts: readonly string[];
  /** Whether the texts are all that the pattern matches, and not only how its matches begin. */
  readonly complete: boolean;
}

/** More alternatives than this are not worth listing: the regular expression is as quick. */
const MOST_LITERALS = 64;
const META = /[.*+?()[\]{}|^$\\]/;

/**
 * Returns the texts that a pattern's matches begin with, as far as they can be read off its source: `(a|b)_port=.*` gives
 * `a_port=` and `b_port=`. Undefined where nothing is certain. It only ever narrows what the regular expression would try.
 */
function expandLiterals(source: string): Literals | undefined {
  const reader = { source, at: 0 };
  const result = readAlternatives(reader);
  if (result === undefined || reader.at < source.length) return undefined;
  return result.texts.length > MOST_LITERALS || result.texts.includes('') ? undefined : result;
}

interface Reader {
  readonly source: string;
  at: number;
}

function readAlternatives(reader: Reader): Literals | undefined {
  const texts: string[] = [];
  let complete = true;
  for (;;) {
    const branch = readBranch(reader);
    if (branch === undefined) return undefined;
    texts.push(...branch.texts);
    complete &&= branch.complete;
    if (texts.length > MOST_LITERALS) return undefined;
    if (reader.source[reader.at] !== '|') return { texts, complete };
    reader.at += 1;
  }
}

function readBranch(reader: Reader): Literals | undefined {
  let texts: string[] = [''];
  let complete = true;
  while (reader.at < reader.source.length && reader.source[reader.at] !== '|' && reader.source[reader.at] !== ')') {
    const atom = readAtom(reader);
    if (atom === undefined) return undefined;
    if (!complete) continue;
    if (atom === 'anything') complete = false;
    else {
      texts = texts.flatMap((text) => atom.texts.map((more) => text + more));
      complete = atom.complete;
      if (texts.length > MOST_LITERALS) return undefined;
    }
  }
  return { texts, complete };
}

/** One atom with its repetition: its literals, `anything` where it can begin with what we cannot list, undefined to give up. */
function readAtom(reader: Reader): Literals | 'anything' | undefined {
  const { source } = reader;
  const start = source[reader.at] ?? '';
  let atom: Literals | 'anything';
  if (start === '(') {
    const opening = /^\((?:\?:|\?P?<\w+>)?/.exec(source.slice(reader.at))?.[0] ?? '(';
    if (opening === '(' && source[reader.at + 1] === '?') return undefined;
    reader.at += opening.length;
    const inner = readAlternatives(reader);
    if (inner === undefined || source[reader.at] !== ')') return undefined;
    reader.at += 1;
    atom = inner;
  } else if (start === '\\') {
    const escaped = source[reader.at + 1] ?? '';
    reader.at += 2;
    if (/[A-Za-z0-9]/.test(escaped)) {
      // \pN, \x{…}, \Q…\E and octal escapes have a length of their own.
      if (!/[dDwWsS]/.test(escaped)) return undefined;
      atom = 'anything';
    } else atom = { texts: [escaped], complete: true };
  } else if (start === '[') {
    const set = /^\[\^?\]?(?:\\.|\[:\^?\w+:\]|[^\]\\])*\]/.exec(source.slice(reader.at))?.[0];
    if (set === undefined) return undefined;
    reader.at += set.length;
    atom = 'anything';
  } else if (META.test(start)) {
    if (start !== '.') return undefined;
    reader.at += 1;
    atom = 'anything';
  } else {
    reader.at += 1;
    atom = { texts: [start], complete: true };
  }
  const repetition = /^(?:[*+?]|\{\d+(?:,\d*)?\})[?]?/.exec(source.slice(reader.at))?.[0];
  if (repetition === undefined) return atom;
  reader.at += repetition.length;
  if (atom === 'anything') return atom;
  if (repetition === '?') return { texts: ['', ...atom.texts], complete: atom.complete };
  return repetition.startsWith('+') ? { texts: atom.texts, complete: false } : 'anything';
}

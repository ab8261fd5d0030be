import { RE2JS } from 're2js';
import { literalsOf } from './literals.ts';

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

const NO_GROUPS: ReadonlyMap<string, string> = new Map();

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
  const { begins, complete, holds } = literalsOf(source);
  // A pattern that is nothing but words needs no regular expression: most port names are decided here.
  const words = complete ? new Set(begins) : undefined;
  const prefixes = begins.includes('') ? undefined : begins;
  const beginning = beginsWithOneOf(begins);
  const holding = holdsOneOf(holds);
  const plausible = (text: string): boolean => beginning(text) && holding(text);
  const groupNames = Object.keys(regex.namedGroups());
  return {
    source,
    groupNames,
    prefixes,
    matches: (text) => (words === undefined ? plausible(text) && regex.matches(text) : words.has(text)),
    groups: (text) => {
      if (words !== undefined && groupNames.length === 0) return words.has(text) ? NO_GROUPS : undefined;
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

/** As many characters of a beginning tell whether the regular expression is worth running: it is asked for every word. */
const GATE = 9;

function beginsWithOneOf(texts: readonly string[]): (text: string) => boolean {
  const length = Math.min(GATE, ...texts.map((text) => text.length));
  const gates = [...new Set(texts.map((text) => text.slice(0, length)))];
  const [only = ''] = gates;
  if (length === 0) return () => true;
  return gates.length === 1 ? (text) => text.startsWith(only) : (text) => gates.some((gate) => text.startsWith(gate));
}

function holdsOneOf(texts: readonly string[] | undefined): (text: string) => boolean {
  if (texts === undefined) return () => true;
  return (text) => {
    for (const part of texts) if (text.includes(part)) return true;
    return false;
  };
}

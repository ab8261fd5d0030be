import { RE2JS } from 're2js';
import { literalsOf } from './literals.ts';
import { spend } from '../step-budget.ts';
import type { Work } from '../step-budget.ts';

/**
 * A compiled pattern: RE2, anchored at both ends, as in Prometheus' relabelling. It runs in linear time whatever text a pod
 * brings, which JavaScript's own regular expressions do not (15 characters can cost them milliseconds).
 */
export interface Pattern {
  readonly source: string;
  readonly groupNames: readonly string[];
  /** Texts one of which every match begins with; undefined where the pattern may begin with anything. */
  readonly prefixes: readonly string[] | undefined;
  readonly matches: (text: string, work: Work) => boolean;
  /** The named groups of a match (those that took part), or undefined where the text does not match. */
  readonly groups: (text: string, work: Work) => ReadonlyMap<string, string> | undefined;
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
  const groupNames = Object.keys(regex.namedGroups());
  const isPlausible = plausibility(prefixes, holds);
  const { matching, grouping } = stepsOf(regex.programSize());
  const matches = (text: string, work: Work): boolean =>
    isPlausible(text, work) && spend(work, matching.call + matching.character * text.length) && regex.matches(text);
  return {
    source,
    groupNames,
    prefixes,
    matches: words === undefined ? matches : (text, work) => spend(work, 1) && words.has(text),
    groups: (text, work) => {
      if (words !== undefined && groupNames.length === 0)
        return spend(work, 1) && words.has(text) ? NO_GROUPS : undefined;
      // Whether a text matches is told by an automaton, which takes a tenth of the time that its groups take.
      if (!matches(text, work)) return undefined;
      if (groupNames.length === 0) return NO_GROUPS;
      if (!spend(work, grouping.call + grouping.character * text.length)) return undefined;
      const matcher = regex.matcher(text);
      matcher.matches();
      const groups = new Map<string, string>();
      for (const name of groupNames) {
        const value: unknown = matcher.group(name);
        if (typeof value === 'string') groups.set(name, value);
      }
      return groups;
    },
  };
}

/**
 * The steps of a call and of each character, measured with the shipped patterns and some of up to 2,000 instructions: 0.3 µs and
 * 10 ns for a match, 1 µs and 30 to 400 ns for its groups, the more the longer the program is.
 */
function stepsOf(instructions: number) {
  return {
    matching: { call: 30, character: 1 + (instructions >> 6) },
    grouping: { call: 100, character: 12 + (instructions >> 4) },
  };
}

/** Returns what tells whether the regular expression is worth running: it is asked for every word of every pod. */
function plausibility(
  prefixes: readonly string[] | undefined,
  parts: readonly string[] | undefined,
): (text: string, work: Work) => boolean {
  const beginning =
    prefixes === undefined ? undefined : { has: beginsWithOneOf(prefixes), steps: 1 + (prefixes.length >> 2) };
  return (text, work) => {
    if (beginning !== undefined && !(spend(work, beginning.steps) && beginning.has(text))) return false;
    return parts === undefined || (spend(work, 1 + ((parts.length * text.length) >> 5)) && holdsOneOf(parts, text));
  };
}

/** As many characters of a beginning tell whether the regular expression is worth running: with all, a decision takes 2 to 5 % longer. */
const GATE = 9;

function beginsWithOneOf(texts: readonly string[]): (text: string) => boolean {
  const length = Math.min(GATE, ...texts.map((text) => text.length));
  const gates = [...new Set(texts.map((text) => text.slice(0, length)))];
  const [only = ''] = gates;
  return gates.length === 1 ? (text) => text.startsWith(only) : (text) => gates.some((gate) => text.startsWith(gate));
}

function holdsOneOf(parts: readonly string[], text: string): boolean {
  for (const part of parts) if (text.includes(part)) return true;
  return false;
}

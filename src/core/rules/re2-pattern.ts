import { RE2JS } from 're2js';
import { MAX_INSTRUCTIONS } from '../limits.ts';
import { literalsOf } from './literal-prefilter.ts';
import type { Result } from '../result.ts';
import { spend } from '../step-budget.ts';
import type { Work } from '../step-budget.ts';

/**
 * A compiled pattern: RE2, anchored at both ends, as in Prometheus' relabelling. Matching takes
 * linear time for any value of a pod, unlike JavaScript's own regular expressions, for which 15
 * characters can cost milliseconds.
 */
export interface Pattern {
  readonly source: string;
  readonly groupNames: readonly string[];
  /** The size of its program, which its memory is in proportion to. */
  readonly instructions: number;
  /** Every match begins with one of these; undefined where it may begin with anything. */
  readonly prefixes: readonly string[] | undefined;
  /** Every match contains one of these; undefined where nothing is certain. */
  readonly required: readonly string[] | undefined;
  readonly matches: (value: string, work: Work) => boolean;
  /** The named groups that took part in the match, or undefined where the value does not match. */
  readonly groups: (value: string, work: Work) => ReadonlyMap<string, string> | undefined;
}

/**
 * Characters. Patterns are names, flags and paths, and RE2 compiles in time linear to this bound.
 */
const MAX_PATTERN = 1024;

/**
 * Compiled patterns: a rules file is checked first and compiled then. Cleared when full, because a
 * reload brings others.
 */
const compiled = new Map<string, Result<Pattern, string>>();
/** Instructions of the compiled patterns. */
let compiledSize = 0;
/** The shipped patterns have 15,000. */
const MAX_COMPILED = MAX_INSTRUCTIONS + 24 * 1024;

const NO_GROUPS: ReadonlyMap<string, string> = new Map();

/**
 * Returns the compiled pattern, or a sentence on why it is invalid. The memory that it takes is
 * limited by {@link patternsTooLarge}, for all patterns of a file together.
 */
export function compilePattern(source: string): Result<Pattern, string> {
  const known = compiled.get(source);
  if (known !== undefined) return known;
  const pattern = compile(source);
  const size = pattern.ok ? pattern.value.instructions : source.length;
  if (compiledSize + size > MAX_COMPILED) {
    compiled.clear();
    compiledSize = 0;
    clearAutomata(); // else the set would keep the programs of former rules
  }
  compiled.set(source, pattern);
  compiledSize += size;
  return pattern;
}

function compile(source: string): Result<Pattern, string> {
  if (source.length > MAX_PATTERN) return { ok: false, error: `the pattern has more than ${MAX_PATTERN} characters` };
  let regex: RE2JS;
  try {
    regex = RE2JS.compile(source);
  } catch (error) {
    return { ok: false, error: whyInvalid(source, error) };
  }
  const { prefixes: literals, exact, required } = literalsOf(source);
  // A pattern that only lists strings needs no regular expression: most port names are decided
  // here.
  const strings = exact ? new Set(literals) : undefined;
  const prefixes = literals.includes('') ? undefined : literals;
  const groupNames = Object.keys(regex.namedGroups());
  const canMatch = prefilter(prefixes, required);
  const instructions = regex.programSize();
  const { matching, capturing } = stepsOf(instructions);
  const matches = (value: string, work: Work): boolean =>
    canMatch(value, work) &&
    spend(work, matching.call + matching.character * value.length) &&
    matchAndGrow(regex, value, work);
  const pattern: Pattern = {
    source,
    groupNames,
    instructions,
    prefixes,
    required,
    matches: strings === undefined ? matches : (value, work) => spend(work, 1) && strings.has(value),
    groups: (value, work) => {
      if (strings !== undefined && groupNames.length === 0)
        return spend(work, 1) && strings.has(value) ? NO_GROUPS : undefined;
      // Matching alone uses an automaton, which takes a tenth of the time that capturing takes.
      if (!matches(value, work)) return undefined;
      if (groupNames.length === 0) return NO_GROUPS;
      if (!spend(work, capturing.call + capturing.character * value.length)) return undefined;
      const matcher = regex.matcher(value);
      matcher.matches();
      const groups = new Map<string, string>();
      for (const name of groupNames) {
        const group: unknown = matcher.group(name);
        if (typeof group === 'string') groups.set(name, group);
      }
      return groups;
    },
  };
  return { ok: true, value: pattern };
}

function whyInvalid(source: string, error: unknown): string {
  const reason = error instanceof Error ? error.message.replace(/^error parsing regexp: /, '') : 'it cannot be read';
  return /\(\?[=!<]|\\[1-9]/.test(source) && !/\(\?P?</.test(source.replace(/\(\?<[=!]/g, ''))
    ? `not an RE2 pattern (${reason}): RE2 has no look-around and no back-references`
    : `not an RE2 pattern: ${reason}`;
}

/**
 * Returns the steps of a call and of each character, measured with the shipped patterns and with
 * patterns of up to 2,000 instructions: 0.3 µs and 10 ns for a match, 1 µs and 30 to 400 ns for its
 * groups, in proportion to the length of the program.
 */
function stepsOf(instructions: number) {
  return {
    matching: { call: 30, character: 1 + (instructions >> 6) },
    capturing: { call: 100, character: 12 + (instructions >> 4) },
  };
}

/** RE2's automaton of a pattern; null before its first match. */
type Automaton = ReturnType<RE2JS['re2']>['lazyDFA'];

/**
 * Bytes of the automata of all patterns, by RE2's own estimate. RE2 adds a state to a pattern's
 * automaton when a value leads to a new one, up to 8 MiB for each pattern: a rules file with four
 * patterns like `.*a.{14}` let a hostile pod fill the heap. They are cleared together, and grow again
 * as they are needed. The fixtures' pods need 140 KB for the shipped patterns.
 */
const MAX_AUTOMATA = 4 * 1024 * 1024;
const automata = new Set<Automaton>();
let automataSize = 0;

/** Bytes of new states that take as long as a step: a state of 300 bytes takes 0.3 to 0.6 µs. */
const BYTES_A_STEP = 4;

/** Returns whether the value matches, and spends the steps of the states that the automaton got. */
function matchAndGrow(regex: RE2JS, value: string, work: Work): boolean {
  const before = sizeOf(regex.re2().lazyDFA);
  const isMatch = regex.matches(value);
  const automaton = regex.re2().lazyDFA;
  const size = sizeOf(automaton);
  if (size === before) return isMatch;
  automataSize += size - before;
  automata.add(automaton);
  spend(work, Math.ceil((size > before ? size - before : size) / BYTES_A_STEP));
  if (automataSize > MAX_AUTOMATA) clearAutomata();
  return isMatch;
}

function clearAutomata(): void {
  for (const automaton of automata) automaton.clearCache();
  automata.clear();
  automataSize = 0;
}

function sizeOf(automaton: Automaton | null): number {
  return automaton === null ? 0 : automaton.maxMem - automaton.memBudget;
}

/**
 * Returns a function that tells whether a value can match at all: it is called for every argument
 * of every pod.
 */
function prefilter(
  prefixes: readonly string[] | undefined,
  required: readonly string[] | undefined,
): (value: string, work: Work) => boolean {
  return (value, work) => {
    if (prefixes !== undefined && !(spend(work, 1 + (prefixes.length >> 2)) && beginsWithOneOf(prefixes, value)))
      return false;
    return (
      required === undefined ||
      (spend(work, 1 + ((required.length * value.length) >> 5)) && containsOneOf(required, value))
    );
  };
}

function beginsWithOneOf(prefixes: readonly string[], value: string): boolean {
  for (const prefix of prefixes) if (value.startsWith(prefix)) return true;
  return false;
}

function containsOneOf(required: readonly string[], value: string): boolean {
  for (const part of required) if (value.includes(part)) return true;
  return false;
}

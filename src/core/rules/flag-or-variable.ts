import { isObject } from '../json.ts';
import { literalsOf } from './literal-prefilter.ts';
import type { Pattern } from './re2-pattern.ts';
import { initialOf } from '../pod/environment.ts';
import type { Container } from '../pod/pod.ts';
import { spend } from '../step-budget.ts';

/**
 * A pattern on how a container is configured: on one argument of its command line, or on one
 * `NAME=value` of its environment.
 */
export interface Setting {
  readonly pattern: Pattern;
  /**
   * The variables that it can match; undefined where the source does not tell, so that all must be
   * tried.
   */
  readonly names: readonly string[] | undefined;
  /** A bit for each first letter of the names ({@link initialOf}). */
  readonly initials: number;
  /**
   * Strings of which every name that it can match contains one; undefined where none is certain.
   */
  readonly nameParts: readonly string[] | undefined;
  /**
   * Short strings of which every such name contains one, which are searched for first: `MET` for
   * METRICS_PORT and PROMETHEUS_PORT. Most pods have no such name. Undefined where there are none.
   */
  readonly fragments: readonly string[] | undefined;
  /** The same for arguments. */
  readonly argumentFragments: readonly string[] | undefined;
}

/**
 * Returns the pattern with the names of the variables that it can match, because a pod may have
 * hundreds of others.
 */
export function settingOf(pattern: Pattern): Setting {
  const argumentFragments = fragmentsOf(pattern.required ?? []);
  // A prefix with a dash belongs to a flag: no variable has such a name.
  const prefixes = pattern.prefixes?.filter((prefix) => !prefix.startsWith('-'));
  if (prefixes !== undefined && prefixes.every((prefix) => prefix.includes('='))) {
    const names = [...new Set(prefixes.map((prefix) => prefix.slice(0, prefix.indexOf('='))))];
    return {
      pattern,
      names,
      initials: names.reduce((bits, name) => bits | initialOf(name), 0),
      nameParts: undefined,
      fragments: fragmentsOf(names),
      argumentFragments,
    };
  }
  const name = nameOf(pattern.source);
  const nameParts = name === undefined ? undefined : literalsOf(name).required;
  return {
    pattern,
    names: undefined,
    initials: 0,
    nameParts,
    fragments: nameParts && fragmentsOf(nameParts),
    argumentFragments,
  };
}

/** Nearly all of the shipped rules' names and flags have one, so one search serves them all. */
const SHARED = ['MET', 'met'];

/**
 * Returns at most three strings of three characters of which each of the names contains one, or
 * undefined where there are none.
 */
export function fragmentsOf(names: readonly string[]): readonly string[] | undefined {
  const fragments: string[] = [];
  let left = names;
  while (left.length > 0 && fragments.length < 3) {
    const [first = ''] = left;
    const pieces = Array.from({ length: Math.max(first.length - 2, 0) }, (_, at) => first.slice(at, at + 3));
    const [best] = [...SHARED, ...pieces.filter((piece) => /^[A-Za-z]+$/.test(piece))]
      .map((piece) => ({ piece, missing: left.filter((name) => !name.includes(piece)) }))
      .toSorted((a, b) => a.missing.length - b.missing.length);
    if (best === undefined || best.missing.length === left.length) return undefined;
    fragments.push(best.piece);
    left = best.missing;
  }
  return left.length === 0 && fragments.length > 0 ? fragments : undefined;
}

/**
 * Returns the source of the names in a pattern on NAME=value: what stands before the first "=" of each of its alternatives, where
 * only that part matches the name. Undefined where an alternative has an "=" in a group before it, or anything before it that could match
 * an "=".
 */
function nameOf(source: string): string | undefined {
  const names: string[] = [];
  let depth = 0;
  let begin = 0;
  let end: number | undefined;
  for (const { 0: token, index } of source.matchAll(/\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|./gs)) {
    if (token === '(') depth += 1;
    if (token === ')') depth -= 1;
    if (token === '|' && depth === 0) {
      if (end === undefined) return undefined;
      names.push(source.slice(begin, end));
      begin = index + 1;
      end = undefined;
      continue;
    }
    if (end !== undefined) continue;
    if (token === '=' && depth === 0) end = index;
    else if (token === '=' || token === '.' || token.startsWith('\\') || token.startsWith('[^') || token.includes('='))
      return undefined;
  }
  if (end === undefined) return undefined;
  return [...names, source.slice(begin, end)].join('|');
}

/** Returns the container's variables that the setting may match, as `NAME=value`. */
export function variables({ names, initials, nameParts, fragments }: Setting, container: Container): readonly string[] {
  if (names !== undefined && !container.hasInitial(initials)) return [];
  if (fragments !== undefined && !fragments.some(container.hasNameWith)) return [];
  if (names === undefined) {
    return nameParts === undefined || nameParts.some(container.hasNameWith) ? container.assignments() : [];
  }
  const environment = container.environment();
  if (environment.size === 0) return [];
  const found: string[] = [];
  if (!spend(container.work, names.length)) return [];
  for (const name of names) {
    const value = environment.get(name);
    if (value !== undefined) found.push(`${name}=${value}`);
  }
  return found;
}

/**
 * Returns the first acceptable value of the pattern's group, in the order in which programs apply
 * them: the command line before the environment, and the last of a flag that is given twice.
 */
export function readSetting(
  container: Container,
  setting: Setting,
  group: string,
  accept: (value: string) => boolean,
): string | undefined {
  const args = container.commandLine();
  for (let i = args.length - 1; i >= 0; i -= 1) {
    const value = setting.pattern.groups(args[i] ?? '', container.work)?.get(group);
    if (value !== undefined && accept(value)) return value;
  }
  for (const assignment of variables(setting, container)) {
    const value = setting.pattern.groups(assignment, container.work)?.get(group);
    if (value !== undefined && accept(value)) return value;
  }
  return undefined;
}

/** Returns whether the container has the setting, on its command line or in its environment. */
export function hasSetting(container: Container, setting: Setting): boolean {
  const matches = (text: string): boolean => setting.pattern.matches(text, container.work);
  const mayBeArgument = setting.argumentFragments?.some(container.hasArgumentWith) !== false;
  return (mayBeArgument && container.commandLine().some(matches)) || variables(setting, container).some(matches);
}

/** Returns whether the container has the setting with a value that is not in the pod, such as a Secret's. */
export function refersToSetting({ env, work }: Container, { pattern, nameParts, names }: Setting): boolean {
  if (names?.length === 0 || !Array.isArray(env) || !spend(work, env.length)) return false;
  for (const variable of env) {
    if (!isObject(variable) || !isObject(variable.valueFrom)) continue;
    const name = variable.name;
    if (typeof name !== 'string') continue;
    const mayMatch = names?.includes(name) ?? nameParts?.some((part) => name.includes(part)) ?? true;
    if (mayMatch && pattern.matches(`${name}=${UNKNOWN}`, work)) return true;
  }
  return false;
}

/** Stands for the value: it is matched by patterns that take any value, and by no others. */
const UNKNOWN = '\u2026';

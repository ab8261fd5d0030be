import { isObject } from '../json.ts';
import { MAX_TEXT } from '../limits.ts';
import { APPLICATION_JSON, MAX_APPLICATION_JSON } from './jvm-options.ts';
import { spend } from '../step-budget.ts';
import type { Work } from '../step-budget.ts';

/** A container's variables. Their values are literal: those of `valueFrom` are not in the pod. */
export interface Environment {
  /** The names of all variables, in the order of the pod, with those whose value is not in the pod. */
  readonly names: readonly string[];
  /** A bit for each first letter of these names, in either case: bit 13 for M and m. */
  readonly initials: number;
  /** Whether a value can contain an option of a JVM, by its beginning. */
  readonly hasOptions: boolean;
  /** The value of each name. Where a name is there twice, the last value counts, as for the kubelet. */
  readonly variables: () => ReadonlyMap<string, string>;
  /** The variables as `NAME=value`. */
  readonly assignments: () => readonly string[];
}

/** Returns a bit for the first letter of the name, in either case. */
export function initialOf(name: string): number {
  return 1 << (name.charCodeAt(0) & 31);
}

/** Steps of reading one variable, which takes about 50 ns. */
const VARIABLE = 5;

/**
 * Returns the variables of the list `env`. Maps and assignments are made on first use: most pods have many
 * variables, of which no rule reads one, and a map of them is the dearest part of a decision.
 */
export function readEnvironment(env: unknown, work: Work): Environment {
  const names: string[] = [];
  const literal: string[] = []; // name, value, name, value …
  let initials = 0;
  let hasOptions = false;
  // Once for the variable, and once for the search through all names.
  if (Array.isArray(env) && spend(work, 2 * VARIABLE * env.length)) {
    for (const variable of env) {
      if (!isObject(variable)) continue;
      const name = variable.name;
      const value = variable.value;
      if (typeof name !== 'string' || name.length > MAX_TEXT) continue;
      names.push(name);
      initials |= initialOf(name);
      if (typeof value !== 'string') continue;
      if (value.length > MAX_TEXT && !(isApplicationJson(name) && value.length <= MAX_APPLICATION_JSON)) continue;
      literal.push(name, value);
      hasOptions ||= beginsLikeOptions(value.charCodeAt(0)) || isApplicationJson(name);
    }
  }
  let byName: ReadonlyMap<string, string> | undefined;
  let assignments: readonly string[] | undefined;
  const variables = (): ReadonlyMap<string, string> => (byName ??= mapOf(literal));
  return {
    names,
    initials,
    hasOptions,
    variables,
    assignments: () => (assignments ??= assignmentsOf(variables(), work)),
  };
}

function mapOf(literal: readonly string[]): ReadonlyMap<string, string> {
  const map = new Map<string, string>();
  for (let at = 0; at < literal.length; at += 2) map.set(literal[at] ?? '', literal[at + 1] ?? '');
  return map;
}

/** The length comes first: to compare strings, V8 may look each of them up in its table of known strings. */
function isApplicationJson(name: string): boolean {
  return name.length === APPLICATION_JSON.length && name === APPLICATION_JSON;
}

/** Options begin with a dash, or behind a space or a reference to others: `$(JAVA_OPTS) -Dname=value`. */
function beginsLikeOptions(first: number): boolean {
  return first === DASH || first === DOLLAR || first === SPACE || first === NEW_LINE;
}

const DASH = 45;
const DOLLAR = 36;
const SPACE = 32;
const NEW_LINE = 10;

function assignmentsOf(variables: ReadonlyMap<string, string>, work: Work): readonly string[] {
  const assignments: string[] = [];
  for (const [name, value] of variables) {
    if (!spend(work, VARIABLE + ((name.length + value.length) >> 3))) break;
    assignments.push(`${name}=${value}`);
  }
  return assignments;
}

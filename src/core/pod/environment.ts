import { isObject } from '../json.ts';
import { MAX_TEXT } from '../limits.ts';
import { APPLICATION_JSON, MAX_APPLICATION_JSON } from './jvm-options.ts';
import { spend } from '../step-budget.ts';
import type { Work } from '../step-budget.ts';

/** A container's variables with a literal value; those with `valueFrom` are not in the pod. */
export interface Environment {
  /** The names, in the order of the pod. */
  readonly names: readonly string[];
  /** A bit for each first letter of a name, in either case: bit 13 for M and m. */
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
  const values: string[] = [];
  let initials = 0;
  let hasOptions = false;
  // Once for the variable, and once for the search through all names.
  if (Array.isArray(env) && spend(work, 2 * VARIABLE * env.length)) {
    for (const variable of env) {
      if (!isObject(variable)) continue;
      const name = variable.name;
      const value = variable.value;
      if (typeof value !== 'string') continue;
      if (value.length > MAX_TEXT && !(name === APPLICATION_JSON && value.length <= MAX_APPLICATION_JSON)) continue;
      if (typeof name !== 'string' || name.length > MAX_TEXT) continue;
      names.push(name);
      values.push(value);
      initials |= initialOf(name);
      hasOptions ||= beginsLikeOptions(value.charCodeAt(0)) || isApplicationJson(name);
    }
  }
  let byName: ReadonlyMap<string, string> | undefined;
  let assignments: readonly string[] | undefined;
  const variables = (): ReadonlyMap<string, string> => (byName ??= mapOf(names, values));
  return {
    names,
    initials,
    hasOptions,
    variables,
    assignments: () => (assignments ??= assignmentsOf(variables(), work)),
  };
}

function mapOf(names: readonly string[], values: readonly string[]): ReadonlyMap<string, string> {
  const map = new Map<string, string>();
  for (const [at, name] of names.entries()) map.set(name, values[at] ?? '');
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

import { literalsOf } from './literals.ts';
import type { Pattern } from './pattern.ts';
import type { Container } from '../pod/pod.ts';
import { spend } from '../step-budget.ts';

/** A pattern on what a container states: one word of its command line, or one `NAME=value` of its environment. */
export interface Statement {
  readonly pattern: Pattern;
  /** The variables that it can match; undefined where its source doesn't tell, so that all have to be tried. */
  readonly names: readonly string[] | undefined;
  /** Texts one of which is in every name that it can match; undefined where nothing is certain. */
  readonly nameParts: readonly string[] | undefined;
}

/** Returns the pattern with the names of the variables that it can match: a pod may have hundreds of others. */
export function statementOf(pattern: Pattern): Statement {
  // What begins with a dash is a flag: no variable is called so.
  const prefixes = pattern.prefixes?.filter((prefix) => !prefix.startsWith('-'));
  if (prefixes !== undefined && prefixes.every((prefix) => prefix.includes('='))) {
    const names = [...new Set(prefixes.map((prefix) => prefix.slice(0, prefix.indexOf('='))))];
    return { pattern, names, nameParts: undefined };
  }
  const name = nameOf(pattern.source);
  return { pattern, names: undefined, nameParts: name === undefined ? undefined : literalsOf(name).holds };
}

/**
 * What a pattern on NAME=value has before its first "=", if that is all that the name is matched by: undefined where the pattern
 * has branches at its top, an "=" in a group before, or something that an "=" could be taken for.
 */
function nameOf(source: string): string | undefined {
  let depth = 0;
  let end: number | undefined;
  for (const { 0: token, index } of source.matchAll(/\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|./gs)) {
    if (token === '(') depth += 1;
    if (token === ')') depth -= 1;
    if (token === '|' && depth === 0) return undefined;
    if (end !== undefined) continue;
    if (token === '=' && depth === 0) end = index;
    else if (token === '=' || token === '.' || token.startsWith('\\') || token.startsWith('[^') || token.includes('='))
      return undefined;
  }
  return end === undefined ? undefined : source.slice(0, end);
}

/** Returns the container's variables that the statement may match, as `NAME=value`. */
export function variables({ names, nameParts }: Statement, container: Container): readonly string[] {
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
 * Returns the first acceptable text that the pattern's group takes from a statement of the container, in the order in which
 * programs believe them: the command line before the environment, and of a flag that is given twice the last.
 */
export function stated(
  container: Container,
  statement: Statement,
  group: string,
  accept: (text: string) => boolean,
): string | undefined {
  const words = container.words();
  for (let i = words.length - 1; i >= 0; i -= 1) {
    const text = statement.pattern.groups(words[i] ?? '', container.work)?.get(group);
    if (text !== undefined && accept(text)) return text;
  }
  for (const assignment of variables(statement, container)) {
    const text = statement.pattern.groups(assignment, container.work)?.get(group);
    if (text !== undefined && accept(text)) return text;
  }
  return undefined;
}

/** Returns whether the container states it, on its command line or in its environment. */
export function states(container: Container, statement: Statement): boolean {
  const matches = (text: string): boolean => statement.pattern.matches(text, container.work);
  return container.words().some(matches) || variables(statement, container).some(matches);
}

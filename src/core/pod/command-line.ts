import { MAX_EXPANSION, MAX_TEXT } from '../limits.ts';
import { spend } from '../step-budget.ts';
import type { Work } from '../step-budget.ts';

/**
 * `$(NAME)` in a command is replaced by the variable's value; `$$(NAME)` stays (Kubernetes,
 * "expansion" in third_party/forked/golang). A name contains no `$` here, or `$($($(…` would be
 * searched to its end at every `$`.
 */
const REFERENCE = /\$\$|\$\(([^$()]*)\)/g;

/**
 * Returns the arguments of a command line, each in every form that rules match: `--flag value` also
 * as `--flag=value`, `-flag` also as `--flag` (Go's flag package takes both), and an argument with
 * spaces also split, as a shell would. At most `limit` arguments are read.
 */
export function readCommandLine(
  command: readonly string[],
  variables: () => ReadonlyMap<string, string>,
  limit: number,
  work: Work,
): readonly string[] {
  const args: string[] = [];
  for (const argument of command) {
    if (args.length >= limit || !spend(work, ARGUMENT + (Math.min(argument.length, MAX_SPLIT) >> 2))) break;
    for (const piece of split(argument, variables, limit)) args.push(piece);
  }
  args.length = Math.min(args.length, limit);
  const forms = new Set<string>();
  for (const [i, argument] of args.entries()) {
    const next = args[i + 1];
    const isFlag = /^--?[A-Za-z]/.test(argument);
    const withValue =
      isFlag && !argument.includes('=') && next !== undefined && !next.startsWith('-')
        ? `${argument}=${next}`
        : argument;
    if (!spend(work, 4 * ARGUMENT + ((argument.length + withValue.length) >> 2))) break;
    for (const form of [argument, withValue]) {
      forms.add(form);
      if (isFlag && !form.startsWith('--')) forms.add(`-${form}`);
    }
  }
  return [...forms];
}

/**
 * Steps of an argument, in addition to those of its characters, which are copied and hashed at
 * about 2 ns each.
 */
const ARGUMENT = 8;

/** Characters of a long argument that are split. */
const MAX_SPLIT = 16 * MAX_TEXT;

/**
 * Returns the argument and, where it has spaces, its pieces; of a long argument, only the pieces of
 * its first 64 KiB.
 */
function split(argument: string, variables: () => ReadonlyMap<string, string>, limit: number): string[] {
  if (argument.length > MAX_TEXT) {
    const pieces = argument.slice(0, MAX_SPLIT).split(/\s+/, limit).map(unquote);
    return pieces.filter((piece) => piece !== '' && piece.length <= MAX_TEXT).map((piece) => expand(piece, variables));
  }
  const expanded = expand(argument, variables);
  return /\s/.test(expanded) ? [expanded, ...expanded.split(/\s+/).map(unquote).filter(Boolean)] : [expanded];
}

/** Returns the piece without its quotation marks, as a shell would: `--addr="127.0.0.1:80"` is an address on loopback. */
function unquote(piece: string): string {
  return /["']/.test(piece) ? piece.replaceAll(/["']/g, '') : piece;
}

function expand(argument: string, variables: () => ReadonlyMap<string, string>): string {
  if (!argument.includes('$')) return argument;
  let room = MAX_EXPANSION;
  return argument.replace(REFERENCE, (reference, name: string | undefined) => {
    if (reference === '$$' || name === undefined) return '$';
    const value = variables().get(name) ?? reference;
    room -= value.length;
    return room < 0 ? reference : value;
  });
}

import type { CommandUnknownOpts, Option } from '@commander-js/extra-typings';
import { Command } from './options.ts';

// What the user is told of how a command is used, where commander's own way isn't good enough.

/** The flags without which a command can't be run. */
const NEEDED = new Set<unknown>();

/**
 * Returns a flag without which its command can't be run. Commander looks for mandatory flags before it looks for unknown ones,
 * so that a mandatory flag that is mistyped is called missing: {@link refuseMisuse} comes after both.
 */
export function needed<Flags extends string, Preset, Default, Coerced, Choices>(
  flag: Option<Flags, Preset, Default, Coerced, false, Choices>,
) {
  NEEDED.add(flag);
  const mandatory = flag.makeOptionMandatory();
  mandatory.mandatory = false;
  return mandatory;
}

/** Ends with a usage error where a needed flag is missing, or, which is often why, where too many arguments are given. */
export function refuseMisuse(command: CommandUnknownOpts): void {
  const missing = command.options.find(
    (flag) => NEEDED.has(flag) && command.getOptionValue(flag.attributeName()) === undefined,
  );
  if (missing !== undefined) command.error(`error: required option '${missing.flags}' not specified`);
  const excess = command.args.slice(command.registeredArguments.length);
  if (excess.length > 0) command.error(`error: '${command.name()}' does not take '${excess.join("', '")}'`);
}

/** Help text with one command a line, each below what it is good for. */
export function examples(...lines: readonly (readonly [what: string, command: string])[]): string {
  return ['', 'Examples:', ...lines.map(([what, command]) => `  # ${what}\n  ${command}`)].join('\n');
}

/** The command `help`, which takes a command's name as its --help does, and knows a mistyped one. */
export const help = new Command('help')
  .description('Shows what a command takes, as its --help does.')
  .argument('[command]')
  .action(async (name, _options, command) => {
    const program = command.parent;
    if (name === undefined) return program?.help();
    program?.commands.find((other) => other.name() === name)?.help();
    // Has commander say what it says of any command that doesn't exist.
    await program?.parseAsync([name], { from: 'user' });
  });

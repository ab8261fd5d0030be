import type { CommandUnknownOpts, Option } from '@commander-js/extra-typings';
import { Command } from './options.ts';

// Help and usage errors, where commander's own are not good enough.

/** The mandatory flags of all commands. */
const MANDATORY = new Set<unknown>();

/**
 * Makes a flag mandatory and returns it. Commander looks for missing flags before unknown ones, so that
 * it would report a mistyped mandatory flag as missing: {@link checkUsage} runs after both.
 */
export function mandatory<Flags extends string, Preset, Default, Coerced, Choices>(
  flag: Option<Flags, Preset, Default, Coerced, false, Choices>,
) {
  MANDATORY.add(flag);
  const typed = flag.makeOptionMandatory();
  typed.mandatory = false;
  return typed;
}

/** Ends with a usage error where a mandatory flag is missing, or there are too many arguments. */
export function checkUsage(command: CommandUnknownOpts): void {
  const missing = command.options.find(
    (flag) => MANDATORY.has(flag) && command.getOptionValue(flag.attributeName()) === undefined,
  );
  if (missing !== undefined) command.error(`error: required option '${missing.flags}' not specified`);
  const takes = command.registeredArguments;
  const excess = takes.at(-1)?.variadic === true ? [] : command.args.slice(takes.length);
  if (excess.length > 0) command.error(`error: '${command.name()}' does not take '${excess.join("', '")}'`);
}

/** Returns help text with examples: commands, each below a line that says what it does. */
export function examples(...lines: readonly (readonly [what: string, command: string])[]): string {
  return ['', 'Examples:', ...lines.map(([what, command]) => `  # ${what}\n  ${command}`)].join('\n');
}

/** The command `help`: `autoscrape help serve` prints what `autoscrape serve --help` prints. It suggests a name for a mistyped one. */
export const help = new Command('help')
  .description('Prints the help of a command, as its --help does.')
  .argument('[command]')
  .action(async (name, _options, command) => {
    const program = command.parent;
    if (name === undefined) return program?.help();
    program?.commands.find((other) => other.name() === name)?.help();
    // Makes commander report an unknown command, with its suggestion.
    await program?.parseAsync([name], { from: 'user' });
  });

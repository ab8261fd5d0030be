import { Command } from './options.ts';

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

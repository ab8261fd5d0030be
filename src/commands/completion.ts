import type { CommandUnknownOpts } from '@commander-js/extra-typings';
import { Argument, Command } from './options.ts';
import { examples } from './help.ts';

// The scripts are made from the flags of the commands, so they have no list of their own that may be stale.

const SCRIPTS = { bash: bashScript, zsh: zshScript, fish: fishScript } as const;

/** `autoscrape completion`. Its parent must have loaded every command. */
export const command = new Command('completion')
  .description('Prints a script with which a shell completes the commands and flags of autoscrape.')
  .addArgument(new Argument('<shell>', 'the shell').choices(['bash', 'zsh', 'fish']))
  .addHelpText(
    'after',
    examples(
      ['bash: put this line into ~/.bashrc', 'source <(autoscrape completion bash)'],
      ['zsh: put this line into ~/.zshrc, below compinit', 'source <(autoscrape completion zsh)'],
      ['fish', 'autoscrape completion fish > ~/.config/fish/completions/autoscrape.fish'],
    ),
  )
  .action((shell, _options, self) => {
    const commands = self.parent?.commands ?? [];
    const names = commands.map((command) => command.name());
    const toComplete = commands.map(completed).map((one) => (one.name === 'help' ? { ...one, choices: names } : one));
    process.stdout.write(SCRIPTS[shell](toComplete));
  });

/** A command, as far as a shell completes it. */
export interface Completed {
  readonly name: string;
  readonly summary: string;
  readonly flags: readonly Flag[];
  /** The choices of its first argument; none where it takes files, or nothing. */
  readonly choices: readonly string[];
}

/** A flag of a command. */
export interface Flag {
  /** `-o` and `--output`, or one of them. */
  readonly names: readonly string[];
  readonly summary: string;
  /** The name of its mandatory value, such as `file`; undefined for a switch. */
  readonly value: string | undefined;
  readonly choices: readonly string[];
}

/** Returns the command as far as a shell completes it. */
export function completed(command: CommandUnknownOpts): Completed {
  const help = { names: ['-h', '--help'], summary: 'display help for command', value: undefined, choices: [] };
  const flags = command.options.map(({ short, long, description, required, flags: written, argChoices }) => ({
    names: [short, long].filter((name) => name !== undefined && name !== null),
    summary: description,
    value: required ? (/<(.*)>/.exec(written)?.[1] ?? 'value') : undefined,
    choices: argChoices ?? [],
  }));
  return {
    name: command.name(),
    summary: command.summary(),
    flags: [...flags, help],
    choices: command.registeredArguments[0]?.argChoices ?? [],
  };
}

function bashScript(commands: readonly Completed[]): string {
  const values = commands.flatMap(({ name, flags }) =>
    flags.flatMap(({ names, value, choices }) =>
      value === undefined
        ? []
        : [`    ${names.map((flag) => `${name}:${flag}`).join('|')}) words='${choices.join(' ')}' ;;`],
    ),
  );
  const flags = commands.map(
    (one) => `      ${one.name}) words='${one.flags.flatMap(({ names }) => names).join(' ')}' ;;`,
  );
  const choices = commands.flatMap((one) =>
    one.choices.length === 0 ? [] : [`      ${one.name}) words='${one.choices.join(' ')}' ;;`],
  );
  // Where there is no word to offer, `-o default` completes file names.
  return `# bash completion for autoscrape
_autoscrape() {
  local current=$2 previous=$3 words=''
  if ((COMP_CWORD == 1)); then
    COMPREPLY=($(compgen -W '${commands.map(({ name }) => name).join(' ')} --help --version' -- "$current"))
    return
  fi
  case "\${COMP_WORDS[1]}:$previous" in
${values.join('\n')}
    *) if [[ $current == -* ]]; then case "\${COMP_WORDS[1]}" in
${flags.join('\n')}
    esac; else case "\${COMP_WORDS[1]}" in
${choices.join('\n')}
    esac; fi ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _autoscrape autoscrape
`;
}

function zshScript(commands: readonly Completed[]): string {
  const cases = commands.map(({ name, flags, choices }) => {
    const lines = flags.flatMap((flag) =>
      flag.names.map((flagName) => `        '*${flagName}[${inZsh(flag.summary)}]${valueInZsh(flag)}' \\`),
    );
    const rest = choices.length > 0 ? `'1:argument:(${choices.join(' ')})'` : "'*:file:_files'";
    return `    ${name})\n      _arguments \\\n${lines.join('\n')}\n        ${rest}\n      ;;`;
  });
  return `#compdef autoscrape
# zsh completion for autoscrape
_autoscrape() {
  local -a commands=(
${commands.map(({ name, summary }) => `    '${name}:${inZsh(summary)}'`).join('\n')}
  )
  if ((CURRENT == 2)); then
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  ((CURRENT--))
  case $command in
${cases.join('\n')}
  esac
}
# zsh runs the file itself where it is found in $fpath, and only defines the function where it is sourced.
if [[ $funcstack[1] == _autoscrape ]]; then _autoscrape "$@"; else compdef _autoscrape autoscrape; fi
`;
}

function valueInZsh({ value, choices }: Flag): string {
  if (value === undefined) return '';
  const name = value.split('|')[0];
  if (choices.length > 0) return `:${name}:(${choices.join(' ')})`;
  if (value === 'file') return `:${name}:_files`;
  return `:${name}:${value === 'dir' ? '_files -/' : ' '}`;
}

/** Returns the text for a specification between single quotes, in which a bracket and a colon end a part. */
function inZsh(text: string): string {
  return quoted(text.replace(/[[\]:\\]/g, String.raw`\$&`));
}

function fishScript(commands: readonly Completed[]): string {
  const lines = commands.flatMap(({ name, summary, flags, choices }) => [
    `complete -c autoscrape -n __fish_use_subcommand -f -a ${name} -d '${quotedInFish(summary)}'`,
    ...(choices.length > 0
      ? [`complete -c autoscrape -n '__fish_seen_subcommand_from ${name}' -f -a '${choices.join(' ')}'`]
      : []),
    ...flags.map((flag) => {
      const names = flag.names.map((flagName) =>
        flagName.startsWith('--') ? `-l ${flagName.slice(2)}` : `-s ${flagName.slice(1)}`,
      );
      const value =
        flag.value === undefined ? '' : flag.choices.length > 0 ? ` -x -a '${flag.choices.join(' ')}'` : ' -r';
      const of = `complete -c autoscrape -n '__fish_seen_subcommand_from ${name}'`;
      return `${of} ${names.join(' ')}${value} -d '${quotedInFish(flag.summary)}'`;
    }),
  ]);
  return `# fish completion for autoscrape\n${lines.join('\n')}\n`;
}

/** Returns the text for between single quotes of bash and zsh. */
function quoted(text: string): string {
  return text.replaceAll("'", String.raw`'\''`);
}

function quotedInFish(text: string): string {
  return text.replace(/['\\]/g, String.raw`\$&`);
}

import type { Completed, Flag } from './completion.ts';

/** What the shell does besides: complete file names, or not. https://github.com/spf13/cobra/blob/main/completions.go */
const DIRECTIVES = { files: ':0', nothing: ':4' } as const;

/**
 * Returns what `kubectl_complete-autoscrape` prints for the words behind `kubectl autoscrape`, the last of which is being
 * written: a line for each candidate with its description, and at the end what else the shell may do. kubectl starts that
 * program as https://kubernetes.io/docs/tasks/extend-kubectl/kubectl-plugins/ has it.
 */
export function completionReply(commands: readonly Completed[], words: readonly string[]): string {
  const [name = '', ...rest] = words;
  if (rest.length === 0)
    return reply(
      name,
      commands.map((command) => [command.name, command.summary]),
      'nothing',
    );
  const current = rest.at(-1) ?? '';
  const command = commands.find((one) => one.name === name);
  if (command === undefined) return reply(current, [], 'nothing');
  const flag = flagWithValue(command.flags, rest.at(-2));
  if (flag !== undefined)
    return reply(current, flag.choices.map(plain), flag.choices.length === 0 && takesFile(flag) ? 'files' : 'nothing');
  if (current.startsWith('-'))
    return reply(
      current,
      command.flags.flatMap(({ names, summary }) => names.map((written) => [written, summary] as const)),
      'nothing',
    );
  return reply(current, command.choices.map(plain), command.choices.length === 0 ? 'files' : 'nothing');
}

function flagWithValue(flags: readonly Flag[], previous: string | undefined): Flag | undefined {
  return flags.find(({ names, value }) => value !== undefined && previous !== undefined && names.includes(previous));
}

function takesFile({ value = '' }: Flag): boolean {
  return value === 'file' || value === 'dir';
}

function plain(word: string): readonly [word: string, summary: string] {
  return [word, ''];
}

function reply(
  current: string,
  candidates: readonly (readonly [word: string, summary: string])[],
  directive: keyof typeof DIRECTIVES,
): string {
  const lines = candidates
    .filter(([word]) => word.startsWith(current))
    .map(([word, summary]) => (summary === '' ? word : `${word}\t${summary}`));
  return [...lines, DIRECTIVES[directive], ''].join('\n');
}

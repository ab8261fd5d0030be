import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { parseRules, renderProblems } from '../core/rules/parse.ts';
import { effectiveRules, renderEffective } from './effective-rules.ts';
import type { Effective } from './effective-rules.ts';
import { readShipped } from '../rules/shipped.ts';
import { UserError } from '../process/user-error.ts';
import { Command, nonEmpty, Option } from './options.ts';
import type { OptionsOf } from './options.ts';
import { examples } from './usage.ts';

const flags = new Command('check')
  .description('Checks a rules file and lists everything that is wrong with it, each with its line and the way out.')
  .argument('[file]', 'rules file, or - for standard input')
  .addOption(new Option('-f, --filename <file>', 'the same, as kubectl would have it').argParser(nonEmpty))
  .addOption(new Option('--print', 'show the rules that hold, in their order: yours, then the shipped ones'))
  .addOption(
    new Option('-o, --output <format>', 'text for people; json for machines').choices(['text', 'json']).default('text'),
  )
  .addHelpText(
    'after',
    examples(
      ['Is it right?', 'autoscrape check rules.yaml'],
      ['Which rules hold, and in which order?', 'autoscrape check rules.yaml --print'],
      ['What is shipped?', "echo 'extends: default' | autoscrape check - --print"],
    ),
  );

/** `autoscrape check`. */
export const command = flags.action(async (argument, options, self) => {
  const [file, ...more] = [argument, options.filename].filter((name) => name !== undefined);
  if (file === undefined || more.length > 0) {
    return self.error('error: give one rules file: autoscrape check rules.yaml');
  }
  process.exitCode = await check(file, options);
});

/** What `autoscrape check` is told. */
export type CheckOptions = OptionsOf<typeof flags>;

/** The exit code after checking a rules file: 1 where something is wrong with it, else 0. */
export async function check(file: string, { print, output }: CheckOptions): Promise<number> {
  const name = file === '-' ? 'standard input' : file;
  const shipped = readShipped();
  const parsed = parseRules(await read(file), shipped);
  const problems = parsed.ok ? parsed.remarks : parsed.problems;
  if (!parsed.ok || problems.length > 0) {
    if (output === 'json') writeJson({ file: name, ok: false, problems });
    else process.stderr.write(`${renderProblems(name, problems)}\n`);
    return 1;
  }
  const effective = effectiveRules(parsed.rules, shipped);
  if (output === 'json') writeJson(print ? effective.file : { file: name, ok: true, problems: [] });
  else process.stdout.write(print ? renderEffective(effective) : `${name} is right. ${inWords(effective)}\n`);
  return 0;
}

async function read(file: string): Promise<string> {
  try {
    return await (file === '-' ? text(process.stdin) : readFile(file, 'utf8'));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new UserError(`the rules file can't be read: ${reason}`, { cause: error });
  }
}

function writeJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

function inWords({ own, shipped, file }: Effective): string {
  const https = file['https'] === true ? 'annotated, too' : 'left alone';
  return `${own} of your own rules come first, then ${shipped} shipped ones; https endpoints are ${https}.`;
}

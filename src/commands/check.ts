import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { parseRules, renderProblems } from '../core/rules.ts';
import { effectiveRules, renderEffective } from '../rules/effective.ts';
import type { Effective } from '../rules/effective.ts';
import { readShipped } from '../rules/shipped.ts';
import { UserError } from '../user-error.ts';

/** What `autoscrape check` was told by flags. */
export interface CheckOptions {
  readonly print?: boolean;
  readonly output: 'text' | 'json';
}

/** The exit code after checking a rules file: 1 where something is wrong with it, else 0. */
export async function check(file: string, { print = false, output }: CheckOptions): Promise<number> {
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

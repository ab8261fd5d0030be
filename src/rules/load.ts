import { readFile } from 'node:fs/promises';
import { parseRules, renderProblems } from '../core/rules/parse.ts';
import type { Rules } from '../core/rules/parse.ts';
import { readErrorMessage } from '../process/read-error.ts';
import { UserError } from '../process/user-error.ts';
import { defaultRules, readShipped } from './shipped.ts';

/**
 * The rules of a file, or the shipped ones where there is none; a UserError lists everything that is wrong with the file. That
 * a rule of it replaces a shipped one is told on stderr.
 */
export async function loadRules(file: string | undefined): Promise<Rules> {
  if (file === undefined) return defaultRules();
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    throw new UserError(readErrorMessage(file, error), { cause: error });
  }
  const parsed = parseRules(text, readShipped());
  if (parsed.ok) {
    if (parsed.remarks.length > 0) process.stderr.write(`${renderProblems(file, parsed.remarks)}\n`);
    return parsed.rules;
  }
  throw new UserError(`invalid rules file:\n${renderProblems(file, parsed.problems)}`);
}

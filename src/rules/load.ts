import { readFile } from 'node:fs/promises';
import { parseRules, renderProblems } from '../core/rules/parse.ts';
import type { Rules } from '../core/rules/parse.ts';
import { readErrorMessage } from '../process/file-error.ts';
import { UserError } from '../process/user-error.ts';
import { defaultRules, readShipped } from './shipped.ts';

/**
 * Returns the rules of a file, or the shipped ones where there is no file. An invalid file throws a
 * UserError with all its problems. Its warnings are written to stderr.
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
    if (parsed.value.warnings.length > 0) process.stderr.write(`${renderProblems(file, parsed.value.warnings)}\n`);
    return parsed.value.rules;
  }
  throw new UserError(`invalid rules file:\n${renderProblems(file, parsed.error)}`);
}

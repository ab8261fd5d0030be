import { CommanderError } from 'commander';
import { UserError } from '../process/user-error.ts';

/** Prints what a command threw, and returns the exit code: 2 for a usage error, 1 for a UserError or a bug. */
export function reportError(error: unknown): number {
  // commander has printed its message already; it also throws after --help and --version, with exit code 0.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  if (error instanceof UserError) console.error(`autoscrape: ${error.message}`);
  else console.error(error);
  return 1;
}

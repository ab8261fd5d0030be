import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

/** The program's entry point, for `node`. */
export const MAIN = fileURLToPath(new URL('../../../src/main.ts', import.meta.url));

/** What a run of the program came to. */
export interface Finished {
  readonly code: unknown;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `autoscrape` with the arguments, as a user would, and returns what it wrote and its exit code. */
export async function runAutoscrape(args: readonly string[], input: string | Buffer = ''): Promise<Finished> {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: 'pipe' });
  child.stdin.end(input);
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
  return { code, stdout, stderr };
}

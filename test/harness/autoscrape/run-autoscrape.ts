import { AsyncLocalStorage } from 'node:async_hooks';
import { PassThrough } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { runCommandLine } from '../../../src/command-line.ts';

/** The program's entry point, for `node`. */
export const MAIN = fileURLToPath(new URL('../../../src/main.ts', import.meta.url));

/** What a program under test is given of the environment: nobody's AUTOSCRAPE_… variables, and nobody's kubeconfig. */
export const BASE_ENV = { PATH: process.env['PATH'], NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'] };

/** What a run of the program came to. */
export interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** What the run that is under way has written. Whatever else writes, the test runner above all, has none. */
const captured = new AsyncLocalStorage<{ stdout: Buffer[]; stderr: Buffer[] }>();

for (const name of ['stdout', 'stderr'] as const) {
  const stream = process[name];
  const write = stream.write.bind(stream);
  const capture = (chunk: string | Uint8Array, ...rest: readonly unknown[]): boolean => {
    const run = captured.getStore();
    // @ts-expect-error -- the overloads of write differ in what follows the chunk
    if (run === undefined) return write(chunk, ...rest);
    run[name].push(Buffer.from(chunk));
    for (const callback of rest) if (typeof callback === 'function') process.nextTick(callback);
    return true;
  };
  stream.write = capture;
}

/** Resolves when the runs before it have ended: the exit code and standard input belong to the whole process. */
let previous: Promise<unknown> = Promise.resolve();

/**
 * Runs `autoscrape` with the arguments in this process, and returns what it wrote and its exit code. A process of its own, as
 * a user has it, costs 0.2 s of CPU a run; `run` starts one where a test is about the process: its environment, its signals,
 * its end.
 */
export async function runAutoscrape(
  args: readonly string[],
  input: string | Buffer = '',
  env: Readonly<Record<string, string>> = {},
): Promise<Finished> {
  const run = previous.then(() => runAlone(args, input, env));
  previous = run.catch(() => undefined);
  return await run;
}

async function runAlone(
  args: readonly string[],
  input: string | Buffer,
  env: Readonly<Record<string, string>>,
): Promise<Finished> {
  const { env: ours, exitCode } = process;
  const stdin = Object.getOwnPropertyDescriptor(process, 'stdin') ?? {};
  Object.defineProperty(process, 'stdin', { value: new PassThrough().end(input), configurable: true });
  process.env = { ...BASE_ENV, ...env };
  process.exitCode = 0;
  const output = { stdout: [], stderr: [] };
  try {
    await captured.run(output, () => runCommandLine(args));
    return {
      code: process.exitCode,
      stdout: Buffer.concat(output.stdout).toString(),
      stderr: Buffer.concat(output.stderr).toString(),
    };
  } finally {
    // The test runner's own: it says whether something failed.
    process.exitCode = exitCode;
    process.env = ours;
    Object.defineProperty(process, 'stdin', stdin);
  }
}

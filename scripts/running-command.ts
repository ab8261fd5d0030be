import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** A subcommand of autoscrape that runs as a process of its own. */
export interface RunningCommand {
  /** The line with which it said that it was ready. */
  readonly ready: string;
  /** Stops it as Ctrl-C would, and waits for its end. */
  readonly stop: () => Promise<void>;
}

/** Returns the subcommand once it has printed a line that matches `ready`; rejects with its output if it ends before. */
export async function startCommand(args: readonly string[], ready: RegExp): Promise<RunningCommand> {
  const main = fileURLToPath(new URL('../src/main.ts', import.meta.url));
  const child = spawn(process.execPath, [main, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = once(child, 'close');
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  const stop = async (): Promise<void> => {
    child.kill('SIGINT');
    // A process that doesn't stop when asked to must not outlive the one that started it.
    const limit = setTimeout(() => child.kill('SIGKILL'), 5000);
    await ended;
    clearTimeout(limit);
  };
  const line = await Promise.race([
    ended.then(() => undefined),
    (async () => {
      for await (const line of createInterface(child.stdout)) if (ready.test(line)) return line;
      return undefined;
    })(),
  ]);
  if (line !== undefined) {
    // Further log lines are read and dropped: a full pipe would stop the process.
    child.stdout.resume();
    return { ready: line, stop };
  }
  await stop();
  throw new Error(`autoscrape ${args[0] ?? ''} did not start: ${errors.trim()}`);
}

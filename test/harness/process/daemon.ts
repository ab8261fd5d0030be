import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { onInterruption } from './interruption.ts';
import { killNow } from '../../../tools/process-id.ts';
import { GiveUp, waitFor } from './wait-for.ts';
import type { WaitOptions } from './wait-for.ts';

/** Where processes run, and for how long. */
export interface Place {
  /** Holds their logs and pid files. */
  readonly directory: string;
  /** A command that executes the rest of its arguments elsewhere, for example in a network namespace. */
  readonly enter?: readonly string[];
  /** Whether they outlive the test process. */
  readonly keep?: boolean;
}

/** How to start a process that runs beside the test. */
export interface DaemonOptions extends Place {
  /** Names its log and pid file. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** A process that runs beside the test and is killed, by its id, when the test process ends in whatever way. */
export interface Daemon {
  readonly name: string;
  readonly pid: number;
  readonly logFile: string;
  /** What it ended with, for a sentence, or undefined while it runs. */
  ended(): string | undefined;
  /** Asks it to end, and kills it when it hasn't after five seconds; resolves when it is gone. */
  stop(): Promise<void>;
  /** Kills it; resolves when it is gone. */
  kill(): Promise<void>;
}

/** Starts a process with its output in a log file, and returns it once it has been spawned. */
export async function startDaemon(options: DaemonOptions): Promise<Daemon> {
  const { name, directory, keep = false, enter = [] } = options;
  const logFile = join(directory, `${name}.log`);
  const pidFile = join(directory, `${name}.pid`);
  const log = openSync(logFile, 'a');
  // On Linux the kernel kills it even when this process is killed without a chance to clean up.
  const tied = process.platform === 'linux' && !keep ? ['setpriv', '--pdeathsig', 'KILL'] : [];
  const [command = options.command, ...args] = [...tied, ...enter, options.command, ...options.args];
  const child = spawn(command, args, {
    stdio: ['ignore', log, log],
    env: { ...process.env, ...options.env },
    detached: keep,
  });
  closeSync(log);
  let ended: string | undefined;
  const gone = new Promise<void>((resolve) => {
    child.once('exit', (code, signal) => {
      ended = signal === null ? `exit code ${code}` : `signal ${signal}`;
      callOff();
      rmSync(pidFile, { force: true });
      resolve();
    });
  });
  const callOff = keep ? () => undefined : onInterruption(() => child.pid !== undefined && killNow(child.pid));
  await once(child, 'spawn');
  const { pid } = child;
  if (pid === undefined) throw new Error(`${name} has no process id`);
  writeFileSync(pidFile, String(pid));
  // A test that forgets to stop it ends all the same, and its end kills it.
  child.unref();

  const kill = async (): Promise<void> => {
    child.ref();
    if (ended === undefined) killNow(pid);
    await gone;
  };
  return {
    name,
    pid,
    logFile,
    ended: () => ended,
    kill,
    async stop() {
      child.ref();
      if (ended === undefined) child.kill('SIGTERM');
      const impatience = setTimeout(() => void kill(), 5000);
      await gone;
      clearTimeout(impatience);
    },
  };
}

/** Waits until `probe` says that the daemon is ready; throws with the end of its log when it ends before, or never is. */
export async function ready(daemon: Daemon, probe: () => Promise<boolean>, options: WaitOptions = {}): Promise<void> {
  try {
    await waitFor(
      `${daemon.name} to be ready`,
      async () => {
        const ended = daemon.ended();
        if (ended !== undefined) throw new GiveUp(`${daemon.name} ended with ${ended}`);
        return probe();
      },
      { seconds: 60, everyMs: 50, ...options },
    );
  } catch (cause) {
    const log = await readFile(daemon.logFile, 'utf8');
    const tail = log.trimEnd().split('\n').slice(-30).join('\n');
    throw new Error(`${daemon.name} didn't get ready; the end of its log:\n${tail}`, { cause });
  }
}

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { createAuthority } from '../../../src/webhook/certificate-authority.ts';
import type { Authority } from '../../../src/webhook/certificate-authority.ts';
import type { Target } from './client.ts';
import { BASE_ENV, MAIN } from './run-autoscrape.ts';
import type { Finished } from './run-autoscrape.ts';

/** A test, or whatever else cleans up after itself. */
export interface Scope {
  readonly after: (cleanup: () => unknown) => void;
}

/** How the command line is run. */
export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly nodeFlags?: readonly string[];
  /** The entry; without it the sources' own. */
  readonly main?: string;
}

/** A `serve` process that answers. */
export interface Serving extends Target {
  readonly pid: number;
  readonly healthPort: number;
  /** The lines logged so far, as text. */
  readonly lines: readonly string[];
  /** Resolves with the first logged line, past or to come, that matches. */
  readonly line: (pattern: RegExp) => Promise<string>;
  /** Status and body of a page of the health port; status 0 when nobody answers. */
  readonly health: (path: string) => Promise<{ readonly status: number; readonly body: string }>;
  readonly kill: (signal: NodeJS.Signals) => void;
  /** Resolves with the exit code. */
  readonly exited: Promise<number | null>;
}

/** Runs `autoscrape` with the arguments as a process of its own, and returns what it wrote and its exit code. */
export async function run(
  args: readonly string[],
  { env = {}, nodeFlags = [], main = MAIN }: RunOptions = {},
): Promise<Finished> {
  const child = spawn(process.execPath, [...nodeFlags, main, ...args], {
    env: { ...BASE_ENV, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  await once(child, 'close');
  return { code: child.exitCode ?? -1, stdout, stderr };
}

/** Returns a folder of its own, gone after the test. */
export async function temporaryFolder(t: Scope): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'autoscrape-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Writes a new pair for localhost into the folder. */
export async function writePair(authority: Authority, folder: string, notAfter?: Date): Promise<void> {
  const leaf = authority.issue({ names: ['localhost', '127.0.0.1'], ...(notAfter !== undefined && { notAfter }) });
  await writeFile(join(folder, 'tls.crt'), leaf.certificate);
  await writeFile(join(folder, 'tls.key'), leaf.key);
}

/** What a test wants to be different about `serve`. */
export interface ServeSetting extends RunOptions {
  readonly authority?: Authority;
  /** The folder of the pair; without it one is made. An empty one: `serve --self-signed`. */
  readonly certDir?: string;
  readonly args?: readonly string[];
}

/** A `serve` process on free ports, ready, and ended with the test. */
export async function startServe(t: Scope, setting: ServeSetting = {}): Promise<Serving> {
  const authority = setting.authority ?? createAuthority();
  let { certDir } = setting;
  if (certDir === undefined) {
    certDir = await temporaryFolder(t);
    await writePair(authority, certDir);
  }
  const pair = certDir === '' ? ['--self-signed'] : ['--cert-dir', certDir];
  const args = ['serve', ...pair, '--host', '127.0.0.1', '--port', '0', '--health-port', '0'];
  const child = spawn(
    process.execPath,
    [...(setting.nodeFlags ?? []), setting.main ?? MAIN, ...args, ...(setting.args ?? [])],
    {
      env: { ...BASE_ENV, ...setting.env },
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  const exited = once(child, 'close').then(() => child.exitCode);
  t.after(async () => {
    child.kill('SIGKILL');
    await exited;
  });
  const lines: string[] = [];
  const reader = createInterface(child.stdout);
  reader.on('line', (line) => lines.push(line));

  async function line(pattern: RegExp): Promise<string> {
    // One minute is for machines that do much else; nothing waits for it when all is well.
    for (let waited = 0; waited < 60_000; waited += 20) {
      const found = lines.find((logged) => pattern.test(logged));
      if (found !== undefined) return found;
      if (child.exitCode !== null) break;
      await sleep(20);
    }
    throw new Error(`no line matches ${pattern}:\n${lines.join('\n')}`);
  }

  const { port, healthPort } = JSON.parse(await line(/"msg":"serving"/));
  return {
    pid: child.pid ?? 0,
    port,
    healthPort,
    ca: authority.certificate,
    lines,
    line,
    exited,
    health: (path) => get(healthPort, path),
    kill: (signal) => child.kill(signal),
  };
}

function get(port: number, path: string): Promise<{ status: number; body: string }> {
  return new Promise((resolve) => {
    const call = request({ host: '127.0.0.1', port, path, agent: false }, (response) => {
      let body = '';
      response.on('data', (chunk: Buffer) => (body += chunk.toString()));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
    });
    call.on('error', () => resolve({ status: 0, body: '' }));
    call.end();
  });
}

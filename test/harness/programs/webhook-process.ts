import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { heapFlag, NODE_FLAGS } from '../../../tools/node-flags.ts';
import { createAuthority } from '../../../src/webhook/certificate-authority.ts';
import { MAIN } from '../autoscrape/run-autoscrape.ts';
import type { Target } from '../autoscrape/client.ts';
import { ready, startDaemon } from '../process/daemon.ts';
import type { Daemon } from '../process/daemon.ts';
import { freePort } from '../process/free-port.ts';

/** An `autoscrape serve` beside the API server, on ports that it keeps over a restart. */
export interface WebhookProcess extends Target {
  readonly daemon: () => Daemon;
  /** The sum of a metric over those of its series whose labels, as they are printed, match. */
  metric(name: string, labels?: RegExp): Promise<number>;
  /** Starts it again after its daemon has ended. */
  start(): Promise<void>;
}

/** What is to be different from the one webhook with the shipped rules. */
export interface WebhookOptions {
  /** Names its folder and its log. */
  readonly name?: string;
  readonly rulesText?: string;
  /** Further flags of `serve`. */
  readonly flags?: readonly string[];
  /** Flags of Node and the program's entry point. */
  readonly program?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts `autoscrape serve` with the flags that the image has, and returns it once it is ready. */
export async function startWebhookProcess(
  directory: string,
  {
    name = 'webhook',
    rulesText = '',
    flags = [],
    program = [...NODE_FLAGS, heapFlag(), MAIN],
    env = {},
  }: WebhookOptions = {},
): Promise<WebhookProcess> {
  const folder = join(directory, name);
  await mkdir(folder);
  const authority = createAuthority();
  const pair = authority.issue({ names: ['127.0.0.1', 'localhost'] });
  await writeFile(join(folder, 'tls.crt'), pair.certificate);
  await writeFile(join(folder, 'tls.key'), pair.key);
  await writeFile(join(folder, 'rules.yaml'), rulesText);
  const port = await freePort();
  const healthPort = await freePort();
  const where = [`--cert-dir=${folder}`, `--rules=${join(folder, 'rules.yaml')}`];
  const listen = ['--host=127.0.0.1', `--port=${port}`, `--health-port=${healthPort}`, '--drain-seconds=0'];
  const args = [...program, 'serve', ...where, ...listen, ...flags];

  const start = async (): Promise<Daemon> => {
    const daemon = await startDaemon({ name, directory, command: process.execPath, args, env });
    await ready(daemon, async () => (await fetch(`http://127.0.0.1:${healthPort}/readyz`)).status === 200);
    return daemon;
  };
  let daemon = await start();
  return {
    port,
    ca: authority.certificate,
    daemon: () => daemon,
    async metric(name, labels = /^/) {
      const page = await (await fetch(`http://127.0.0.1:${healthPort}/metrics`)).text();
      return sumOf(page, name, labels);
    },
    async start() {
      daemon = await start();
    },
  };
}

/** Returns the sum of a metric over its series whose labels match, in a page of Prometheus' text format. */
export function sumOf(page: string, name: string, labels: RegExp): number {
  const series = page
    .split('\n')
    .filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`))
    .filter((line) => labels.test(line.slice(name.length, line.lastIndexOf(' '))));
  return series.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}

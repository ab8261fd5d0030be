import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { decide } from '../src/core/decide.ts';
import { renderPatch } from '../src/core/patch.ts';
import { defaultRules } from '../src/rules/shipped.ts';
import { createAuthority } from '../src/webhook/certificate-authority.ts';
import { post } from '../test/harness/autoscrape/client.ts';
import type { Target } from '../test/harness/autoscrape/client.ts';
import { ready, startDaemon } from '../test/harness/process/daemon.ts';
import type { Daemon } from '../test/harness/process/daemon.ts';
import { freePort } from '../test/harness/process/free-port.ts';
import { startWebhookProcess } from '../test/harness/programs/webhook-process.ts';
import { heapFlag, MALLOC_VARIABLES } from '../tools/node-flags.ts';
import { goServer } from './go-server.ts';
import { annotated } from './pod.ts';

/** The checkout that is measured; `npm run build` makes its bundle. */
const CHECKOUT = fileURLToPath(new URL('..', import.meta.url));

/** Returns where the bundle of a checkout is. */
export function bundleOf(checkout = CHECKOUT): string {
  return join(checkout, 'dist/main.js');
}

/** What a benchmark found. */
export interface Measurement {
  /** Tables, in Markdown. */
  readonly text: string;
  /** What the bars are about: a name, and a figure for each version of autoscrape, this one last. */
  readonly figures: readonly (readonly string[])[];
}

/** A running webhook that is measured. */
export interface Webhook {
  readonly name: string;
  readonly target: Target;
  readonly pid: number;
}

/** All of them. */
export interface Webhooks {
  /** What any webhook costs at least: the same patch for every pod, as bytes. */
  readonly constantPatch: Webhook;
  readonly sketch: Webhook;
  /** This version, and before it other ones. */
  readonly autoscrapes: readonly Webhook[];
  readonly controllerRuntime: Webhook;
  stop(): Promise<void>;
}

/** Starts all webhooks, with their files in that folder; `others` are built checkouts of other versions of autoscrape. */
export async function startWebhooks(directory: string, others: readonly string[]): Promise<Webhooks> {
  const floorPath = await goServer('floor', 1);
  const runtimePath = await goServer('controller-runtime', 2);
  const certificates = join(directory, 'certificate');
  await mkdir(certificates);
  const authority = createAuthority();
  const pair = authority.issue({ names: ['127.0.0.1', 'localhost'] });
  await writeFile(join(certificates, 'tls.crt'), pair.certificate);
  await writeFile(join(certificates, 'tls.key'), pair.key);

  const daemons: Daemon[] = [];
  async function stop(): Promise<void> {
    for (const daemon of daemons) await daemon.kill();
  }
  async function start(name: string, command: string, argsFor: (port: number) => string[]): Promise<Webhook> {
    const port = await freePort();
    const daemon = await startDaemon({ name: name.replaceAll(/\W+/g, '-'), directory, command, args: argsFor(port) });
    daemons.push(daemon);
    const target = { port, ca: authority.certificate };
    await ready(daemon, async () => (await post(target, '{}')).status > 0);
    return { name, target, pid: daemon.pid };
  }
  const startGo = (name: string, path: string, ...args: string[]) =>
    start(name, path, (port) => [`-port=${port}`, `-cert-dir=${certificates}`, ...args]);
  async function startAutoscrape(name: string, checkout: string): Promise<Webhook> {
    const program = [...(await imageFlags(checkout)), heapFlag(), bundleOf(checkout)];
    const webhook = await startWebhookProcess(directory, {
      name: name.replaceAll(/\W+/g, '-'),
      program,
      env: MALLOC_VARIABLES,
    });
    daemons.push(webhook.daemon());
    return { name, target: webhook, pid: webhook.daemon().pid };
  }
  const patch = Buffer.from(JSON.stringify(renderPatch(annotated, decide(annotated, defaultRules())))).toString(
    'base64',
  );
  const sketch = fileURLToPath(new URL('sketch.ts', import.meta.url));
  try {
    const autoscrapes: Webhook[] = [];
    for (const other of others) autoscrapes.push(await startAutoscrape(`autoscrape, ${other}`, other));
    autoscrapes.push(await startAutoscrape('autoscrape', CHECKOUT));
    return {
      constantPatch: await startGo('constant patch, Go net/http', floorPath, `-patch=${patch}`),
      sketch: await start('a sketch on Fastify', process.execPath, (port) => [sketch, String(port), certificates]),
      autoscrapes,
      controllerRuntime: await startGo('the same on Go controller-runtime', runtimePath),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Returns the flags of Node with which a checkout's image starts. */
async function imageFlags(checkout: string): Promise<readonly string[]> {
  const dockerfile = await readFile(join(checkout, 'Dockerfile'), 'utf8');
  const words = /^ENTRYPOINT \["[^"]+", (.*), "\/app\/main.js"\]$/m.exec(dockerfile)?.[1] ?? '';
  return words.split(', ').map((word) => word.replaceAll('"', ''));
}

/** Returns the webhooks in the order of the tables: the constant patch, the sketch, those of autoscrape, controller-runtime. */
export function inOrder({ constantPatch, sketch, autoscrapes, controllerRuntime }: Webhooks): readonly Webhook[] {
  return [constantPatch, sketch, ...autoscrapes, controllerRuntime];
}

import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual, styleText } from 'node:util';
import { REASONS } from '../src/core/skip-reason.ts';
import { admit } from './admission-call.ts';
import type { Webhook } from './admission-call.ts';
import { annotationsOf, EXAMPLES, readExample, SAMPLE_PORT, withoutAdded, withPort } from '../tools/demo-examples.ts';
import { renderAdded, renderRow } from './demo-page.ts';
import { scrape, targetUrl } from '../tools/prometheus-target.ts';
import { startCommand } from './running-command.ts';
import type { RunningCommand } from './running-command.ts';
import { createAuthority } from '../src/webhook/certificate-authority.ts';

// What a newcomer sees first: the real webhook over TLS and a real app, on a machine without any cluster. The example
// manifests' pods go through it as the API server would send them; then the sample app is scraped as Prometheus would.

const ADDRESS = '127.0.0.1';
const SERVER_NAME = 'autoscrape.autoscrape.svc';
const NAMESPACE = 'demo';

const start = performance.now();
let isOver = false;
const started: Promise<RunningCommand>[] = [];
const folder = await mkdtemp(join(tmpdir(), 'autoscrape-demo-'));
const interrupted = Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]).then(() => {
  throw new Error('interrupted');
});
try {
  await Promise.race([interrupted, demonstrate()]);
} catch (error) {
  say('', styleText('red', `✘ ${error instanceof Error ? error.message : String(error)}`));
  // After Ctrl-C, running steps continue until they fail; their errors are not printed.
  isOver = true;
  process.exitCode = 1;
} finally {
  // One that is still starting is waited for: it must not outlive this process.
  const commands = await Promise.allSettled(started);
  for (const command of commands) if (command.status === 'fulfilled') await command.value.stop();
  await rm(folder, { recursive: true });
}
if (process.exitCode === undefined) {
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  say('', `${styleText('green', '✔')} All of it came true in ${seconds} seconds, and nothing is left running.`);
  say('  Now your own:  npm run -s autoscrape -- explain -f FILE-OR-FOLDER');
}

async function demonstrate(): Promise<void> {
  say('', styleText('bold', 'autoscrape: pods get their Prometheus annotations as they are created'), '');
  const port = await freePort(SAMPLE_PORT);
  const webhook = await startBoth(port);

  say('', styleText('bold', 'The manifests in examples/, none of them changed, as their pods are created'), '');
  say(styleText('dim', renderRow(['WORKLOAD', 'WHAT IT IS', 'BECOMES THE TARGET', 'BY'])));
  const added: Record<string, string> = {};
  for (const { file, what, want } of EXAMPLES) {
    const example = await readExample(file, NAMESPACE);
    const isSample = file === 'sample.yaml';
    const before = isSample ? withPort(example.pod, SAMPLE_PORT, port) : example.pod;
    const { pod, audit } = await admit(webhook, NAMESPACE, before);
    if (!isDeepStrictEqual(withoutAdded(pod, before), before))
      throw new Error(`examples/${file} was changed elsewhere`);
    if (isSample) Object.assign(added, annotationsOf(pod));

    const target = targetUrl('', annotationsOf(pod))?.replace('http://', '');
    const by = target === undefined ? (audit['reason'] ?? '') : byRule(audit['rule'] ?? '');
    say(renderRow([`${example.kind} ${example.name}`, what, target ?? 'none: skipped', by]));
    const wanted = isSample ? want.replace(`:${SAMPLE_PORT}`, `:${port}`) : want;
    if ((target ?? by) !== wanted) throw new Error(`examples/${file} was to come out as ${wanted}`);
  }
  say(
    '',
    ...(['no_candidate', 'opted_out'] as const).map((reason) =>
      styleText('dim', `  ${reason.padEnd(13)} ${REASONS[reason]}`),
    ),
  );

  say('', styleText('bold', "What the sample's pod was given, and nothing else was touched"), '', renderAdded(added));

  const url = targetUrl(ADDRESS, added);
  if (url === undefined) throw new Error("the sample's annotations make no target");
  say('', styleText('bold', "What Prometheus makes of it: the pod's address, and the port and path just added"), '');
  say(`  GET ${url}`);
  const first = await scrape(url, 'count_total');
  say(`      count_total ${first}`);
  await sleep(2000);
  const second = await scrape(url, 'count_total');
  if (second <= first) throw new Error("the sample's counter stands still");
  say(`      count_total ${styleText('green', String(second))}   two seconds later: it grows`);
}

/** Starts the webhook and the sample app, and returns how the API server reaches the webhook. */
async function startBoth(samplePort: number): Promise<Webhook> {
  const authority = createAuthority();
  const pair = authority.issue({ names: [SERVER_NAME] });
  await writeFile(join(folder, 'tls.crt'), pair.certificate);
  await writeFile(join(folder, 'tls.key'), pair.key);
  const serve = ['serve', '--cert-dir', folder, '--host', ADDRESS, '--port', '0', '--health-port', '0'];
  const sample = ['sample', '--host', ADDRESS, '--port', String(samplePort)];
  const [ready] = await Promise.all([begin(serve, /"msg":"serving"/), begin(sample, /metrics are at/)]);

  const port = Number(/"port":([0-9]+)/.exec(ready)?.[1]);
  done(`autoscrape serve   the webhook, on https://${ADDRESS}:${port}/mutate, with a throwaway certificate`);
  done(`autoscrape sample  an app with a counter, on http://${ADDRESS}:${samplePort}/metrics`);
  if (samplePort !== SAMPLE_PORT)
    say(`  (${SAMPLE_PORT} is taken on this machine, so its manifest is read as if it said ${samplePort})`);
  return { port, serverName: SERVER_NAME, caBundle: authority.certificate };
}

async function begin(args: readonly string[], ready: RegExp): Promise<string> {
  const command = startCommand(args, ready);
  started.push(command);
  return (await command).ready;
}

function byRule(rule: string): string {
  return rule === 'annotation' ? 'its own annotation' : `rule ${rule}`;
}

/** Returns the port if nobody has it, else one that is free. */
async function freePort(wanted: number): Promise<number> {
  const server = createServer().listen(wanted, ADDRESS);
  try {
    await once(server, 'listening');
  } catch {
    return await freePort(0);
  }
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : wanted;
}

function done(text: string): void {
  say(`${styleText('green', '✔')} ${text}`);
}

function say(...lines: readonly string[]): void {
  if (!isOver) for (const line of lines) console.log(line);
}

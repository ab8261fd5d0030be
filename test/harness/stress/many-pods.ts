import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { heapFlag, MALLOC_VARIABLES, NODE_FLAGS } from '../../../tools/node-flags.ts';
import { createAuthority } from '../../../src/webhook/certificate-authority.ts';
import { freePort } from '../process/free-port.ts';
import { waitFor } from '../process/wait-for.ts';
import { temporaryFolder } from '../autoscrape/serving.ts';
import type { Scope } from '../autoscrape/serving.ts';
import { startStandIn } from '../control-plane/stand-in-api-server.ts';
import { underScope } from './scope.ts';

// `node test/harness/stress/many-pods.ts [--known=150000 --waiting=50000 --namespaces=50 --limit=256]`, after `npm run build`, on Linux: a
// reconciler under the flags that it is shipped with in a container with that memory limit (MiB) comes to know so many pods of 6 KB,
// of which so many wait to be annotated at once. Exit code 0 only if it knows all, has begun to annotate, and stays below the limit.

const { values } = parseArgs({
  options: {
    known: { type: 'string', default: '150000' },
    waiting: { type: 'string', default: '50000' },
    namespaces: { type: 'string', default: '50' },
    limit: { type: 'string', default: '256' },
    main: { type: 'string', default: join(import.meta.dirname, '../../../dist/main.js') },
  },
});
const known = Number(values.known);
const waiting = Number(values.waiting);
const namespaces = Number(values.namespaces);
const limit = Number(values.limit);

/** Pods that are annotated once all are known, to see that it works at that size: five seconds at the shipped rate. */
const PATCHES = 100;

await underScope(many);

async function many(scope: Scope): Promise<number> {
  const perNamespace = Math.ceil(known / namespaces);
  const names = Array.from({ length: namespaces }, (_, index) => `shop-${index}`);
  const { certificate: cert, key } = createAuthority().issue({ names: ['127.0.0.1'] });
  const server = await startStandIn({
    namespaces: new Map(names.map((name) => [name, perNamespace])),
    isAnnotated: (_, index) => index >= (perNamespace * waiting) / known,
    tls: { cert, key },
  });
  scope.after(() => server.close());
  const kubeconfig = join(await temporaryFolder(scope), 'kubeconfig');
  await writeFile(kubeconfig, server.kubeconfig);
  const port = await freePort();
  const heap = heapFlag(limit);
  const child = spawn(
    process.execPath,
    [
      ...NODE_FLAGS,
      heap,
      values.main,
      'reconcile',
      `--kubeconfig=${kubeconfig}`,
      '--lease-namespace=autoscrape',
      '--host=127.0.0.1',
      `--health-port=${port}`,
      '--log-level=error',
    ],
    { stdio: ['ignore', 'inherit', 'inherit'], env: { ...process.env, ...MALLOC_VARIABLES } },
  );
  let ended: string | undefined;
  child.once('exit', (code, signal) => (ended = String(signal ?? code)));
  scope.after(() => child.kill());
  const total = perNamespace * namespaces;
  const count = async (): Promise<number> => {
    if (ended !== undefined) return total; // looked at below
    const response = await fetch(`http://127.0.0.1:${port}/metrics`).catch(() => undefined);
    const page = (await response?.text()) ?? '';
    return [...page.matchAll(/^autoscrape_reconcile_pods\{.*\} (\d+)$/gm)].reduce(
      (sum, [, pods]) => sum + Number(pods),
      0,
    );
  };
  let patched = 0;
  server.onPatch = (_, status) => {
    if (status === 200) patched += 1;
  };
  const started = performance.now();
  await waitFor('every pod to be known', async () => (await count()) >= total, { seconds: 600, everyMs: 1000 });
  const before = patched;
  const listed = Math.round((performance.now() - started) / 1000);
  await waitFor('changes', () => ended !== undefined || patched >= before + PATCHES, { seconds: 120 });
  const memory = ended === undefined ? peak(child.pid ?? 0) : Infinity;
  const cpu = ended === undefined ? cpuSeconds(child.pid ?? 0) : 0;
  console.log(
    `${total} pods in ${namespaces} namespaces, ${waiting} waiting, ${heap}: known after ${listed} s, ${cpu} s of CPU; ` +
      `${patched} annotated; at most ${memory} MiB of ${limit}${ended === undefined ? '' : `; ended with ${ended}`}`,
  );
  return ended === undefined && memory < limit ? 0 : 1;
}

/** Most memory that the process had, in MiB. */
function peak(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Math.round(Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024);
}

/** CPU time of the process, in whole seconds. Fields 14 and 15 of proc(5)'s stat are in hundredths. */
function cpuSeconds(pid: number): number {
  const [, after = ''] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ');
  const fields = after.split(' ');
  return Math.round((Number(fields[11]) + Number(fields[12])) / 100);
}

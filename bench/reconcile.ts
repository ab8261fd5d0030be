// What the reconciler costs: 5,000 pods in 50 namespaces on a real API server, listed and annotated, and then left alone.
// Prints the figures of docs/performance.md. The program is the bundle with the flags of the image: npm run build first.
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { heapFlag, NODE_FLAGS } from '../tools/node-flags.ts';
import { startControlPlane } from '../test/harness/control-plane/control-plane.ts';
import { grantRights, RECONCILER, startReconciler } from '../test/harness/programs/reconciler-process.ts';
import type { ReconcilerProcess } from '../test/harness/programs/reconciler-process.ts';
import { waitFor } from '../test/harness/process/wait-for.ts';
import { annotated } from './pod.ts';

const NAMESPACES = 50;
const PODS = 100;
const IDLE_SECONDS = 60;
const BUNDLE = fileURLToPath(new URL('../dist/main.js', import.meta.url));
const PROGRAM = [...NODE_FLAGS, heapFlag(256), BUNDLE];

function pod(name: string): object {
  return { ...annotated, metadata: { ...annotated.metadata, name } };
}

function report(what: string, figures: object): void {
  console.log(`${what}: ${JSON.stringify(figures)}`);
}

async function memory({ daemon }: ReconcilerProcess): Promise<{ now: number; peak: number }> {
  const status = await readFile(`/proc/${daemon.pid}/status`, 'utf8');
  const mebibytes = (field: string) => Math.round(Number(new RegExp(`${field}:\\s+(\\d+)`).exec(status)?.[1]) / 1024);
  return { now: mebibytes('VmRSS'), peak: mebibytes('VmHWM') };
}

const cluster = await startControlPlane({ users: { [RECONCILER]: [] }, audit: 'Metadata' });
try {
  await grantRights(cluster);
  const counted = async (from: number) => {
    const events = (await cluster.auditEvents()).slice(from).filter(({ user }) => user.username === RECONCILER);
    const calls = new Map<string, number>();
    for (const { verb, requestURI } of events) {
      const resource = requestURI.split(/[/?]/).findLast((part) => ['pods', 'namespaces', 'leases'].includes(part));
      const call = `${verb} ${resource}`;
      calls.set(call, (calls.get(call) ?? 0) + 1);
    }
    return Object.fromEntries(calls);
  };
  const names = Array.from({ length: NAMESPACES }, (_, index) => `bench-${index}`);
  for (const name of names) {
    await cluster.request('POST', '/api/v1/namespaces', { metadata: { name } });
    const left = Array.from({ length: PODS }, (_, index) => `app-${index}`);
    while (left.length > 0) {
      const batch = left.splice(0, 20);
      await Promise.all(batch.map((app) => cluster.request('POST', `/api/v1/namespaces/${name}/pods`, pod(app))));
    }
  }

  const reconciler = await startReconciler(cluster, [], PROGRAM);
  report('memory with nothing opted in, MiB', await memory(reconciler));
  const from = (await cluster.auditEvents()).length;
  const started = performance.now();
  for (const name of names) {
    const labels = { 'autoscrape.io/inject': 'enabled' };
    await cluster.request('PATCH', `/api/v1/namespaces/${name}`, { metadata: { labels } });
  }
  const done = 'autoscrape_reconcile_changes_total{action="annotate",result="done"}';
  await waitFor('every pod', async () => (await reconciler.metric(done)) === NAMESPACES * PODS, {
    seconds: 900,
    everyMs: 500,
  });
  report('seconds to annotate all', { seconds: Math.round((performance.now() - started) / 1000) });
  report('memory afterwards, MiB', await memory(reconciler));
  report('calls', await counted(from));

  await sleep(10_000);
  const idle = (await cluster.auditEvents()).length;
  await sleep(IDLE_SECONDS * 1000);
  report(`calls in ${IDLE_SECONDS} s of rest`, await counted(idle));
  report('memory at rest, MiB', await memory(reconciler));
  report('CPU in all', { seconds: Math.round(await reconciler.metric('process_cpu_seconds_total')) });
  await reconciler.daemon.stop();

  const again = await startReconciler(cluster, [], PROGRAM);
  const known = 'autoscrape_reconcile_pods{plan="already_injected"}';
  await waitFor('every pod to be known', async () => (await again.metric(known)) === NAMESPACES * PODS);
  report('memory of a fresh start that finds all done, MiB', await memory(again));
  await again.daemon.stop();
} finally {
  await cluster.stop();
}

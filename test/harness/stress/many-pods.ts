import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { heapFlag } from '../../../tools/node-flags.ts';
import type { Scope } from '../autoscrape/serving.ts';
import { waitFor } from '../process/wait-for.ts';
import { startReconciler, startTlsStandIn } from './reconciler-process.ts';
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
  const { server, kubeconfig } = await startTlsStandIn(scope, {
    namespaces: new Map(names.map((name) => [name, perNamespace])),
    isAnnotated: (_, index) => index >= (perNamespace * waiting) / known,
  });
  const reconciler = await startReconciler(scope, kubeconfig, { main: values.main, limit });
  const total = perNamespace * namespaces;
  const count = async (): Promise<number> => {
    if (reconciler.hasEnded()) return total; // looked at below
    const page = await reconciler.metrics();
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
  await waitFor('changes', () => reconciler.hasEnded() || patched >= before + PATCHES, { seconds: 120 });
  const [memory, cpu, ended] = [reconciler.peakMemory(), reconciler.cpuSeconds(), reconciler.endedWith()];
  console.log(
    `${total} pods in ${namespaces} namespaces, ${waiting} waiting, ${heapFlag(limit)}: known after ${listed} s, ${cpu} s of CPU; ` +
      `${patched} annotated; at most ${memory} MiB of ${limit}${ended === undefined ? '' : `; ended with ${ended}`}`,
  );
  return ended === undefined && memory < limit ? 0 : 1;
}

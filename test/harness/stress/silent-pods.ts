import { createServer } from 'node:http';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { command } from '../../../tools/command.ts';
import type { Scope } from '../autoscrape/serving.ts';
import type { PodParts } from '../control-plane/stand-in-api-server.ts';
import { waitFor } from '../process/wait-for.ts';
import { startReconciler, startTlsStandIn } from './reconciler-process.ts';
import type { ReconcilerProcess } from './reconciler-process.ts';
import { underScope } from './scope.ts';

// `unshare --net node test/harness/stress/silent-pods.ts [--pods=5000 --images=200 --namespaces=20 --limit=256]`, after `npm run build`,
// as root on Linux: a reconciler under the flags that it is shipped with in a container with that memory limit (MiB) finds so many pods of
// so many images opted in at once, of which none shows any metrics: a third answers 404, a third has a web page, a third
// takes the connection and says nothing. Then it is restarted. Exit code 0 only if each image was asked once at the shipped rate, the
// restart asks at a tenth of it, and memory stays below the limit.

const { values } = parseArgs({
  options: {
    pods: { type: 'string', default: '5000' },
    images: { type: 'string', default: '200' },
    namespaces: { type: 'string', default: '20' },
    limit: { type: 'string', default: '256' },
    main: { type: 'string', default: join(import.meta.dirname, '../../../dist/main.js') },
  },
});
const pods = Number(values.pods);
const images = Number(values.images);
const namespaces = Number(values.namespaces);
const limit = Number(values.limit);

const PODS_PER_NODE = 100;
const PORT = 8080;
/** Requests to pods in a second, as shipped. */
const RATE = 5;
/** How long the restarted reconciler is watched. */
const RESTARTED_SECONDS = 30;

/** A port is asked at `/metrics`, where no word of the pod suggests another path. */
const REQUESTS_PER_IMAGE = 1;

/** All addresses below are this network namespace's own. */
const POD_NETWORK = '10.64.0.0/16';

await underScope(silent);

async function silent(scope: Scope): Promise<number> {
  await takePodNetwork();
  const asked = await startServer(scope);
  const perNamespace = Math.ceil(pods / namespaces);
  const names = Array.from({ length: namespaces }, (_, index) => `shop-${index}`);
  const since = new Date(Date.now() - 60 * 60_000).toISOString();
  const { server, kubeconfig } = await startTlsStandIn(scope, {
    namespaces: new Map(names.map((name) => [name, perNamespace])),
    isAnnotated: () => false,
    podAt: (namespace, index) => silentPod(names.indexOf(namespace), index, perNamespace, since),
  });

  const started = performance.now();
  const first = await startReconciler(scope, kubeconfig, { main: values.main, limit }, ['--ask']);
  await waitFor(
    'every image to be asked',
    async () => first.hasEnded() || (!(await results(first)).has('waiting') && asked.workloads() >= images),
    { seconds: 60 + (4 * images) / RATE, everyMs: 500 },
  );
  const seconds = (performance.now() - started) / 1000;
  const memory = first.peakMemory();
  const [requests, answered] = [asked.requests(), await results(first)];
  await first.stop();

  const again = await startReconciler(scope, kubeconfig, { main: values.main, limit }, ['--ask']);
  await sleep(RESTARTED_SECONDS * 1000);
  const repeated = asked.requests() - requests;
  await again.stop();
  console.log(
    `${pods} pods of ${images} images in ${namespaces} namespaces: all asked after ${seconds.toFixed(0)} s with ${requests} requests ` +
      `(${[...answered].map(([result, count]) => `${count} ${result}`).join(', ')}); ` +
      `at most ${memory} MiB of ${limit}; after a restart ${repeated} requests in ${RESTARTED_SECONDS} s`,
  );
  const isAskedOnce = asked.workloads() === images && requests <= images * REQUESTS_PER_IMAGE;
  const isRateKept = requests / seconds <= RATE && repeated <= (RESTARTED_SECONDS * RATE) / 10 + 1;
  return isAskedOnce && isRateKept && memory < limit && server.annotatedPods() === 0 ? 0 : 1;
}

/** Refuses where there is another network, whose addresses could be somebody's. */
async function takePodNetwork(): Promise<void> {
  const links = await command('ip', ['-brief', 'link']);
  if (links.trim().split('\n').length !== 1)
    throw new Error('run it by: unshare --net node test/harness/stress/silent-pods.ts');
  await command('ip', ['link', 'set', 'lo', 'up']);
  await command('ip', ['route', 'add', 'local', POD_NETWORK, 'dev', 'lo']);
}

/** Answers at the pods' addresses. */
async function startServer(scope: Scope): Promise<{ requests(): number; workloads(): number }> {
  let requests = 0;
  const workloads = new Set<number>();
  const server = createServer((request, response) => {
    requests += 1;
    const [, , high = 0, low = 0] = (request.socket.localAddress ?? '').split('.').map(Number);
    const image = imageOf(high * 256 + low);
    workloads.add(image);
    if (image % 3 === 2) return; // says nothing
    response.statusCode = image % 3 === 0 ? 404 : 200;
    response.setHeader('content-type', 'text/html');
    response.end('<!doctype html><title>Shop</title>');
  });
  server.listen(PORT, '0.0.0.0');
  await once(server, 'listening');
  scope.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { requests: () => requests, workloads: () => workloads.size };
}

/** A pod's image by its number among all: each namespace has images of its own, with as many replicas as it takes. */
function imageOf(pod: number): number {
  const perNamespace = Math.ceil(pods / namespaces);
  const imagesPerNamespace = images / namespaces;
  return Math.floor(pod / perNamespace) * imagesPerNamespace + ((pod % perNamespace) % imagesPerNamespace);
}

function silentPod(namespace: number, index: number, perNamespace: number, since: string): PodParts {
  const number = namespace * perNamespace + index;
  const image = `registry.example/team/app-${imageOf(number)}:1`;
  const node = Math.floor(number / PODS_PER_NODE);
  return {
    metadata: { labels: { app: `app-${imageOf(number)}` } },
    spec: {
      nodeName: `node-${node}`,
      containers: [
        {
          name: 'app',
          image,
          ports: [{ name: 'http', containerPort: PORT }],
          env: Array.from({ length: 30 }, (_, at) => ({ name: `SETTING_${at}`, value: `value of ${at}` })),
        },
      ],
    },
    status: {
      phase: 'Running',
      hostIP: `10.65.0.${node + 1}`,
      podIP: `10.64.${number >> 8}.${number & 255}`,
      conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: since }],
      containerStatuses: [
        { name: 'app', imageID: image, ready: true, restartCount: 0, state: { running: { startedAt: since } } },
      ],
    },
  };
}

/** Returns the number of workloads by what asking them has shown. */
async function results(reconciler: ReconcilerProcess): Promise<Map<string, number>> {
  const series = (await reconciler.metrics()).matchAll(/^autoscrape_ask_workloads\{result="(\w+)"\} (\d+)$/gm);
  return new Map(
    [...series].filter(([, , count]) => count !== '0').map(([, result = '', count]) => [result, Number(count)]),
  );
}

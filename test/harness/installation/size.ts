import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { imageSize } from '../../../tools/image-size.ts';
import { at, list } from '../chart/render.ts';
import { waitFor } from '../process/wait-for.ts';
import { RELEASE } from './helm.ts';
import { imageArchive } from './image.ts';
import { installed, getSetup } from './setup.ts';
import type { Setup } from './setup.ts';
import { podsOf } from './workload.ts';

const MB = 1e6;
const WEBHOOK = 'app.kubernetes.io/component=webhook';

/** What the image weighs, and what its processes take. */
export function size(): void {
  suite('size', () => {
    test('the image is at most 30 MB compressed, beside Node itself', async (t) => {
      const { total, node } = await imageSize(await imageArchive());
      assert.ok(node > 20 * MB && node < total, `${node} bytes are Node's, of ${total}`);
      t.diagnostic(
        `the image is ${megabytes(total)} compressed: ${megabytes(node)} of Node, ${megabytes(total - node)} beside it`,
      );
      assert.ok(total - node <= 30 * MB);
    });

    test('what the processes take', async (t) => {
      const opened = await getSetup();
      await installed(opened);
      const memory = await waitFor('the kubelet to have looked', () => memoryByComponent(opened), { seconds: 60 });
      for (const [component, bytes] of memory) t.diagnostic(`${component}: ${(bytes / 2 ** 20).toFixed(0)} MiB`);
      // One that starts while nothing else does.
      const [old] = await podsOf(opened.request, RELEASE, WEBHOOK);
      await opened.kubectl(['delete', 'pod', `--namespace=${RELEASE}`, old?.name ?? '']);
      await opened.kubectl(['rollout', 'status', `--namespace=${RELEASE}`, 'deployment/autoscrape-webhook']);
      const pods = await podsOf(opened.request, RELEASE, WEBHOOK);
      const startsMs = await Promise.all(pods.map(async ({ name }) => startOf(opened, name)));
      t.diagnostic(`the webhook served ${Math.min(...startsMs)} ms after its process began`);
      assert.ok(startsMs.every((ms) => ms > 0));
    });
  });
}

/** How long after its process began a webhook's pod served, in milliseconds, as its log says. */
async function startOf({ kubectl }: Setup, pod: string): Promise<number> {
  const log = await kubectl(['logs', `--namespace=${RELEASE}`, pod]);
  const line = log.split('\n').find((line) => line.includes('"serving"'));
  return Number(at(JSON.parse(line ?? '{}'), 'startMs'));
}

function megabytes(bytes: number): string {
  return `${(bytes / MB).toFixed(1)} MB`;
}

/** The working set of each of our processes in bytes, as the kubelet measures it, or undefined before it has. */
async function memoryByComponent({ request }: Setup): Promise<ReadonlyMap<string, number> | undefined> {
  const { body: nodes } = await request('GET', '/api/v1/nodes');
  const node = String(at(nodes, 'items', 0, 'metadata', 'name'));
  const { body } = await request('GET', `/api/v1/nodes/${node}/proxy/stats/summary`);
  const measured = list(body, 'pods')
    .filter((pod) => at(pod, 'podRef', 'namespace') === RELEASE)
    .flatMap((pod) => list(pod, 'containers'))
    .map((container): [string, number] => [
      String(at(container, 'name')),
      Number(at(container, 'memory', 'workingSetBytes')),
    ]);
  return measured.length >= 3 && measured.every(([, bytes]) => bytes > 0) ? new Map(measured) : undefined;
}

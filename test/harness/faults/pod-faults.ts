import { join } from 'node:path';
import { writeFile } from 'node:fs/promises';
import { sandboxDirectory } from '../node/sandbox-remains.ts';
import { waitFor } from '../process/wait-for.ts';
import type { Setup } from '../installation/setup.ts';
import { apply, workload } from '../installation/workload.ts';
import { defineKinds, PEER_AUTHENTICATION } from './custom-resources.ts';
import type { Fault } from './fault.ts';
import { annotated, faultyScraper } from './faulty-scraper.ts';
import { FAULTS, faultPod, SCRAPE, UNLABELLED } from './fault-pods.ts';
import { podSpec } from '../installation/kind-pods.ts';

const lookAt = (of: string, target: string): readonly string[] => [target, '--namespace', of];

/** What can be wrong with a pod and its namespace. */
export const POD_FAULTS: readonly Fault[] = [
  {
    name: 'a namespace without the label',
    part: 'pod',
    ids: ['namespace-not-opted-in'],
    remedy: new RegExp(`kubectl label namespace ${UNLABELLED} autoscrape\\.io/inject=enabled`),
    args: lookAt(UNLABELLED, 'pod/plain'),
    objects: [
      faultPod({ name: 'plain', namespace: UNLABELLED, kind: 'metrics', portName: 'http-metrics', annotations: {} }),
    ],
    usually: true,
  },
  {
    name: 'a namespace that is always excluded',
    part: 'pod',
    ids: ['namespace-excluded'],
    remedy: /pod template/,
    args: lookAt('kube-public', 'pod/faults-excluded'),
    objects: [workload('kube-public', 'faults-excluded', 'Pod')],
  },
  {
    name: 'a pod that opts out',
    part: 'pod',
    ids: ['pod-opted-out'],
    remedy: /autoscrape\.io\/inject/,
    args: lookAt(FAULTS, 'pod/opted-out'),
    objects: [
      faultPod({
        name: 'opted-out',
        kind: 'metrics',
        portName: 'http-metrics',
        annotations: {},
        labels: { 'autoscrape.io/inject': 'disabled' },
      }),
    ],
  },
  {
    name: "an author's value that is wrong",
    part: 'pod',
    ids: ['pod-opted-out'],
    remedy: /write the scrape annotation as "true"/,
    args: lookAt(FAULTS, 'pod/capital'),
    objects: [
      faultPod({ name: 'capital', kind: 'metrics', annotations: { ...SCRAPE, 'prometheus.io/scrape': 'True' } }),
    ],
  },
  {
    name: "a port's name where its number is wanted",
    part: 'pod',
    ids: ['annotation-suspect'],
    remedy: /pod template/,
    args: lookAt(FAULTS, 'pod/port-name'),
    objects: [
      faultPod({ name: 'port-name', kind: 'metrics', annotations: { ...SCRAPE, 'prometheus.io/port': 'http' } }),
    ],
  },
  {
    name: "annotations on the Deployment's own metadata",
    part: 'pod',
    ids: ['annotation-misplaced'],
    remedy: /template/,
    args: lookAt(FAULTS, 'deploy/above'),
    objects: [
      {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: 'above', namespace: FAULTS, annotations: SCRAPE },
        spec: {
          selector: { matchLabels: { app: 'above' } },
          template: {
            metadata: { labels: { app: 'above', 'autoscrape.io/ask': 'disabled' } },
            spec: podSpec({ kind: 'metrics' }),
          },
        },
      },
    ],
  },
  faultyScraper({
    name: 'a finished pod that is still asked, whose address another one has',
    part: 'pod',
    ids: ['target-finished'],
    remedy: /ttlSecondsAfterFinished/,
    place: 'finished',
    pod: 'finished',
    objects: [faultPod({ name: 'finished', kind: 'ends', spec: { restartPolicy: 'Never' } })],
    jobs: () => Promise.resolve([annotated()]),
    also: reuseAddress,
  }),
  {
    name: 'a sidecar of a mesh that resets the connection',
    part: 'pod',
    ids: ['target-mesh'],
    remedy: /15020/,
    args: lookAt(FAULTS, 'pod/meshed'),
    objects: [meshed()],
    make: beStrict,
  },
];

/** An app that does not listen, and a container in its proxy's place that does. */
function meshed(): unknown {
  const { containers: app, volumes } = podSpec({ kind: 'leader' });
  const { containers: proxy } = podSpec({ kind: 'resets', container: { name: 'istio-proxy' } });
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'meshed', namespace: FAULTS, annotations: SCRAPE },
    spec: { containers: [...app, ...proxy], volumes },
  };
}

/** Has the mesh take no client from outside, as its policy says. */
async function beStrict(setup: Setup): Promise<() => Promise<unknown>> {
  const undo = await defineKinds(setup, [PEER_AUTHENTICATION]);
  await apply(setup, {
    apiVersion: 'security.istio.io/v1',
    kind: 'PeerAuthentication',
    metadata: { name: 'strict', namespace: FAULTS },
    spec: { mtls: { mode: 'STRICT' } },
  });
  return async () => {
    await setup.kubectl(['delete', `--namespace=${FAULTS}`, 'peerauthentication', 'strict']);
    await undo();
  };
}

/** Has a second pod take the address of the finished one. */
async function reuseAddress(setup: Setup): Promise<() => Promise<unknown>> {
  const { kubectl, request, runInNode } = setup;
  const addressOf = (name: string) => async (): Promise<string | undefined> => {
    const { body } = await request<{ status?: { podIP?: string } }>('GET', `/api/v1/namespaces/${FAULTS}/pods/${name}`);
    return body.status?.podIP;
  };
  const address = await waitFor('the pod to have had an address', addressOf('finished'), { seconds: 60 });
  await kubectl(['wait', `--namespace=${FAULTS}`, '--for=jsonpath={.status.phase}=Succeeded', 'pod/finished']);
  const heir = ['pod', '--namespace', FAULTS, 'heir'];
  if (runInNode !== undefined) {
    // The next one that is free after the last one that was given is given.
    const last = address.replace(/\d+$/, (byte) => String(Number(byte) - 1));
    await waitFor(
      'another pod to have that address',
      async () => {
        await writeFile(join(sandboxDirectory, 'containerd', 'addresses', 'pods', 'last_reserved_ip.0'), last);
        await apply(setup, faultPod({ name: 'heir', kind: 'metrics' }));
        const given = await waitFor('its address', addressOf('heir'), { seconds: 60 });
        if (given === address) return true;
        await kubectl(['delete', ...heir]);
        return false;
      },
      { seconds: 60 },
    );
  }
  return () => kubectl(['delete', ...heir, '--ignore-not-found']);
}

import { waitFor } from '../process/wait-for.ts';
import type { Setup } from '../installation/setup.ts';
import type { Fault } from './fault.ts';
import { FAULTS, faultPod, SCRAPE } from './fault-pods.ts';
import type { FaultPod } from './fault-pods.ts';

/** A pod that serves something else than its annotations say. */
function served(
  { name, ids, remedy, usually }: Pick<Fault, 'name' | 'ids' | 'remedy' | 'usually'>,
  pod: FaultPod,
): Fault {
  return {
    name,
    part: 'endpoint',
    ids,
    remedy,
    args: [`pod/${pod.name}`, '--namespace', pod.namespace ?? FAULTS],
    objects: [faultPod(pod)],
    ...(usually !== undefined && { usually }),
  };
}

const otherPorts = (...numbers: readonly number[]): object => ({
  ports: numbers.map((containerPort) => ({ name: `port-${containerPort}`, containerPort })),
});

/** What can be wrong at the endpoint itself. */
export const ENDPOINT_FAULTS: readonly Fault[] = [
  served(
    {
      name: 'a declared port at which nothing listens',
      ids: ['endpoint-refused'],
      remedy: /prometheus\.io\/port/,
      usually: true,
    },
    {
      name: 'wrong-port',
      kind: 'metrics',
      annotations: { ...SCRAPE, 'prometheus.io/port': '9090' },
      container: otherPorts(8080, 9090),
    },
  ),
  served(
    { name: 'a port that no container declares', ids: ['annotation-suspect'], remedy: /pod template/ },
    { name: 'undeclared-port', kind: 'metrics', container: otherPorts(9999) },
  ),
  served(
    { name: 'another path', ids: ['endpoint-not-found'], remedy: /prometheus\.io\/path/, usually: true },
    { name: 'not-found', kind: 'not-found' },
  ),
  served(
    { name: 'a web page', ids: ['endpoint-not-metrics'], remedy: /prometheus\.io\/port/ },
    { name: 'html', kind: 'html' },
  ),
  served(
    { name: 'JSON', ids: ['endpoint-not-metrics'], remedy: /prometheus\.io\/path/ },
    { name: 'json', kind: 'json' },
  ),
  served(
    { name: 'metrics that want a login', ids: ['endpoint-needs-login'], remedy: /PodMonitor|credentials/ },
    { name: 'unauthorized', kind: 'unauthorized' },
  ),
  served(
    { name: 'metrics under a wrong Content-Type', ids: ['endpoint-content-type'], remedy: /Content-Type|text\/plain/ },
    { name: 'wrong-type', kind: 'wrong-type' },
  ),
  served(
    {
      name: 'an app that refuses the Host',
      ids: ['target-host'],
      remedy: /ALLOWED_HOSTS|status\.podIP/,
    },
    { name: 'known-host', kind: 'known-host' },
  ),
  served(
    { name: 'an app that listens on 127.0.0.1 alone', ids: ['endpoint-refused'], remedy: /127\.0\.0\.1/ },
    { name: 'loopback', kind: 'loopback' },
  ),
  served(
    { name: 'TLS at a port annotated as http', ids: ['endpoint-tls'], remedy: /prometheus\.io\/scheme|https/ },
    { name: 'tls', kind: 'tls' },
  ),
  served(
    { name: 'a page that is slower than the timeout', ids: ['target-slow'], remedy: /scrape_timeout/ },
    { name: 'slow', kind: 'three-seconds' },
  ),
  {
    ...served(
      {
        name: 'a network that drops what Prometheus sends',
        ids: ['target-network'],
        remedy: /kubectl edit networkpolicy only-the-shop -n faults: add to its ingress/,
      },
      { name: 'cut-off', kind: 'metrics' },
    ),
    make: cutOff,
  },
];

const TABLE = 'autoscrape-faults';

/** Drops all packets to the pod but those of the API server, as an enforced NetworkPolicy does. */
async function cutOff({ request, runInNode, kubectl }: Setup): Promise<() => Promise<unknown>> {
  if (runInNode === undefined) throw new Error("the packets of a cluster that isn't ours are left alone");
  const address = await waitFor(
    'the pod to have an address',
    async () => {
      const { body } = await request<{ status?: { podIP?: string } }>(
        'GET',
        `/api/v1/namespaces/${FAULTS}/pods/cut-off`,
      );
      return body.status?.podIP;
    },
    { seconds: 60 },
  );
  const rules = `
    add table ip ${TABLE}
    add chain ip ${TABLE} forward { type filter hook forward priority 0; }
    add rule ip ${TABLE} forward ip daddr ${address} drop`;
  await kubectl(['apply', '--server-side', '--filename=-'], JSON.stringify(policy()));
  const { code, stderr } = await runInNode('nft', [rules]);
  if (code !== 0) throw new Error(`nft: ${stderr}`);
  return () => runInNode('nft', [`delete table ip ${TABLE}`]);
}

/** What would say so on a cluster that enforces it. */
function policy(): unknown {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: 'only-the-shop', namespace: FAULTS },
    spec: {
      podSelector: { matchLabels: { app: 'cut-off' } },
      policyTypes: ['Ingress'],
      ingress: [{ from: [{ namespaceSelector: { matchLabels: { shop: 'yes' } } }] }],
    },
  };
}

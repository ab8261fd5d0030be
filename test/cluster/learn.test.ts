import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer as createHttpServer } from 'node:http';
import type { RequestListener } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { createServer as createTcpServer } from 'node:net';
import type { Server } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { parse } from 'yaml';
import { createAuthority } from '../../src/webhook/certificate-authority.ts';
import { run } from '../harness/autoscrape/serving.ts';
import type { KubernetesObject } from '../harness/control-plane/api-client.ts';
import { startControlPlane } from '../harness/control-plane/control-plane.ts';
import type { ControlPlane } from '../harness/control-plane/control-plane.ts';
import { waitFor } from '../harness/process/wait-for.ts';
import { registerAsTheChart, takesEffect } from '../harness/programs/webhook-configuration.ts';
import { startWebhookProcess } from '../harness/programs/webhook-process.ts';
import type { WebhookProcess } from '../harness/programs/webhook-process.ts';

// Through a real API server's proxy: what it makes of redirects, of ports that nobody serves, and of what is no HTTP, is its own.

const RBAC = '/apis/rbac.authorization.k8s.io/v1';
const SCRAPE = 'prometheus.io/scrape';
const PAGE = '# TYPE orders counter\norders 3\n';

/** What docs/asking.md says that learning needs, without the last. */
const READ = [
  { apiGroups: [''], resources: ['namespaces', 'pods'], verbs: ['get', 'list'] },
  { apiGroups: [''], resources: ['services'], verbs: ['list'] },
  { apiGroups: ['apps'], resources: ['replicasets', 'statefulsets', 'daemonsets'], verbs: ['get'] },
];
const PROXY = { apiGroups: [''], resources: ['pods/proxy'], verbs: ['get'] };

const metrics: RequestListener = (request, response) => {
  if (request.url === '/metrics') response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4' }).end(PAGE);
  else response.writeHead(404).end();
};

/** As FastAPI does with a mounted application. */
const mounted: RequestListener = (request, response) => {
  if (request.url === '/metrics/') response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4' }).end(PAGE);
  else response.writeHead(307, { location: `http://${request.headers.host}${request.url}/` }).end();
};

const website: RequestListener = (_, response) => {
  response.writeHead(200, { 'content-type': 'text/html' }).end('<html></html>');
};

suite('autoscrape learn on a real API server', { timeout: 300_000 }, () => {
  let cluster: ControlPlane;
  let webhook: WebhookProcess | undefined;
  const servers: Server[] = [];
  // The API server passes nothing on to a loopback address.
  const address = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .find(({ family, internal }) => family === 'IPv4' && !internal)?.address;

  before(async () => {
    assert.ok(address !== undefined, 'this needs an address besides loopback');
    cluster = await startControlPlane({
      controllerManager: true,
      serviceAccountAdmission: false,
      users: { learner: [], reader: [] },
    });
    for (const name of ['shop', 'elsewhere']) {
      await cluster.request('POST', '/api/v1/namespaces', {
        metadata: { name, labels: { 'autoscrape.io/inject': 'enabled' } },
      });
    }
    await grant('learner', [...READ, PROXY]);
    await grant('reader', READ);
    const pair = createAuthority().issue({ names: ['localhost'] });
    await deploy('orders', createHttpServer(metrics));
    await deploy('mounted', createHttpServer(mounted));
    await deploy('website', createHttpServer(website));
    await deploy('tls', createHttpsServer({ cert: pair.certificate, key: pair.key }, metrics));
    await deploy(
      'mail',
      createTcpServer((socket) => socket.end('220 ready\r\n')),
    );
    await deploy('closed', undefined);
  });

  after(async () => {
    await webhook?.daemon().kill();
    for (const server of servers) server.close();
    await cluster.stop();
  });

  async function grant(user: string, rules: readonly object[]): Promise<void> {
    await cluster.request('POST', `${RBAC}/clusterroles`, { metadata: { name: user }, rules });
    await cluster.request('POST', `${RBAC}/clusterrolebindings`, {
      metadata: { name: user },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: user },
      subjects: [{ kind: 'User', name: user }],
    });
  }

  /** Creates a Deployment of one pod, whose application is the server, and says of the pod that it is ready. */
  async function deploy(name: string, server: Server | undefined): Promise<void> {
    let port = 1;
    if (server !== undefined) {
      servers.push(server);
      server.listen(0, address);
      await once(server, 'listening');
      const listening = server.address();
      assert.ok(typeof listening === 'object' && listening !== null);
      ({ port } = listening);
    }
    const { status, body } = await cluster.request('POST', '/apis/apps/v1/namespaces/shop/deployments', {
      metadata: { name },
      spec: {
        selector: { matchLabels: { app: name } },
        template: {
          metadata: { labels: { app: name, commit: 'a1' } },
          spec: {
            containers: [
              { name: 'main', image: 'registry.example/app:1', ports: [{ name: 'http', containerPort: port }] },
            ],
          },
        },
      },
    });
    assert.equal(status, 201, body.message);
    const [pod] = await podsOf(name);
    const at = `/api/v1/namespaces/shop/pods/${pod?.metadata?.name}/status`;
    const patched = await cluster.request('PATCH', at, {
      status: {
        phase: 'Running',
        podIP: address,
        podIPs: [{ ip: address }],
        conditions: [{ type: 'Ready', status: 'True' }],
        containerStatuses: [
          { name: 'main', image: 'app', imageID: 'app', ready: true, restartCount: 0, state: { running: {} } },
        ],
      },
    });
    assert.equal(patched.status, 200, patched.body.message);
  }

  async function podsOf(name: string, labels = ''): Promise<readonly KubernetesObject[]> {
    return waitFor(`a pod of ${name}`, async () => {
      const path = `/api/v1/namespaces/shop/pods?labelSelector=app=${name}${labels}`;
      const { body } = await cluster.request<{ items: readonly KubernetesObject[] }>('GET', path);
      return body.items.length > 0 && body.items;
    });
  }

  test('asks through the proxy, and the webhook then annotates the next version at its creation', async (t) => {
    const { code, stdout, stderr } = await run([
      'learn',
      '-n',
      'shop',
      '--kubeconfig',
      await cluster.kubeconfigOf('learner'),
    ]);
    assert.equal(code, 0, stderr);
    const { rules }: { rules: readonly { name: string; scrape?: object; exclude?: true }[] } = parse(stdout);
    assert.deepEqual(
      rules.map(({ name, scrape, exclude }) => [name, scrape ?? exclude]),
      [
        ['learned-shop-deployment-mail', true],
        ['learned-shop-deployment-mounted', { path: '/metrics/' }],
        ['learned-shop-deployment-orders', { path: '/metrics' }],
        ['learned-shop-deployment-website', true],
      ],
    );
    assert.match(stderr, /^Deployment closed: no rule: port 1 \(refused\)/m);
    // Node's TLS server closes a connection that speaks HTTP, without an alert.
    assert.match(stderr, /^Deployment tls: no rule: port \d+ \(reset\)/m);

    const file = join(cluster.directory, 'learned.yaml');
    await writeFile(file, stdout);
    assert.equal((await run(['check', file])).code, 0);

    webhook = await startWebhookProcess(cluster.directory, { rulesText: stdout });
    await registerAsTheChart(cluster, 'autoscrape', webhook);
    await takesEffect(cluster, 'shop', SCRAPE);
    const rolledOut = await cluster.request('PATCH', '/apis/apps/v1/namespaces/shop/deployments/orders', {
      spec: { template: { metadata: { labels: { commit: 'b2' } } } },
    });
    assert.equal(rolledOut.status, 200, rolledOut.body.message);
    const [next] = await podsOf('orders', ',commit=b2');
    assert.match(String(next?.metadata?.annotations?.['autoscrape.io/injected']), /"learned-shop-deployment-orders"/);

    await takesEffect(cluster, 'elsewhere', SCRAPE);
    const spec = next?.['spec'];
    assert.ok(typeof spec === 'object' && spec !== null);
    const elsewhere = await cluster.request('POST', '/api/v1/namespaces/elsewhere/pods?dryRun=All', {
      metadata: { name: 'orders', labels: { app: 'orders' } },
      spec: { containers: [{ name: 'main', image: 'registry.example/app:1', ports: portsOf(spec) }] },
    });
    assert.deepEqual([elsewhere.status, elsewhere.body.metadata?.annotations], [201, undefined]);
    t.diagnostic(stderr.trimEnd().split('\n').join(' | '));
  });

  test('without the right to get pods/proxy it asks nobody, and says so', async () => {
    const { code, stdout, stderr } = await run([
      'learn',
      '-n',
      'shop',
      '--kubeconfig',
      await cluster.kubeconfigOf('reader'),
    ]);
    assert.deepEqual([code, stdout], [1, '']);
    assert.match(stderr, /needs the right to get pods\/proxy in namespace shop/);
  });
});

function portsOf(spec: object): unknown {
  const [container] = 'containers' in spec && Array.isArray(spec.containers) ? spec.containers : [];
  return container?.ports;
}

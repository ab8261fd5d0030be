import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { test } from 'node:test';
import { startCluster } from './learning-cluster.ts';
import type { Cluster, RunningCluster, Site } from './learning-cluster.ts';
import { runAutoscrape } from '../../harness/autoscrape/run-autoscrape.ts';

const NO_CHART = 'Rules: those of this version, because the cluster has no ConfigMap of the chart.\n';
const HASH = '5d4f8c7b9';
const OPTED_IN = { 'autoscrape.io/inject': 'enabled' };
const WRITTEN = { 'prometheus.io/scrape': 'true', 'prometheus.io/port': '8080' };

function pod(name: string, annotations: Readonly<Record<string, string>> = WRITTEN) {
  return {
    metadata: {
      name,
      uid: name,
      namespace: 'shop',
      labels: { 'pod-template-hash': HASH },
      annotations,
      creationTimestamp: '2026-01-01T00:00:00Z',
      ownerReferences: [{ kind: 'ReplicaSet', name: `orders-${HASH}`, controller: true }],
    },
    spec: { containers: [{ name: 'app', image: 'app:1', ports: [{ name: 'metrics', containerPort: 8080 }] }] },
    status: { phase: 'Running', podIP: '10.1.2.3' },
  };
}

function metrics(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4' }).end('# TYPE orders counter\norders 3\n');
}

function success(data: unknown): (response: ServerResponse) => void {
  return (response) =>
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ status: 'success', data }));
}

function target(name: string, words: object = {}) {
  return {
    discoveredLabels: {
      __meta_kubernetes_namespace: 'shop',
      __meta_kubernetes_pod_name: name,
      __meta_kubernetes_pod_uid: name,
    },
    scrapePool: 'kubernetes-pods',
    scrapeUrl: 'http://10.1.2.3:8080/metrics',
    health: 'up',
    lastError: '',
    lastScrape: new Date().toISOString(),
    ...words,
  };
}

function prometheus(activeTargets: readonly object[], further: Site = {}): Site {
  return {
    '/api/v1/targets?state=active': success({ activeTargets }),
    '/api/v1/targets?state=dropped': success({ droppedTargets: [], droppedTargetCounts: {} }),
    '/api/v1/status/config': success({ yaml: CONFIG }),
    '/api/v1/query': success({ result: [] }),
    ...further,
  };
}

const RULES =
  '  - source_labels: [__meta_kubernetes_pod_annotation_prometheus_io_scrape]\n    regex: "yes"\n    action: keep\n';
const CONFIG = `scrape_configs:\n- job_name: kubernetes-pods\n  relabel_configs:\n${RULES}`;
const SERVICE = {
  metadata: { namespace: 'monitoring', name: 'prometheus' },
  spec: { ports: [{ port: 1 }, { name: 'web', port: 9090 }] },
};

function start(t: Parameters<typeof startCluster>[0], cluster: Partial<Cluster>): Promise<RunningCluster> {
  return startCluster(t, {
    namespaceLabels: OPTED_IN,
    pods: [pod('orders-1')],
    services: [SERVICE],
    sites: { 'orders-1:8080': { '/metrics': metrics }, 'orders-2:8080': { '/metrics': metrics } },
    prometheus: prometheus([target('orders-1'), target('orders-2')]),
    ...cluster,
  });
}

function doctor({ kubeconfig }: RunningCluster, ...args: readonly string[]) {
  return runAutoscrape(['doctor', ...args, '--kubeconfig', kubeconfig]);
}

test('the pods of a workload that is scraped get ticks and exit code 0, and each endpoint is asked once', async (t) => {
  const cluster = await start(t, { pods: [pod('orders-1'), pod('orders-2')] });
  const { code, stdout, stderr } = await doctor(cluster, 'deploy/orders');
  assert.deepEqual([code, stderr], [0, NO_CHART]);
  assert.match(
    stdout,
    /^shop\/orders-1 \(Deployment orders\), and alike orders-2\n {2}✔ annotated by its author: http :8080\/metrics\n {2}✔ answers through the API server: 1 series in \d\.\d\d s, text\n {2}✔ Prometheus monitoring\/prometheus says up, \d+ s ago: http:\/\/10\.1\.2\.3:8080\/metrics in pool kubernetes-pods\n\n2 of 2 pods are scraped\n$/,
  );
  assert.deepEqual(cluster.asked.toSorted(), ['orders-1:8080 /metrics', 'orders-2:8080 /metrics']);
  assert.equal(cluster.headers()['authorization'], 'Bearer secret');
  assert.equal(await cluster.logins(), 1);
});

test('a break makes exit code 1, and JSON says the same with every key', async (t) => {
  const cluster = await start(t, { prometheus: prometheus([]) });
  const { code, stdout } = await doctor(cluster, 'orders-1', '-o', 'json');
  assert.equal(code, 1);
  const { pods } = JSON.parse(stdout) as {
    pods: { scraped: boolean; answer: string; checks: { id: string | null }[] }[];
  };
  assert.equal(pods[0]?.scraped, false);
  assert.equal(pods[0].answer, 'not scraped: no target (target-not-discovered)');
  assert.deepEqual(
    pods[0].checks.map(({ id }) => id),
    [null, null, 'target-not-discovered'],
  );
  for (const check of pods[0].checks)
    assert.deepEqual(Object.keys(check), ['state', 'id', 'title', 'because', 'todo', 'checked', 'needs']);
});

test('dropped by every pool, and no pool that reads annotations, are two findings', async (t) => {
  const droppedTargets = [{ discoveredLabels: target('orders-1').discoveredLabels, scrapePool: 'kubernetes-pods' }];
  const dropped = {
    '/api/v1/targets?state=dropped': success({ droppedTargets, droppedTargetCounts: { 'kubernetes-pods': 1 } }),
  };
  const drops = await start(t, { prometheus: prometheus([], dropped) });
  assert.match(
    (await doctor(drops, 'orders-1')).stdout,
    /\[target-dropped\]\n.*the job kubernetes-pods drops it\. Rule 1 of its relabel_configs is \{action: keep, .*regex: yes\}, which the pod does not have/,
  );
  const config = { ...dropped, '/api/v1/status/config': success({ yaml: 'scrape_configs: []' }) };
  const deaf = await start(t, { prometheus: prometheus([], config) });
  assert.match((await doctor(deaf, 'orders-1')).stdout, /\[annotations-not-read\]/);
});

test('a Prometheus can be given as a URL or a Service, and is asked there', async (t) => {
  const path = '/api/v1/namespaces/monitoring/services/prometheus';
  const cluster = await start(t, { services: [], controllers: { [path]: SERVICE } });
  const given = await doctor(cluster, 'orders-1', '--prometheus', 'svc/monitoring/prometheus:9090');
  assert.match(given.stdout, /Prometheus monitoring\/prometheus says up/);
  const { server } = await urlOf(cluster);
  const url = `${server}/api/v1/namespaces/monitoring/services/prometheus:9090/proxy`;
  assert.match((await doctor(cluster, 'orders-1', '--prometheus', url)).stdout, /Prometheus 127\.0\.0\.1:\d+ says up/);
  const bad = await doctor(cluster, 'orders-1', '--prometheus', 'monitoring/prometheus');
  assert.deepEqual([bad.code, bad.stdout], [2, '']);
  assert.match(bad.stderr, /--prometheus takes a URL/);
});

async function urlOf({ kubeconfig }: RunningCluster): Promise<{ server: string }> {
  const { readFile } = await import('node:fs/promises');
  const read = JSON.parse(await readFile(kubeconfig, 'utf8')) as { clusters: { cluster: { server: string } }[] };
  return { server: read.clusters[0]?.cluster.server ?? '' };
}

test('what the account has no right to read or ask is not checked, says the right that is missing, and is no cross', async (t) => {
  const cluster = await start(t, {
    mayProxy: false,
    forbidden: ['/api/v1/services', '/api/v1/namespaces/shop'],
  });
  const { code, stdout } = await doctor(cluster, 'orders-1');
  assert.equal(code, 0);
  assert.match(stdout, /– not checked: the endpoint \(needs get on pods\/proxy in namespace shop\)/);
  assert.match(stdout, /– not checked: Prometheus \(needs list on services, or --prometheus\)/);
  assert.deepEqual(cluster.asked, []);
});

test('a Prometheus that asks for a login, answers HTML, redirects, or is not there, is not checked', async (t) => {
  const answers: readonly (readonly [(response: ServerResponse) => void, RegExp])[] = [
    [
      (response) => response.writeHead(401).end(),
      /login of the scraper: status 401; --prometheus URL with --prometheus-token-file/,
    ],
    [(response) => response.writeHead(200).end('<html>'), /an answer in JSON/],
    [(response) => response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end(), /status 200: it is 302/],
    [(response) => response.destroy(), /an answer: socket hang up/],
  ];
  for (const [answer, needs] of answers) {
    const cluster = await start(t, { prometheus: { '/api/v1/targets?state=active': answer } });
    const { code, stdout } = await doctor(cluster, 'orders-1');
    assert.equal(code, 0);
    assert.match(stdout, /– not checked: Prometheus monitoring\/prometheus \(needs /);
    assert.match(stdout, needs);
    assert.match(stdout, /\nshop\/orders-1 cannot tell: /);
  }
  const none = await start(t, { services: [] });
  // JSON of another form says that what has the labels of a Prometheus is something else.
  const other = await start(t, {
    prometheus: {
      '/api/v1/targets?state=active': (response) => response.writeHead(200).end('{"status":"success","data":{}}'),
    },
  });
  for (const cluster of [none, other]) {
    assert.match(
      (await doctor(cluster, 'orders-1')).stdout,
      /! no scraper found {2}\[scraper-not-found\]\n[^]*cannot tell: no scraper found \(scraper-not-found\)\n$/,
    );
  }
});

test('a target that is not there, or is none, is one clear line', async (t) => {
  const cluster = await start(t, {});
  const missing = await doctor(cluster, 'deploy/other');
  assert.deepEqual(
    [missing.code, missing.stderr],
    [1, 'autoscrape: namespace shop has no pod of deploy/other: 0 pods looked at\n'],
  );
  assert.match((await doctor(cluster, 'pod/other')).stderr, /^autoscrape: there is no pod other in namespace shop\n$/);
  assert.match((await doctor(cluster, 'service/x')).stderr, /^error: service\/x: give a pod or workload as KIND\/NAME/);
});

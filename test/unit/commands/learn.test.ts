import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { decide } from '../../../src/core/decide.ts';
import { parseRules } from '../../../src/core/rules/parse.ts';
import { readShipped } from '../../../src/rules/shipped.ts';
import { runAutoscrape } from '../../harness/autoscrape/run-autoscrape.ts';
import { temporaryFolder } from '../../harness/autoscrape/serving.ts';
import { startCluster } from './learning-cluster.ts';
import type { RunningCluster } from './learning-cluster.ts';

const OURS = { 'prometheus.io/scrape': 'true', 'prometheus.io/port': '8080', 'prometheus.io/path': '/internal' };

interface PodWords {
  readonly owner?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly ports?: readonly object[];
  readonly container?: object;
  readonly status?: object;
}

/** Returns a running pod; `owner` is the name of a Deployment without its namespace's other pods. */
function pod(
  name: string,
  { owner, labels = { app: owner ?? name }, annotations = {}, ports = [HTTP], container = {}, status = {} }: PodWords,
) {
  const hash = '5d4f8c7b9';
  const controller = { kind: 'ReplicaSet', name: `${owner}-${hash}`, controller: true };
  return {
    metadata: {
      name,
      uid: name,
      labels: { ...labels, ...(owner !== undefined && { 'pod-template-hash': hash }) },
      annotations,
      ...(owner !== undefined && { ownerReferences: [controller] }),
    },
    spec: { containers: [{ name: 'app', image: 'registry.example/app:1', ports, ...container }] },
    status: {
      phase: 'Running',
      podIP: '10.1.2.3',
      hostIP: '10.0.0.1',
      conditions: [{ type: 'Ready', status: 'True' }],
      containerStatuses: [{ name: 'app', ...container, state: { running: {} } }],
      ...status,
    },
  };
}

const HTTP = { name: 'http', containerPort: 8080 };

function metrics(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4' }).end('# TYPE orders counter\norders 3\n');
}

function html(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/html' }).end('<html></html>');
}

function to(location: string): (response: ServerResponse) => void {
  return (response) => response.writeHead(307, { location }).end();
}

/** Annotations that autoscrape wrote. */
function marked(rule: string): Record<string, string> {
  return { ...OURS, 'autoscrape.io/injected': JSON.stringify({ rule, added: OURS }) };
}

function selecting(name: string, labels: Readonly<Record<string, string>>) {
  return {
    [`/apis/apps/v1/namespaces/shop/replicasets/${name}-5d4f8c7b9`]: {
      spec: { selector: { matchLabels: { ...labels, 'pod-template-hash': '5d4f8c7b9' } } },
    },
  };
}

async function learn({ kubeconfig }: RunningCluster, ...flags: readonly string[]) {
  const { code, stdout, stderr } = await runAutoscrape(['learn', '--kubeconfig', kubeconfig, ...flags]);
  const file: { rules?: readonly Record<string, unknown>[] } = code === 0 ? parse(stdout) : {};
  return { code, stdout, stderr, rules: file.rules ?? [] };
}

/** Returns the decision of the webhook, with asking on, by the rules that were learned. */
function decideBy(rulesText: string, object: unknown, namespace = 'shop'): string {
  const parsed = parseRules(rulesText, readShipped());
  assert.ok(parsed.ok && parsed.value.warnings.length === 0);
  const decision = decide(object, parsed.value.rules, { ask: true, namespace });
  if (decision.outcome === 'skip') return decision.reason;
  const [{ port, path }] = decision.endpoints;
  return `:${port}${path}`;
}

test('a workload that serves metrics gets a rule by its selector, with which the webhook annotates later versions', async (t) => {
  const labels = { app: 'orders', commit: 'a1' };
  const cluster = await startCluster(t, {
    pods: [pod('orders-5d4f8c7b9-x', { owner: 'orders', labels }), pod('other', {})],
    controllers: selecting('orders', { app: 'orders' }),
    sites: { 'orders-5d4f8c7b9-x:8080': { '/metrics': metrics }, 'other:8080': { '*': html } },
  });
  const { code, stdout, stderr, rules } = await learn(cluster);
  assert.equal(code, 0, stderr);
  assert.deepEqual(rules, [
    {
      name: 'learned-shop-deployment-orders',
      when: { namespace: 'shop', podLabels: { matchLabels: { app: 'orders' } }, container: 'app', portNumber: 8080 },
      scrape: { path: '/metrics' },
    },
    {
      name: 'learned-shop-pod-other',
      when: { namespace: 'shop', podLabels: { matchLabels: { app: 'other' } } },
      unless: { portName: '(.*-)?(metrics|prometheus)(-.*)?' },
      exclude: true,
    },
  ]);
  assert.match(stdout, /^# Learned by autoscrape .* in the namespace shop, .* through the API server's proxy\.\n/);
  assert.match(
    stderr,
    /^Pods in namespace shop are asked through the API server's proxy\.\n2 learned; 0 need no rule\.\n$/,
  );
  const next = pod('orders-77f-y', { owner: 'orders', labels: { app: 'orders', commit: 'b2' } });
  assert.equal(decideBy(stdout, next), ':8080/metrics');
  assert.equal(decideBy(stdout, next, 'elsewhere'), 'no_candidate');
  // It no longer declares the port, so that it is asked again.
  assert.equal(
    decideBy(stdout, pod('z', { labels: { app: 'orders' }, ports: [{ containerPort: 7000 }] })),
    'no_candidate',
  );
  assert.equal(decideBy(stdout, pod('other', {})), 'switched_off');
  // It names a port so, and the refusal was another version's.
  assert.equal(decideBy(stdout, pod('other', { ports: [{ name: 'metrics', containerPort: 9090 }] })), ':9090/metrics');
});

test('what is learned is a file that check accepts, and with it nothing more is learned and nobody asked', async (t) => {
  const cluster = await startCluster(t, {
    pods: [pod('orders', {}), pod('other', {})],
    sites: { 'orders:8080': { '/metrics': metrics }, 'other:8080': { '*': html } },
  });
  const first = await learn(cluster);
  const file = join(await temporaryFolder(t), 'learned.yaml');
  await writeFile(file, first.stdout);
  assert.deepEqual((await runAutoscrape(['check', file])).code, 0);
  const requests = cluster.asked.length;
  const second = await learn(cluster, '--rules', file);
  assert.deepEqual(second.rules, []);
  assert.match(second.stderr, /0 learned; 2 need no rule\./);
  assert.equal(cluster.asked.length, requests);
});

test('an answer that the reconciler wrote down is taken from the marker, and only that of "asked"', async (t) => {
  const probe = { livenessProbe: { httpGet: { path: '/actuator/health', port: 8080 } } };
  const cluster = await startCluster(t, {
    pods: [
      pod('asked', { annotations: marked('asked') }),
      // It can have been annotated without an answer, after ten minutes.
      pod('hint', { annotations: marked('spring-boot'), container: probe }),
      pod('found', { annotations: marked('metrics-port'), ports: [{ name: 'metrics', containerPort: 8080 }] }),
    ],
    sites: { 'hint:8080': { '/actuator/prometheus': metrics } },
  });
  const { rules, stdout } = await learn(cluster);
  assert.deepEqual(
    rules.map(({ name, scrape }) => [name, scrape]),
    [
      ['learned-shop-pod-asked', { path: '/internal' }],
      ['learned-shop-pod-hint', { path: '/actuator/prometheus' }],
    ],
  );
  assert.deepEqual(cluster.asked, ['hint:8080 /actuator/prometheus']);
  assert.equal(decideBy(stdout, pod('hint', { container: probe })), ':8080/actuator/prometheus');
});

test('a workload is asked once, at its newest pod that is ready', async (t) => {
  const created = (at: string, object: ReturnType<typeof pod>) => ({
    ...object,
    metadata: { ...object.metadata, creationTimestamp: at },
  });
  const cluster = await startCluster(t, {
    pods: [
      created('2026-01-01T00:00:00Z', pod('a', { owner: 'orders' })),
      created('2026-01-03T00:00:00Z', pod('b', { owner: 'orders', status: { phase: 'Pending' } })),
      created('2026-01-02T00:00:00Z', pod('c', { owner: 'orders' })),
    ],
    sites: { 'a:8080': { '/metrics': metrics }, 'c:8080': { '/metrics': metrics } },
  });
  const { rules } = await learn(cluster);
  assert.equal(rules.length, 1);
  assert.deepEqual(cluster.asked, ['c:8080 /metrics']);
});

test('what is not certain gets no rule, but a note with what to do', async (t) => {
  const cluster = await startCluster(t, {
    pods: [
      pod('auth', {}),
      pod('closed', {}),
      pod('starting', { status: { conditions: [] } }),
      pod('silent', { labels: { app: 'silent', 'autoscrape.io/ask': 'disabled' } }),
      pod('none', { ports: [] }),
      pod('scraped', {}),
    ],
    services: [
      {
        metadata: { name: 's', annotations: { 'prometheus.io/scrape': 'true' } },
        spec: { selector: { app: 'scraped' }, ports: [{ port: 80, targetPort: 8080 }] },
      },
    ],
    sites: { 'auth:8080': { '*': (response) => response.writeHead(401).end() } },
  });
  const { code, rules, stderr } = await learn(cluster);
  assert.deepEqual([code, rules], [0, []]);
  for (const note of [
    /^Pod auth: no rule: port 8080 \(needs_auth\): .* Serve metrics without credentials/m,
    /^Pod closed: no rule: port 8080 \(refused\): Nothing takes connections there\.$/m,
    /^Pod starting: no rule: none of its pods is ready$/m,
    /^Pod silent: no rule: its label autoscrape\.io\/ask does not allow asking$/m,
    /^Pod none: no rule: it has no port that may be asked$/m,
    /^Pod scraped: no rule: a Service that sends traffic to it is annotated, and scraped already$/m,
  ])
    assert.match(stderr, note);
});

test('names that are not valid, and labels that select others too, give no rule', async (t) => {
  const cluster = await startCluster(t, {
    pods: [
      pod('a.b', {}),
      pod('c', { container: { name: 'Not valid: \u001B[2J' } }),
      pod('d', { labels: { app: 'same' } }),
      pod('e', { labels: { app: 'same' } }),
      pod('f', { labels: { app: '"]}\nrules: []' } }),
      pod('g', { labels: { 'a//b': 'c' } }),
    ],
    sites: Object.fromEntries(
      ['a.b', 'c', 'd', 'e', 'f', 'g'].map((name) => [`${name}:8080`, { '/metrics': metrics }]),
    ),
  });
  const { code, rules, stderr } = await learn(cluster);
  assert.deepEqual([code, rules], [0, []]);
  assert.ok(!stderr.includes('\u001B'));
  assert.match(stderr, /^Pod d: no rule: its labels also select pods of Pod e$/m);
  for (const name of ['a.b', 'c', 'f', 'g'])
    assert.match(stderr, new RegExp(`^Pod ${name}: no rule: its names and labels are not all valid`, 'm'));
});

test('a pod without labels is found by its container and image, without the tag', async (t) => {
  const cluster = await startCluster(t, {
    pods: [pod('bare', { labels: {} })],
    sites: { 'bare:8080': { '/metrics': metrics } },
  });
  const { rules, stdout } = await learn(cluster);
  const image = String.raw`registry\.example/app`;
  assert.deepEqual(rules[0]?.['when'], { namespace: 'shop', image, container: 'app', portNumber: 8080 });
  assert.equal(decideBy(stdout, pod('next', { container: { image: 'registry.example/app:2' } })), ':8080/metrics');
});

test('a request through the API server says who asks as a scraper would, and follows redirects in the pod only', async (t) => {
  const cluster = await startCluster(t, {
    pods: [pod('mounted', {}), pod('away', {})],
    sites: {
      'mounted:8080': {
        // The API server puts its own path in front of the redirect's.
        '/metrics': to('/api/v1/namespaces/shop/pods/mounted:8080/proxy/metrics/'),
        '/metrics/': metrics,
      },
      'away:8080': { '*': to('http://169.254.169.254/latest') },
    },
  });
  const { rules, stderr } = await learn(cluster);
  assert.deepEqual(
    rules.map(({ name, scrape }) => [name, scrape]),
    [['learned-shop-pod-mounted', { path: '/metrics/' }]],
  );
  assert.match(stderr, /^Pod away: no rule: port 8080 \(redirected_away\)/m);
  const { 'user-agent': agent, accept, authorization } = cluster.headers();
  // The requests to the API and those to pods have the same credentials.
  assert.equal(await cluster.logins(), 1);
  assert.match(agent ?? '', /^autoscrape\/\S+ \(\+https:/);
  assert.match(accept ?? '', /^application\/openmetrics-text;version=1\.0\.0/);
  assert.equal(authorization, 'Bearer secret');
});

test('without the right to get pods/proxy nobody is asked, and the message says what is missing', async (t) => {
  const cluster = await startCluster(t, { pods: [pod('a', {})], mayProxy: false });
  const { code, stdout, stderr } = await learn(cluster);
  assert.deepEqual([code, stdout, cluster.asked], [1, '', []]);
  assert.match(stderr, /needs the right to get pods\/proxy in namespace shop: your account does not have it\n$/);
});

test('a namespace whose ask label says no is not asked, and one of the system is refused', async (t) => {
  const cluster = await startCluster(t, { pods: [pod('a', {})], namespaceLabels: { 'autoscrape.io/ask': 'false' } });
  const { code, stderr } = await learn(cluster);
  assert.deepEqual([code, cluster.asked], [0, []]);
  assert.match(stderr, /its namespace's label autoscrape\.io\/ask does not allow asking/);
  const system = await learn(cluster, '-n', 'kube-system');
  assert.deepEqual([system.code, system.stderr], [1, 'autoscrape: the namespace kube-system is always skipped\n']);
});

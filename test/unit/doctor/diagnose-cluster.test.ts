import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { TestContext } from 'node:test';
import { diagnoseCluster } from '../../../src/doctor/diagnose-cluster.ts';
import type { DiagnoseOptions } from '../../../src/doctor/diagnose-cluster.ts';
import { renderDiagnosis } from '../../../src/doctor/render.ts';
import type { Detail } from '../../../src/doctor/render.ts';
import { readTargets } from '../../../src/doctor/pod/select-pods.ts';
import { connect } from '../../../src/kube/client.ts';
import type { ApiRequest, ApiResponse } from '../../../src/kube/client.ts';
import { fakeKube, listOf } from '../kube/fake-kube.ts';
import { startCluster } from '../commands/learning-cluster.ts';
import type { Cluster, Site } from '../commands/learning-cluster.ts';

// A stand-in, because it has to refuse, to hang and to have 5,000 pods. test/cluster asks the real API server and Prometheus.

const NOW = Date.parse('2026-01-01T01:00:00Z');
const WRITTEN = { 'prometheus.io/scrape': 'true', 'prometheus.io/port': '8080' };
const HASH = '5d4f8c7b9';

function pod(
  name: string,
  words: {
    owner?: string;
    annotations?: object;
    labels?: object;
    phase?: string;
    port?: string;
    namespace?: string;
  } = {},
) {
  const { owner, annotations = WRITTEN, labels = {}, phase = 'Running', port = 'metrics', namespace = 'shop' } = words;
  return {
    metadata: {
      name,
      uid: name,
      namespace,
      labels: { ...labels, ...(owner !== undefined && { 'pod-template-hash': HASH }) },
      annotations,
      creationTimestamp: '2026-01-01T00:00:00Z',
      ...(owner !== undefined && {
        ownerReferences: [{ kind: 'ReplicaSet', name: `${owner}-${HASH}`, controller: true }],
      }),
    },
    spec: { containers: [{ name: 'app', image: 'app:1', ports: [{ name: port, containerPort: 8080 }] }] },
    status: { phase, podIP: '10.1.2.3' },
  };
}

const METRICS: Site = {
  '/metrics': (response) =>
    response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4' }).end('# TYPE orders counter\norders 3\n'),
};

function answer(data: unknown): Site[string] {
  return (response) => void response.writeHead(200).end(JSON.stringify({ status: 'success', data }));
}

function prometheus(up: readonly string[], namespace = 'shop'): Site {
  const activeTargets = up.map((name) => ({
    discoveredLabels: {
      __meta_kubernetes_namespace: namespace,
      __meta_kubernetes_pod_name: name,
      __meta_kubernetes_pod_uid: name,
    },
    scrapePool: 'kubernetes-pods',
    scrapeUrl: 'http://10.1.2.3:8080/metrics',
    health: 'up',
    lastScrape: '2026-01-01T00:59:57Z',
  }));
  return {
    '/api/v1/targets?state=active': answer({ activeTargets }),
    '/api/v1/targets?state=dropped': answer({ droppedTargets: [], droppedTargetCounts: {} }),
    '/api/v1/status/config': answer({ yaml: CONFIG }),
    '/api/v1/query': answer({ result: [] }),
    '/api/v1/status/buildinfo': answer({ version: '3.14.0' }),
  };
}

const CONFIG =
  'scrape_configs:\n- job_name: kubernetes-pods\n  relabel_configs:\n  - source_labels: [__meta_kubernetes_pod_annotation_prometheus_io_scrape]\n';
const SERVICE = {
  metadata: { namespace: 'monitoring', name: 'prometheus' },
  spec: { ports: [{ name: 'web', port: 9090 }] },
};
const DEFAULTS = {
  namespace: 'shop',
  selector: undefined,
  rules: undefined,
  prometheus: undefined,
  prometheusToken: undefined,
  asksForEndpoints: false,
  askAtMost: 50,
  // test/unit/doctor/installation.test.ts is about it.
  installation: () => Promise.resolve({ title: 'the installation', lines: [] }),
  onProgress: () => undefined,
  onNote: () => undefined,
  now: () => NOW,
};
const HEALTHY = pod('orders-1', { owner: 'orders' });

async function look(
  t: TestContext,
  cluster: Partial<Cluster>,
  options: Partial<DiagnoseOptions> & { words?: string[] } = {},
) {
  const running = await startCluster(t, {
    namespaceLabels: { 'autoscrape.io/inject': 'enabled' },
    pods: [HEALTHY],
    services: [SERVICE],
    sites: { 'orders-1:8080': METRICS, 'orders-2:8080': METRICS },
    prometheus: prometheus(['orders-1', 'orders-2']),
    ...cluster,
  });
  const connection = await connect({ kubeconfig: running.kubeconfig });
  assert.ok(connection.ok);
  const kube = connection.value;
  t.after(() => kube.close());
  const targets = readTargets(options.words ?? []);
  assert.ok(targets.ok);
  const notes: string[] = [];
  const found = await diagnoseCluster({
    kube,
    targets: targets.value,
    ...DEFAULTS,
    onNote: (note) => notes.push(note),
    signal: t.signal,
    ...options,
  });
  const diagnosis = found.ok ? found.value.diagnosis : undefined;
  return {
    asked: running.asked,
    notes,
    error: found.ok ? undefined : found.error,
    isComplete: found.ok && found.value.isComplete,
    ids: diagnosis?.reports.flatMap(({ lines }) =>
      lines.flatMap((line) => ('id' in line ? [`${line.state} ${line.id}`] : [])),
    ),
    text: (detail: Detail) => (diagnosis === undefined ? '' : renderDiagnosis(diagnosis, detail)),
  };
}

suite('doctor without a target', { concurrency: 4 }, () => {
  const finished = pod('report-1', { phase: 'Succeeded' });
  const optedOut = pod('cache-1', { annotations: {}, labels: { 'autoscrape.io/inject': 'disabled' } });
  const without = pod('site-1', { annotations: {}, port: 'http' });
  const many = [HEALTHY, pod('orders-2', { owner: 'orders' }), finished, optedOut, without];

  test('what nobody expects to be scraped is one line without a cross, and pods of one workload are one line', async (t) => {
    const { ids, text } = await look(t, { pods: many });
    assert.deepEqual(ids, ['note pod-finished', 'note pod-opted-out', 'note no-endpoint']);
    assert.equal(
      text('brief').replaceAll(/(?<=cache-1: |site-1: ).*(?= {2}\[)/gm, '…'),
      [
        'scrapers',
        '  ✔ Prometheus monitoring/prometheus 3.14.0: 2 targets; reads annotations: kubernetes-pods',
        '',
        '✔ shop/Deployment orders (2 pods) is scraped: up, 3 s ago',
        "– shop/report-1: the pod has finished: Its phase is Succeeded: nothing serves metrics any more, and its address may be another pod's.  [pod-finished]",
        '– shop/cache-1: …  [pod-opted-out]',
        '– shop/site-1: …  [no-endpoint]',
        '',
        '2 of 5 pods are scraped; 3 need not be',
        '',
      ].join('\n'),
    );
  });

  test('a finished pod that is still a target is named with the pod that has its address now', async (t) => {
    const { text } = await look(
      t,
      { pods: [HEALTHY, finished], prometheus: prometheus(['report-1']) },
      { words: ['report-1'] },
    );
    assert.match(
      text('full'),
      /\[target-finished\]\n.* The address is now that of shop\/orders-1, whose metrics get this pod's labels\./,
    );
  });

  test("an author's mistake is a finding, whatever was named", async (t) => {
    const { ids } = await look(t, { pods: [pod('cache-1', { annotations: { 'prometheus.io/scrape': 'True' } })] });
    assert.deepEqual(ids, ['warning pod-opted-out']);
  });

  test('the same pods by name are findings', async (t) => {
    const { ids, isComplete } = await look(t, { pods: many }, { words: ['report-1', 'pod/site-1'] });
    assert.deepEqual([ids, isComplete], [['warning pod-finished', 'cross no-endpoint'], true]);
  });

  test('a break is shown in full, with its pod, and the answer names the first', async (t) => {
    const broken = pod('bills-1', { owner: 'bills' });
    const { text } = await look(t, { pods: [HEALTHY, broken] });
    const whole = text('brief');
    assert.match(whole, /^shop\/bills-1 \(Deployment bills\)\n {2}✔ annotated/m);
    assert.match(whole, /✖ .*\[endpoint-refused\]/);
    assert.match(
      whole,
      /\n1 of 2 pods are scraped; 1 should be and is not\. First: shop\/bills-1 is not scraped: .*\(endpoint-refused\)\n$/,
    );
    const short = text('short');
    assert.doesNotMatch(short, /orders/);
    assert.match(
      short,
      /\nautoscrape \S+, Kubernetes v1\.37\.0, Prometheus monitoring\/prometheus 3\.14\.0\n1 of 2 pods are scraped; .*\n$/,
    );
  });

  test('a namespace that is not opted in is one finding for all of its pods, and only a note where nobody named it', async (t) => {
    const pods = ['a', 'b', 'c', 'd', 'e'].map((name) => pod(`${name}-1`, { owner: name, annotations: {} }));
    const cluster = { pods, namespaceLabels: {}, prometheus: prometheus([]) };
    const named = await look(t, cluster);
    assert.equal(named.text('brief').match(/namespace-not-opted-in\]/g)?.length, 1);
    assert.match(named.text('brief'), /^shop\/a-1 \(Deployment a\), and alike b-1, c-1, d-1 and 1 more$/m);
    const list = { '/api/v1/namespaces': [{ metadata: { name: 'shop', labels: {} } }], '/api/v1/pods': pods };
    const all = await look(t, { ...cluster, lists: list }, { namespace: undefined });
    assert.deepEqual(new Set(all.ids), new Set(['note namespace-not-opted-in']));
    assert.match(all.text('brief'), /\n0 of 5 pods are scraped; 5 need not be\n$/);
  });

  test('at most so many pods are asked, the broken ones first', async (t) => {
    const pods = [
      ...Array.from({ length: 20 }, (_, index) => pod(`orders-${index}`, { owner: 'orders' })),
      pod('bills-1'),
    ];
    const up = pods.map(({ metadata }) => metadata.name).filter((name) => name !== 'bills-1');
    const { asked, ids, text } = await look(t, { pods, prometheus: prometheus(up) }, { askAtMost: 3 });
    assert.deepEqual(asked.toSorted(), ['bills-1:8080 /metrics', 'orders-0:8080 /metrics', 'orders-1:8080 /metrics']);
    assert.deepEqual(ids, ['cross endpoint-refused']);
    const none = await look(t, { pods, prometheus: prometheus([]) }, { askAtMost: 0 });
    assert.match(none.text('brief'), /not checked: the endpoint \(needs --ask-at-most: 0 pods were asked\)/);
    assert.match(text('brief'), /20 of 21 pods/);
  });

  test('where jobs come from other files too, nobody says that none reads annotations', async (t) => {
    const idsWith = async (yaml: string) => {
      const site = { ...prometheus([]), '/api/v1/status/config': answer({ yaml }) };
      return (await look(t, { prometheus: site })).ids;
    };
    const jobs = 'scrape_configs:\n- job_name: nodes\n';
    assert.deepEqual(await idsWith(`scrape_config_files:\n- /etc/jobs/*.yml\n${jobs}`), [
      'cross target-not-discovered',
    ]);
    assert.deepEqual(await idsWith(jobs), ['cross annotations-not-read']);
  });

  test('what Prometheus says of itself is read once, however many pods have no target', async (t) => {
    const pods = Array.from({ length: 20 }, (_, index) => pod(`orders-${index}`, { owner: 'orders' }));
    const sites = Object.fromEntries(pods.map(({ metadata }) => [`${metadata.name}:8080`, METRICS]));
    let pages = 0;
    const metrics: Site[string] = (response) => {
      pages += 1;
      response.writeHead(200).end('prometheus_sd_kubernetes_failures_total 7\n');
    };
    const { ids } = await look(t, { pods, sites, prometheus: { ...prometheus([]), '/metrics': metrics } });
    assert.deepEqual(new Set(ids), new Set(['cross target-not-discovered']));
    assert.equal(pages, 1);
  });

  test('5,000 pods are looked at, and asked no more often than 50', async (t) => {
    const pods = Array.from({ length: 5000 }, (_, index) => pod(`orders-${index}`, { owner: 'orders' }));
    const { asked, text } = await look(t, { pods, prometheus: prometheus(pods.map(({ metadata }) => metadata.name)) });
    assert.equal(new Set(asked.map((request) => request.split(' ')[0])).size, 50);
    assert.equal(
      text('brief'),
      [
        'scrapers',
        '  ✔ Prometheus monitoring/prometheus 3.14.0: 5000 targets; reads annotations: kubernetes-pods',
        '',
        '✔ shop/Deployment orders (5000 pods) is scraped: up, 3 s ago',
        '',
        '5000 of 5000 pods are scraped',
        '',
      ].join('\n'),
    );
  });
});

suite('doctor --ask', { concurrency: 4 }, () => {
  const bare = pod('site-1', { annotations: {}, port: 'http' });
  const at = {
    '/internal': METRICS['/metrics'] ?? (() => undefined),
    '/metrics': METRICS['/metrics'] ?? (() => undefined),
  };

  test('names the port and path that answer, where no rule finds any', async (t) => {
    const cluster = { pods: [bare], sites: { 'site-1:8080': at }, prometheus: prometheus([]) };
    const asks = await look(t, cluster, { asksForEndpoints: true });
    assert.deepEqual(asks.ids, ['cross endpoint-unsaid']);
    assert.match(
      asks.text('brief'),
      /→ add to the pod template: metadata\.annotations: \{prometheus\.io\/scrape: "true", prometheus\.io\/port: "8080", prometheus\.io\/path: \/metrics\}/,
    );
    const silent = await look(t, cluster);
    assert.deepEqual([silent.ids, silent.asked], [['note no-endpoint'], []]);
  });

  test('does not ask where the label of pod or namespace forbids it', async (t) => {
    const sites = { 'site-1:8080': at };
    const off = { 'autoscrape.io/ask': 'disabled' };
    const ofPod = await look(
      t,
      { pods: [pod('site-1', { annotations: {}, port: 'http', labels: off })], sites },
      { asksForEndpoints: true },
    );
    const namespaceLabels = { 'autoscrape.io/inject': 'enabled', ...off };
    const ofNamespace = await look(t, { pods: [bare], sites, namespaceLabels }, { asksForEndpoints: true });
    assert.deepEqual([ofPod.asked, ofNamespace.asked], [[], []]);
  });

  test('names another port than the annotated one, where that answers', async (t) => {
    const wrong = pod('site-1', { annotations: { ...WRITTEN, 'prometheus.io/port': '9999' }, port: 'http' });
    const cluster = { pods: [wrong], sites: { 'site-1:8080': at }, prometheus: prometheus([]) };
    const { text } = await look(t, cluster, { asksForEndpoints: true });
    assert.match(
      text('brief'),
      /Port 8080 answers with 1 series at \/metrics\..*\n {4}→ write into the pod template: prometheus\.io\/port: "8080"/,
    );
  });
});

/** Looks with a client that answers as the function says; nothing comes through its proxy. */
async function lookWith(respond: (request: ApiRequest) => ApiResponse, words: readonly string[] = []) {
  const targets = readTargets(words);
  assert.ok(targets.ok);
  const paths: string[] = [];
  const kube = fakeKube((request) => {
    paths.push(request.path);
    return respond(request);
  });
  const found = await diagnoseCluster({
    ...DEFAULTS,
    kube,
    targets: targets.value,
    signal: new AbortController().signal,
  });
  return { found, paths };
}

function gone(response: Parameters<Site[string]>[0]): void {
  const status = { kind: 'Status', apiVersion: 'v1', code: 404, message: 'pods "orders-3" not found' };
  response.writeHead(404, { 'content-type': 'application/json' }).end(JSON.stringify(status));
}

suite('doctor where the cluster says no', { concurrency: 4 }, () => {
  test('a right that is missing is named, and nothing else is a finding', async (t) => {
    const { error } = await look(t, { forbidden: ['/api/v1/namespaces/shop/pods'] });
    assert.match(error ?? '', /^needs list on pods in namespace shop: forbidden$/);
    const some = await look(t, {
      forbidden: ['/api/v1/services', '/api/v1/namespaces/shop', '/api/v1/configmaps'],
      mayProxy: false,
    });
    assert.deepEqual(some.ids, []);
    assert.match(some.text('brief'), /\n$/);
  });

  test('a target that is not there is one line, and the others are looked at', async (t) => {
    const { notes, ids, isComplete, text } = await look(t, {}, { words: ['deploy/orders', 'deploy/other'] });
    assert.ok(notes.includes('autoscrape: namespace shop has no pod of deploy/other: 0 pods looked at'));
    assert.deepEqual([ids, isComplete], [[], false]);
    assert.match(text('full'), /\nshop\/orders-1 is scraped/);
  });

  test('a pod that is named twice is looked at once', async (t) => {
    const { ids, text } = await look(t, {}, { words: ['orders-1', 'pod/orders-1'] });
    assert.deepEqual(ids, []);
    assert.match(text('full'), /^shop\/orders-1 is scraped/m);
  });

  test('a page in place of a pod is said to be one', async () => {
    const { found } = await lookWith(() => ({ status: 200, body: '<html>Log in</html>' }), ['pod/orders-1']);
    assert.equal(
      found.ok ? '' : found.error,
      'the answer of https://fake is not the pod orders-1: it is no API server, or a login page',
    );
  });

  test('a namespace without pods has an answer of its own, and one that is not there another', async (t) => {
    assert.match((await look(t, { pods: [] })).text('brief'), /\n\n0 pods looked at\n$/);
    assert.match(
      (await look(t, { pods: [] }, { namespace: 'shpo' })).error ?? '',
      /^there is no namespace shpo in the cluster/,
    );
  });

  test('credentials that are not accepted, or no answer at all, is one line after one request', async () => {
    const expired = await lookWith(() => ({ status: 401, body: { message: 'Unauthorized' } }));
    assert.match(
      expired.found.ok ? '' : expired.found.error,
      /does not accept your credentials \(401 Unauthorized\): log in/,
    );
    const silent = await lookWith(() => {
      throw new Error('no answer from https://fake: nothing came for 10 s');
    });
    assert.match(silent.found.ok ? '' : silent.found.error, /^no answer from https:\/\/fake: nothing came for 10 s$/);
    assert.deepEqual([expired.paths.length, silent.paths.length], [1, 1]);
  });

  test('an API server that stops to answer in between is waited for a few times, not for each pod', async () => {
    const pods = Array.from({ length: 200 }, (_, index) => pod(`orders-${index}`, { owner: 'orders' }));
    const { found, paths } = await lookWith((request) => {
      if (request.path.endsWith('/pods') && request.query?.['labelSelector'] === undefined)
        return listOf(request, pods);
      throw new Error('no answer from https://fake: nothing came for 10 s');
    });
    assert.ok(found.ok);
    assert.equal(found.value.diagnosis.reports.length, 200);
    assert.ok(paths.length < 20, `${paths.length} requests`);
    const last = renderDiagnosis(found.value.diagnosis, 'brief').trimEnd().split('\n').at(-1);
    assert.match(last ?? '', /^0 of 200 pods are scraped; of 200 it is not known, as far as could be read$/);
  });

  test('a pod that is deleted between the list and the request is said to be gone', async (t) => {
    const shown = { '/api/v1/namespaces/shop/pods': [HEALTHY, pod('orders-3')] };
    const { ids } = await look(t, {
      lists: shown,
      sites: { 'orders-1:8080': METRICS, 'orders-3:8080': { '/metrics': gone } },
    });
    assert.deepEqual(ids, ['note pod-gone']);
  });
});

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { after, before, suite, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { diagnoseCluster } from '../../src/doctor/diagnose-cluster.ts';
import type { Line } from '../../src/doctor/finding.ts';
import { readTargets } from '../../src/doctor/pod/select-pods.ts';
import { connect } from '../../src/kube/client.ts';
import type { Kube } from '../../src/kube/client.ts';
import { createAuthority } from '../../src/webhook/certificate-authority.ts';
import { startControlPlane } from '../harness/control-plane/control-plane.ts';
import type { ControlPlane } from '../harness/control-plane/control-plane.ts';
import { freePort } from '../harness/process/free-port.ts';
import { waitFor } from '../harness/process/wait-for.ts';
import { registerAsTheChart, unregister } from '../harness/programs/webhook-configuration.ts';
import { startPrometheus } from '../harness/programs/prometheus.ts';
import type { Prometheus } from '../harness/programs/prometheus.ts';

// What doctor reads of a real Prometheus: pods are objects of a real API server whose addresses are on loopback, where servers of
// this test answer. No kubelet runs them, and the API server refuses to ask loopback, so their endpoints are not asked here.

const SCRAPE = '__meta_kubernetes_pod_annotation_prometheus_io_scrape';
const PORT = '__meta_kubernetes_pod_annotation_prometheus_io_port';

/** The rules of the community's chart that count here. */
const RULES = [
  { source_labels: [SCRAPE], regex: 'true', action: 'keep' },
  {
    source_labels: ['__meta_kubernetes_pod_ip', PORT],
    regex: String.raw`([0-9.]+);(\d+)`,
    replacement: '$1:$2',
    target_label: '__address__',
  },
  { source_labels: ['__meta_kubernetes_namespace'], target_label: 'namespace' },
  { source_labels: ['__meta_kubernetes_pod_name'], target_label: 'pod' },
];

const PAGE = '# TYPE orders counter\norders{kind="a"} 3\norders{kind="b"} 4\n';

suite('doctor reads a real Prometheus', () => {
  let cluster: ControlPlane;
  let kube: Kube;
  let prometheus: Prometheus;
  let port = 0;
  const servers: Server[] = [];

  before(async () => {
    cluster = await startControlPlane({ users: { blind: [] } });
    const connection = await connect({ kubeconfig: cluster.kubeconfig });
    assert.ok(connection.ok);
    kube = connection.value;
    for (const name of ['shop', 'web']) await create('/api/v1/namespaces', { metadata: { name } });
    port = await freePort();
    await pod('orders', '127.0.0.2', { page: PAGE });
    await pod('exported', '127.0.0.3', {
      page: '# TYPE jobs gauge\njobs{namespace="team-a"} 1\njobs{namespace="shop"} 2\n',
    });
    await pod('twice', '127.0.0.4', { page: `${PAGE}orders{kind="a"} 5\n` });
    await pod('undeclared', '127.0.0.5', { page: PAGE, declared: 1 });
    await pod('html', '127.0.0.6', { page: '<html></html>', type: 'text/html' });
    await pod('large', '127.0.0.7', { page: Array.from({ length: 30 }, (_, i) => `many{i="${i}"} 1\n`).join('') });
    await pod('gone', '127.0.0.8', {});
    await pod('bare', '127.0.0.9', { isAnnotated: false });
    prometheus = await startPrometheus(configuration());
    await scraped(6);
  });
  after(async () => {
    await prometheus.stop();
    await kube.close();
    for (const server of servers) server.close();
    await cluster.stop();
  });

  test('a pod that is scraped is up, with its samples', async () => {
    const { ids, answer } = await look('orders');
    assert.deepEqual(ids, []);
    assert.match(answer, /^is scraped: up, 2 samples, \d+ s ago$/);
  });

  test('a pod without annotations is judged by the selectors of the webhook, and each remedy leads on', async () => {
    // Nothing listens there: the API server goes on without it.
    const nobody = { port: 1, ca: createAuthority().certificate };
    await registerAsTheChart(cluster, 'autoscrape', nobody, {
      webhook: {
        namespaceSelector: { matchLabels: { team: 'shop' } },
        objectSelector: { matchExpressions: [{ key: 'tier', operator: 'In', values: ['web', 'api'] }] },
      },
    });
    try {
      const inForce = /\(MutatingWebhookConfiguration autoscrape\)/;
      const first = await look('bare');
      assert.deepEqual([first.ids, first.todo], [['namespace-not-opted-in'], 'kubectl label namespace shop team=shop']);
      assert.match(first.because, inForce);
      await cluster.kubectl(first.todo.split(' ').slice(1));
      const second = await look('bare');
      assert.deepEqual(
        [second.ids, second.todo],
        [['pod-not-selected'], 'In the pod template write the label tier: "web".'],
      );
      assert.match(second.because, inForce);
      await cluster.kubectl(['label', 'pod', 'bare', '-n', 'shop', 'tier=web']);
      const third = await look('bare');
      assert.deepEqual(third.ids, ['pod-missed']);
      assert.equal(
        third.todo,
        "autoscrape reconcile --once -n shop --namespace-selector='team=shop' --object-selector='tier in (web,api)'",
      );
    } finally {
      await unregister(cluster, 'autoscrape');
      await cluster.kubectl(['label', 'namespace', 'shop', 'team-']);
    }
  });

  test('what Prometheus says of a target that is down has an id', async () => {
    assert.deepEqual((await look('html')).ids, ['target-content-type']);
    assert.deepEqual((await look('large')).ids, ['target-limit']);
    const refused = await look('gone');
    assert.deepEqual(refused.ids, ['target-refused']);
    assert.match(refused.because, /"Get \\"http:.*connect: connection refused"|connection refused/);
  });

  test("a label of the app's that collides is found, and the query that finds its series", async () => {
    const { ids, todo } = await look('exported');
    assert.deepEqual(ids, ['series-labels-collide']);
    const [, matcher = ''] = /query them as (\{.*?\})/.exec(todo) ?? [];
    assert.equal((await prometheus.query(`jobs${matcher}`)).length, 1);
  });

  test('a series that the page has twice is found', async () => {
    assert.deepEqual((await look('twice')).ids, ['series-repeated']);
  });

  test('a rule that drops the pod is named, and Prometheus says the same', async () => {
    const declared = {
      source_labels: [PORT, '__meta_kubernetes_pod_container_port_number'],
      action: 'keep',
      regex: `${port};${port}`,
    };
    await reload(configuration([...RULES, declared]));
    const { ids, because, todo } = await look('undeclared');
    assert.deepEqual(ids, ['target-dropped']);
    assert.match(
      because,
      new RegExp(`the job kubernetes-pods drops it\\. Rule 5 of its relabel_configs is \\{action: keep, .*"${port};1"`),
    );
    assert.match(because, /Its relabel steps say so, too: step 5\./);
    assert.match(todo, new RegExp(`containerPort: ${port}`));
  });

  test('the rule is worked out of the configuration where Prometheus keeps no dropped targets', async () => {
    const rule = { source_labels: ['__meta_kubernetes_namespace'], regex: 'web', action: 'keep' };
    await reload(configuration([...RULES, rule], { keep_dropped_targets: 1 }));
    const { ids, because, todo } = await look('orders');
    assert.deepEqual(ids, ['target-dropped']);
    assert.match(because, /Rule 5 of its relabel_configs is .*and the value is "shop"/);
    assert.match(todo, /Add the namespace shop to the regex of rule 5/);
  });

  test('a job without rights sees no pod, and its failures are counted', async () => {
    await reload(
      configuration(RULES, {
        kubernetes_sd_configs: [{ role: 'pod', kubeconfig_file: await cluster.kubeconfigOf('blind') }],
      }),
    );
    const found = await waitFor('its discovery to fail', async () => {
      const { ids, because } = await look('orders');
      return because.includes('has failed') && { ids, because };
    });
    assert.deepEqual(found.ids, ['target-not-discovered']);
    assert.match(found.because, /sees no pod at all in its job kubernetes-pods\. Its discovery has failed \d+ times/);
  });

  test('a job of other namespaces, and none that reads annotations', async () => {
    const sd = { role: 'pod', kubeconfig_file: cluster.kubeconfig, namespaces: { names: ['web'] } };
    await reload(configuration(RULES, { kubernetes_sd_configs: [sd] }));
    const elsewhere = await look('orders');
    assert.deepEqual(elsewhere.ids, ['target-not-discovered']);
    assert.match(elsewhere.because, /discovers pods of the namespaces web only/);
    await reload({ scrape_configs: [{ job_name: 'nothing', static_configs: [] }] });
    assert.deepEqual((await look('orders')).ids, ['annotations-not-read']);
  });

  test('a reload that failed', async () => {
    await reload({ scrape_configs: [{ job_name: '' }] });
    assert.deepEqual((await look('orders')).ids, ['scraper-reload-failed']);
  });

  test('an agent has targets and no series', async () => {
    const agent = await startPrometheus(configuration(), undefined, ['--agent']);
    try {
      const { ids, lines } = await waitFor('a scrape', async () => {
        const found = await look('orders', agent.url);
        return found.ids.length === 0 && found;
      });
      assert.deepEqual(ids, []);
      const unchecked = lines.find((line) => line.state === 'unchecked' && line.title === 'the series');
      assert.match(unchecked !== undefined && 'needs' in unchecked ? unchecked.needs : '', /an agent does not answer/);
    } finally {
      await agent.stop();
    }
  });

  function configuration(relabelings: readonly object[] = RULES, words: object = {}) {
    const job = {
      job_name: 'kubernetes-pods',
      scrape_interval: '1s',
      scrape_timeout: '1s',
      sample_limit: 20,
      kubernetes_sd_configs: [{ role: 'pod', kubeconfig_file: cluster.kubeconfig }],
      relabel_configs: relabelings,
      ...words,
    };
    return { scrape_configs: [job] };
  }

  /** A configuration that has just been loaded explains nothing: the clock that doctor has is a minute ahead. */
  async function reload(next: object): Promise<void> {
    await prometheus.reload(next);
    await sleep(6000); // discovery tells the scrape manager of changes every five seconds
  }

  async function scraped(count: number): Promise<void> {
    await waitFor(
      'every target to have been scraped three times',
      async () => {
        const counts = await prometheus.query('count_over_time(up[1m])');
        return counts.filter(({ value }) => value >= 3).length > count;
      },
      { seconds: 60 },
    );
  }

  async function look(name: string, url = prometheus.url) {
    const targets = readTargets([name]);
    assert.ok(targets.ok);
    const found = await diagnoseCluster({
      kube,
      targets: targets.value,
      namespace: 'shop',
      selector: undefined,
      rules: undefined,
      prometheus: new URL(url),
      prometheusToken: undefined,
      asksForEndpoints: false,
      askAtMost: 0,
      installation: () => Promise.resolve({ title: 'the installation', lines: [] }),
      onProgress: () => undefined,
      onNote: () => undefined,
      now: () => Date.now() + 180_000,
      signal: new AbortController().signal,
    });
    assert.ok(found.ok);
    const [report] = found.value.diagnosis.reports;
    assert.ok(report !== undefined);
    const finding = report.lines.find((line): line is Extract<Line, { id: string }> => 'id' in line);
    return {
      ids: report.lines.flatMap((line) => ('id' in line ? [line.id] : [])),
      lines: report.lines,
      because: finding?.because ?? '',
      todo: finding?.todo ?? '',
      answer: report.answer.replace(/\d+ s ago/, '3 s ago'),
    };
  }

  /** Creates a pod that runs as far as anybody can read, and the server at its address. */
  async function pod(
    name: string,
    ip: string,
    {
      page,
      type = 'text/plain; version=0.0.4',
      declared = port,
      isAnnotated = true,
    }: { page?: string; type?: string; declared?: number; isAnnotated?: boolean },
  ) {
    const path = '/api/v1/namespaces/shop/pods';
    const annotations = isAnnotated ? { 'prometheus.io/scrape': 'true', 'prometheus.io/port': String(port) } : {};
    const containers = [{ name: 'app', image: 'app', ports: [{ name: 'metrics', containerPort: declared }] }];
    await create(path, { metadata: { name, annotations }, spec: { containers, nodeName: 'node' } });
    const status = { phase: 'Running', podIP: ip, podIPs: [{ ip }] };
    const patched = await cluster.request(
      'PATCH',
      `${path}/${name}/status`,
      { status },
      { 'content-type': 'application/merge-patch+json' },
    );
    assert.equal(patched.status, 200, JSON.stringify(patched.body));
    if (page === undefined) return;
    const server = createServer((_, response) => response.writeHead(200, { 'content-type': type }).end(page));
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(port, ip, resolve));
  }

  async function create(path: string, object: object): Promise<void> {
    const created = await cluster.request('POST', path, object);
    assert.ok(created.status < 300, JSON.stringify(created.body));
  }
});

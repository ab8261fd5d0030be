import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, suite, test } from 'node:test';
import jsonPatch from 'fast-json-patch';
import { parse } from 'yaml';
import { decide } from '../../src/core/decide.ts';
import { renderPatch } from '../../src/core/patch.ts';
import { parseRules } from '../../src/core/rules/parse.ts';
import { readShipped } from '../../src/rules/shipped.ts';
import type { Job } from '../harness/consumers/consumer.ts';
import { image, port } from '../harness/consumers/several-endpoints.ts';
import type { Situation } from '../harness/consumers/several-endpoints.ts';
import { startControlPlane } from '../harness/control-plane/control-plane.ts';
import type { ControlPlane } from '../harness/control-plane/control-plane.ts';
import { waitFor } from '../harness/process/wait-for.ts';
import { startPrometheus } from '../harness/programs/prometheus.ts';
import type { Prometheus } from '../harness/programs/prometheus.ts';

// Grafana's own annotations, k8s.grafana.com/*: a real API server holds the pods, and a real Prometheus, whose discovery and relabelling
// Alloy has, computes the targets by the rules of the chart k8s-monitoring. test/unit/consumers/dialects.test.ts has the other dialects.

const parsed = parseRules(
  '{ endpoints: all, https: true, dialects: [grafana, datadog, dynatrace, opentelemetry] }',
  readShipped(),
);
assert.ok(parsed.ok);
const RULES = parsed.value.rules;

// `want` is what follows the host, and the container that the samples are said to be of.
const app = { name: 'app', image, ports: [port('http', 8080), port('metrics', 9464)] };

const SITUATIONS: readonly Situation[] = [
  { name: 'two-ports', containers: [app], want: ['http :9464/metrics app'] },
  {
    name: 'two-containers',
    containers: [app, { name: 'proxy', image, ports: [port('proxy', 8443), port('admin', 9901)] }],
    want: ['http :9464/metrics app'],
  },
  {
    name: 'two-endpoints',
    containers: [{ name: 'worker', image, ports: [port('worker-metrics', 9121)] }, app],
    want: ['http :9121/metrics worker'],
  },
  {
    name: 'a-port-for-tcp-and-udp',
    containers: [{ ...app, ports: [...app.ports, { ...port('udp', 9464), protocol: 'UDP' }] }],
    want: ['http :9464/metrics app'],
  },
  {
    name: 'in-a-native-sidecar',
    containers: [
      { name: 'app', image },
      { name: 'other', image, ports: [port('http', 8080)] },
    ],
    initContainers: [{ name: 'shipper', image, restartPolicy: 'Always', ports: [port('metrics', 9221)] }],
    want: ['http :9221/metrics app'],
  },
  {
    name: 'over-https',
    containers: [{ name: 'app', image, ports: [port('https-metrics', 8443)] }],
    want: ['https :8443/metrics app'],
  },
  {
    name: 'at-an-undeclared-port',
    annotations: { 'prometheus.io/port': '7000', 'prometheus.io/path': '/own' },
    containers: [{ name: 'app', image }, app].map((each, i) => ({ ...each, name: `c${i}` })),
    want: ['http :7000/own c0'],
  },
  {
    name: 'annotated-by-its-author',
    annotations: { 'prometheus.io/scrape': 'true', 'prometheus.io/port': '9464' },
    containers: [app, { name: 'proxy', image, ports: [port('proxy', 8443)] }],
    want: ['http :9464/metrics app'],
  },
  {
    name: 'declined-by-its-author',
    annotations: { 'k8s.grafana.com/scrape': 'false' },
    containers: [app],
    want: [],
  },
  { name: 'without-metrics', containers: [{ name: 'app', image, ports: [port('http', 8080)] }], want: [] },
];

/** The rules of the chart with the annotation names that it has by default. */
async function grafanaJobs(): Promise<readonly Job[]> {
  const text = await readFile(new URL('../harness/consumers/grafana.yaml', import.meta.url), 'utf8');
  const names = { scrape: 'scrape', path: 'metrics_path', port: 'metrics_portNumber', scheme: 'metrics_scheme' };
  return parse(
    text.replaceAll(
      /annotation_prometheus_io_(scrape|path|port|scheme)\b/g,
      (_, name: keyof typeof names) => `annotation_k8s_grafana_com_${names[name]}`,
    ),
  );
}

suite("Grafana's own annotations", { timeout: 300_000 }, () => {
  let cluster: ControlPlane;
  let prometheus: Prometheus;
  before(async () => {
    cluster = await startControlPlane();
    await cluster.request('POST', '/api/v1/namespaces', { metadata: { name: 'dialects' } });
    for (const [i, situation] of SITUATIONS.entries()) await createPod(situation, `127.78.0.${i + 1}`);
    const jobs = (await grafanaJobs()).map((job) => ({
      ...job,
      kubernetes_sd_configs: [{ role: 'pod', kubeconfig_file: cluster.kubeconfig }],
    }));
    prometheus = await startPrometheus({ global: { scrape_interval: '1h' }, scrape_configs: jobs });
    await waitFor('every pod to be discovered', async () => {
      const { activeTargets, droppedTargets } = await prometheus.targets();
      const seen = new Set(
        [...activeTargets, ...droppedTargets].map(
          ({ discoveredLabels }) => discoveredLabels['__meta_kubernetes_pod_name'],
        ),
      );
      return SITUATIONS.every(({ name }) => seen.has(name));
    });
  });
  after(async () => {
    await prometheus.stop();
    await cluster.stop();
  });

  for (const [i, { name, want }] of SITUATIONS.entries()) {
    test(`make ${want.length === 0 ? 'no target' : 'one target, at the first endpoint'}: ${name}`, async () => {
      const { activeTargets } = await prometheus.targets();
      const found = activeTargets.filter(({ labels }) => labels['pod'] === name);
      assert.deepEqual(
        found.map(
          ({ scrapeUrl, labels }) =>
            `${scrapeUrl.replace(`//127.78.0.${i + 1}`, ' ').replace(': ', ' ')} ${labels['container']}`,
        ),
        want,
      );
    });
  }

  async function createPod({ name, annotations, containers, initContainers }: Situation, ip: string): Promise<void> {
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, ...(annotations !== undefined && { annotations }) },
      spec: { containers, ...(initContainers !== undefined && { initContainers }) },
    };
    const patch = renderPatch(pod, decide(pod, RULES)) as jsonPatch.Operation[];
    const { newDocument } = jsonPatch.applyPatch<object>(pod, patch, true, false);
    const created = await cluster.request('POST', '/api/v1/namespaces/dialects/pods', newDocument);
    assert.equal(created.status, 201, JSON.stringify(created.body));
    const status = { phase: 'Running', podIP: ip, podIPs: [{ ip }], conditions: [{ type: 'Ready', status: 'True' }] };
    const said = await cluster.request('PATCH', `/api/v1/namespaces/dialects/pods/${name}/status`, { status });
    assert.equal(said.status, 200, JSON.stringify(said.body));
  }
});

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { after, before, suite, test } from 'node:test';
import jsonPatch from 'fast-json-patch';
import { parse } from 'yaml';
import { DEFAULT_KEYS } from '../../src/core/annotations/scrape-keys.ts';
import { decide } from '../../src/core/decide.ts';
import { renderPatch } from '../../src/core/patch.ts';
import { parseRules } from '../../src/core/rules/parse.ts';
import { readShipped } from '../../src/rules/shipped.ts';
import { renderConfig } from '../../src/scrape-config/render-config.ts';
import { bridgeJobs } from '../harness/consumers/bridge.ts';
import type { Job } from '../harness/consumers/consumer.ts';
import { startControlPlane } from '../harness/control-plane/control-plane.ts';
import type { ControlPlane } from '../harness/control-plane/control-plane.ts';
import { waitFor } from '../harness/process/wait-for.ts';
import { startPrometheus } from '../harness/programs/prometheus.ts';
import type { Prometheus } from '../harness/programs/prometheus.ts';

// Pods with several endpoints, as people describe them, after autoscrape with `endpoints: all`: a real API server holds them,
// servers on loopback answer for them, and a real Prometheus scrapes them with each configuration that there is.

const parsed = parseRules('endpoints: all', readShipped());
assert.ok(parsed.ok);
const RULES = parsed.value.rules;

interface Situation {
  readonly name: string;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly containers: readonly object[];
  readonly initContainers?: readonly object[];
  /** The endpoints, `port/path container`, the first one first. */
  readonly want: readonly string[];
}

const image = 'registry.example/app:1';
const port = (name: string, containerPort: number) => ({ name, containerPort });

const SITUATIONS: readonly Situation[] = [
  {
    name: 'api-and-worker',
    containers: [
      { name: 'api', image, ports: [port('http', 8080), port('metrics', 19090)] },
      { name: 'worker', image, ports: [port('worker-metrics', 19121)] },
    ],
    want: ['19090/metrics api', '19121/metrics worker'],
  },
  {
    name: 'app-behind-tls-with-exporter',
    containers: [
      { name: 'app', image, ports: [port('metrics', 15000 + 500)] },
      { name: 'tls', image: 'haproxy:2.8', ports: [{ containerPort: 443 }] },
      { name: 'haproxy-exporter', image: 'prom/haproxy-exporter:v0.15.0', ports: [{ containerPort: 9101 }] },
    ],
    want: ['15500/metrics app', '9101/metrics haproxy-exporter'],
  },
  {
    name: 'two-exporters-two-paths',
    containers: [
      { name: 'django', image, ports: [port('http', 8000)] },
      {
        name: 'uwsgi-exporter',
        image: 'timonwong/uwsgi-exporter:v1.3.0',
        args: ['--web.telemetry-path=/uwsgi/metrics'],
        ports: [port('uwsgi-metrics', 19117)],
      },
      {
        name: 'django-exporter',
        image,
        args: ['--web.telemetry-path=/django/metrics'],
        ports: [port('django-metrics', 19118)],
      },
    ],
    want: ['19117/uwsgi/metrics uwsgi-exporter', '19118/django/metrics django-exporter'],
  },
  {
    name: 'two-ports-of-one-container',
    containers: [{ name: 'server', image, ports: [port('metrics', 19200), port('prometheus', 19201)] }],
    want: ['19200/metrics server', '19201/metrics server'],
  },
  {
    name: 'a-port-for-tcp-and-udp',
    containers: [
      { name: 'server', image, ports: [port('metrics', 19210)] },
      {
        name: 'dns',
        image,
        ports: [port('dns-metrics', 19211), { ...port('dns-udp', 19211), protocol: 'UDP' }],
      },
    ],
    want: ['19210/metrics server', '19211/metrics dns'],
  },
  {
    name: 'beside-a-native-sidecar',
    containers: [{ name: 'app', image, ports: [port('metrics', 19220)] }],
    initContainers: [{ name: 'shipper', image, restartPolicy: 'Always', ports: [port('ship-metrics', 19221)] }],
    want: ['19220/metrics app', '19221/metrics shipper'],
  },
  {
    name: 'written-by-hand',
    annotations: { 'prometheus.io/port-3': '19232', 'prometheus.io/path-3': '/by/hand' },
    containers: [
      { name: 'app', image, ports: [port('metrics', 19230)] },
      { name: 'worker', image, ports: [port('worker-metrics', 19231)] },
      { name: 'third', image, ports: [port('x', 19232)] },
    ],
    want: ['19230/metrics app', '19231/metrics worker', '19232/by/hand third'],
  },
  {
    name: 'eight',
    containers: Array.from({ length: 8 }, (_, i) => ({ name: `c${i}`, image, ports: [port('metrics', 19300 + i)] })),
    want: Array.from({ length: 8 }, (_, i) => `${19300 + i}/metrics c${i}`),
  },
  {
    name: 'one',
    containers: [
      { name: 'app', image, ports: [port('metrics', 19240)] },
      { name: 'proxy', image, ports: [port('http', 8080)] },
    ],
    want: ['19240/metrics app'],
  },
];

interface Configuration {
  readonly name: string;
  readonly jobs: () => Promise<readonly Job[]>;
}

const printed = (scraper: 'prometheus' | 'victoria-metrics', asValues: boolean): unknown =>
  parse(renderConfig(scraper, DEFAULT_KEYS, asValues));

/** Prometheus has another name for what vmagent calls `keep_if_equal`, and takes the second label apart. */
function inPrometheus(job: Job): Job {
  const rules = job['relabel_configs'] as readonly Readonly<Record<string, unknown>>[];
  const relabel_configs = rules.map((rule) => {
    const { action, source_labels: labels } = rule;
    if (action !== 'keep_if_equal' && action !== 'drop_if_equal') return rule;
    assert.ok(Array.isArray(labels));
    return {
      source_labels: labels.slice(0, 1),
      target_label: labels[1],
      action: action.replace('_if_', ''),
    };
  });
  return { ...job, relabel_configs };
}

async function shippedJobs(file: string): Promise<readonly Job[]> {
  const jobs: readonly Job[] = parse(await readFile(new URL(`../harness/consumers/${file}`, import.meta.url), 'utf8'));
  return jobs.filter(({ job_name: name }) => name.startsWith('kubernetes-pods'));
}

const CONFIGURATIONS: readonly Configuration[] = [
  { name: "the chart's ScrapeConfigs", jobs: bridgeJobs },
  {
    name: 'prometheus.yml',
    jobs: async () => (printed('prometheus', false) as { scrape_configs: readonly Job[] }).scrape_configs,
  },
  {
    name: 'the community chart with values',
    jobs: async () => [
      ...(await shippedJobs('community-chart.yaml')),
      ...(parse((printed('prometheus', true) as { extraScrapeConfigs: string }).extraScrapeConfigs) as readonly Job[]),
    ],
  },
  {
    name: 'vmagent',
    jobs: async () =>
      (printed('victoria-metrics', false) as { scrape_configs: readonly Job[] }).scrape_configs.map(inPrometheus),
  },
  {
    name: "vmagent's chart with values",
    jobs: async () => [
      ...(await shippedJobs('victoria-metrics.yaml')),
      ...(printed('victoria-metrics', true) as { extraScrapeConfigs: readonly Job[] }).extraScrapeConfigs.map(
        inPrometheus,
      ),
    ],
  },
];

/** The address of a pod: loopback has 16 million. */
function ipOf(i: number): string {
  return `127.77.0.${i + 1}`;
}

function isOf(configuration: string, job: string | undefined): boolean {
  return job?.startsWith(`${configuration} / `) === true;
}

/** Returns how many watches on pods the API server has open. */
async function podWatches(cluster: ControlPlane): Promise<number> {
  const page = await cluster.kubectl(['get', '--raw', '/metrics']);
  return [...page.matchAll(/^apiserver_longrunning_requests\{(?<labels>.*)\} (?<n>\d+)$/gm)]
    .filter(
      ({ groups }) => /resource="pods"/.test(groups?.['labels'] ?? '') && /verb="WATCH"/.test(groups?.['labels'] ?? ''),
    )
    .reduce((sum, { groups }) => sum + Number(groups?.['n']), 0);
}

/** Serves one sample, at the endpoint's path alone. */
async function serve(ip: string, endpoint: string): Promise<Server> {
  const { number = '', path } = /^(?<number>\d+)(?<path>\S+)/.exec(endpoint)?.groups ?? {};
  const server = createServer((request, response) => {
    if (request.url !== path) response.statusCode = 404;
    response.setHeader('content-type', 'text/plain; version=0.0.4');
    response.end(`endpoint_info{endpoint=${JSON.stringify(endpoint)}} 1\n`);
  });
  server.listen(Number(number), ip);
  await once(server, 'listening');
  return server;
}

suite('several endpoints of a pod', { timeout: 300_000 }, () => {
  let cluster: ControlPlane;
  let prometheus: Prometheus;
  const servers: Server[] = [];

  before(async () => {
    cluster = await startControlPlane();
    await cluster.request('POST', '/api/v1/namespaces', { metadata: { name: 'several' } });
    for (const [i, situation] of SITUATIONS.entries()) {
      for (const endpoint of situation.want) servers.push(await serve(ipOf(i), endpoint));
      await createPod(situation, ipOf(i));
    }
    const jobs = await Promise.all(
      CONFIGURATIONS.map(async ({ name, jobs: of }) => (await of()).map((job) => withDiscovery(job, `${name} / `))),
    );
    prometheus = await startPrometheus({ global: { scrape_interval: '1s' }, scrape_configs: jobs.flat() });
    await waitFor('every target to be scraped', async () => {
      const { activeTargets } = await prometheus.targets();
      const wanted = CONFIGURATIONS.length * SITUATIONS.reduce((sum, { want }) => sum + want.length, 0);
      return activeTargets.length >= wanted && activeTargets.every(({ health }) => health !== 'unknown');
    });
  });
  after(async () => {
    await prometheus.stop();
    for (const server of servers) server.close();
    await cluster.stop();
  });

  for (const { name: configuration } of CONFIGURATIONS) {
    test(`every endpoint is a target, up, once, with ${configuration}`, async () => {
      const { activeTargets } = await prometheus.targets();
      const samples = await prometheus.query('endpoint_info');
      for (const [i, { name, want }] of SITUATIONS.entries()) {
        const targets = activeTargets.filter(
          ({ labels }) => isOf(configuration, labels['job']) && labels['pod'] === name,
        );
        assert.deepEqual(
          targets.map(({ scrapeUrl, health }) => `${scrapeUrl} ${health}`).toSorted(),
          want.map((endpoint) => `http://${ipOf(i)}:${endpoint.split(' ')[0]} up`).toSorted(),
          name,
        );
        for (const { labels, scrapeUrl } of targets.filter(({ labels: { job } }) => job?.includes('endpoint-')))
          assert.ok(
            want.some(
              (endpoint) =>
                scrapeUrl.endsWith(`:${endpoint.split(' ')[0]}`) && endpoint.endsWith(` ${labels['container']}`),
            ),
          );
        const scraped = samples.filter(({ labels }) => isOf(configuration, labels['job']) && labels['pod'] === name);
        assert.deepEqual(scraped.map(({ labels }) => String(labels['endpoint'])).toSorted(), want.toSorted(), name);
      }
    });
  }

  test('Prometheus watches the pods once for all jobs', async () => {
    const before = await podWatches(cluster);
    const jobs = (await bridgeJobs()).map((job) => withDiscovery(job, ''));
    assert.equal(jobs.length, 8);
    const other = await startPrometheus({ global: { scrape_interval: '1s' }, scrape_configs: jobs });
    try {
      await waitFor('targets', async () => (await other.targets()).activeTargets.length > 0);
      assert.equal((await podWatches(cluster)) - before, 1);
    } finally {
      await other.stop();
    }
  });

  function withDiscovery(job: Job, prefix: string): object {
    return {
      ...job,
      job_name: `${prefix}${job.job_name}`,
      scrape_interval: '1s',
      scrape_timeout: '1s',
      kubernetes_sd_configs: [{ role: 'pod', kubeconfig_file: cluster.kubeconfig }],
    };
  }

  async function createPod({ name, annotations, containers, initContainers }: Situation, ip: string): Promise<void> {
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, ...(annotations !== undefined && { annotations }) },
      spec: { containers, ...(initContainers !== undefined && { initContainers }) },
    };
    const decision = decide(pod, RULES);
    const { newDocument } = jsonPatch.applyPatch<object>(
      pod,
      renderPatch(pod, decision) as jsonPatch.Operation[],
      true,
      false,
    );
    const created = await cluster.request('POST', '/api/v1/namespaces/several/pods', newDocument);
    assert.equal(created.status, 201, JSON.stringify(created.body));
    const status = { phase: 'Running', podIP: ip, podIPs: [{ ip }], conditions: [{ type: 'Ready', status: 'True' }] };
    const said = await cluster.request('PATCH', `/api/v1/namespaces/several/pods/${name}/status`, { status });
    assert.equal(said.status, 200, JSON.stringify(said.body));
  }
});

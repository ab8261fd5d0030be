import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import jsonPatch from 'fast-json-patch';
import { decide } from '../../../src/core/decide.ts';
import { renderPatch } from '../../../src/core/patch.ts';
import { parseRules } from '../../../src/core/rules/parse.ts';
import { readShipped } from '../../../src/rules/shipped.ts';
import type { ControlPlane } from '../control-plane/control-plane.ts';

/** A pod with several endpoints, as people describe them. */
export interface Situation {
  readonly name: string;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly containers: readonly object[];
  readonly initContainers?: readonly object[];
  /** What is found, in a form of the test's own: the endpoints, `port/path container`, the first one first. */
  readonly want: readonly string[];
}

export const image = 'registry.example/app:1';
export const port = (name: string, containerPort: number) => ({ name, containerPort });

/** Every situation, with ports that no other one has: their servers are on one machine. */
export const SITUATIONS: readonly Situation[] = [
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
      { name: 'app', image, ports: [port('metrics', 15500)] },
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
    name: 'collector-and-what-it-was-sent',
    containers: [
      {
        name: 'otc-container',
        image: 'otel/opentelemetry-collector:0.104.0',
        ports: [port('metrics', 18888), port('promexporter', 18889), port('otlp-grpc', 4317)],
      },
    ],
    want: ['18889/metrics otc-container', '18888/metrics otc-container'],
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

/** What the scrapers must make of a situation: an address each, with the endpoint as its only sample names it. */
export interface Expected {
  readonly pod: string;
  readonly endpoints: readonly { readonly url: string; readonly sample: string; readonly container: string }[];
}

/** The pods of all situations, with a server at each endpoint. */
export interface RunningSituations {
  readonly expected: readonly Expected[];
  stop(): void;
}

/**
 * Creates the pods of all situations, as they are after autoscrape with `endpoints: all`, in a new namespace, and serves
 * one sample at each of their endpoints, on loopback.
 */
export async function runSituations(cluster: ControlPlane): Promise<RunningSituations> {
  const rules = parseRules('endpoints: all', readShipped());
  assert.ok(rules.ok);
  await cluster.request('POST', '/api/v1/namespaces', { metadata: { name: 'several' } });
  const servers: Server[] = [];
  const expected: Expected[] = [];
  for (const [i, { name, annotations, containers, initContainers, want }] of SITUATIONS.entries()) {
    // Loopback has 16 million addresses: each pod gets one of its own.
    const ip = `127.77.0.${i + 1}`;
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, ...(annotations !== undefined && { annotations }) },
      spec: { containers, ...(initContainers !== undefined && { initContainers }) },
    };
    const patch = renderPatch(pod, decide(pod, rules.value.rules)) as jsonPatch.Operation[];
    await createPod(cluster, name, jsonPatch.applyPatch<object>(pod, patch, true, false).newDocument, ip);
    for (const endpoint of want) servers.push(await serve(ip, endpoint));
    const endpoints = want.map((sample) => {
      const [address = '', container = ''] = sample.split(' ');
      return { url: `http://${ip}:${address}`, sample, container };
    });
    expected.push({ pod: name, endpoints });
  }
  return {
    expected,
    stop() {
      for (const server of servers) server.close();
    },
  };
}

async function createPod(cluster: ControlPlane, name: string, pod: object, ip: string): Promise<void> {
  const created = await cluster.request('POST', '/api/v1/namespaces/several/pods', pod);
  assert.equal(created.status, 201, JSON.stringify(created.body));
  const status = { phase: 'Running', podIP: ip, podIPs: [{ ip }], conditions: [{ type: 'Ready', status: 'True' }] };
  const said = await cluster.request('PATCH', `/api/v1/namespaces/several/pods/${name}/status`, { status });
  assert.equal(said.status, 200, JSON.stringify(said.body));
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

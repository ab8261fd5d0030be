import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decide } from '../../../src/core/decide.ts';
import { planAsk } from '../../../src/reconcile/ask-plan.ts';
import type { AskPlan, AskSurroundings, LeftUnasked } from '../../../src/reconcile/ask-plan.ts';
import { rulesOf } from '../core/rules/rules-of.ts';

const rules = rulesOf('');

interface Shape {
  readonly ports?: readonly object[];
  readonly container?: object;
  readonly metadata?: object;
  readonly spec?: object;
  readonly status?: object;
}

const HTTP = { name: 'http', containerPort: 8080 };

function podOf({ ports = [HTTP], container, metadata, spec, status }: Shape): object {
  return {
    metadata: { namespace: 'shop', name: 'a', labels: { app: 'a' }, ...metadata },
    spec: { nodeName: 'node-1', containers: [{ name: 'app', image: 'x', ports, ...container }], ...spec },
    status: { podIP: '10.1.2.3', hostIP: '10.0.0.1', ...status },
  };
}

function planned(shape: Shape, parts: Partial<AskSurroundings> = {}): AskPlan | LeftUnasked {
  const surroundings: AskSurroundings = {
    rules,
    settings: { ports: 'likely', annotatedServices: 'leave' },
    askLabel: undefined,
    services: [],
    ...parts,
  };
  const object = podOf(shape);
  return planAsk(object, decide(object, surroundings.rules), surroundings);
}

function toAsk(shape: Shape, parts: Partial<AskSurroundings> = {}): AskPlan {
  const plan = planned(shape, parts);
  assert.ok(!('left' in plan), JSON.stringify(plan));
  return plan;
}

function requests(shape: Shape, parts: Partial<AskSurroundings> = {}): string {
  return toAsk(shape, parts)
    .ports.map(({ port, paths }) => `:${port} ${paths.join(' ')}`)
    .join(', ');
}

const HEALTH = { livenessProbe: { httpGet: { path: '/base/actuator/health', port: 8080 } } };

test('ports with a sign of HTTP are asked, the probed one first', () => {
  const ports = [HTTP, { name: 'admin', containerPort: 9000 }, { name: 'redis', containerPort: 6379 }];
  const probe = { readinessProbe: { httpGet: { path: '/healthz', port: 9000 } } };
  assert.equal(requests({ ports, container: probe }), ':9000 /metrics, :8080 /metrics');
});

function probe(path: string, port: number): object {
  return { livenessProbe: { httpGet: { path, port } } };
}

test('where several ports answer, the port of the rule comes first, then they come in declared order', () => {
  const ports = [9000, 8080, 8081].map((containerPort) => ({ name: `http-${containerPort}`, containerPort }));
  const ranked = (container: object): number[] =>
    toAsk({ ports, container })
      .ports.toSorted((a, b) => a.rank - b.rank)
      .map(({ port }) => port);
  assert.deepEqual(ranked(probe('/healthz', 8081)), [9000, 8080, 8081]);
  assert.deepEqual(ranked(probe('/actuator/health', 8081)), [8081, 9000, 8080]);
});

test('at most eight ports are asked', () => {
  const ports = Array.from({ length: 20 }, (_, index) => ({ name: `http-${index}`, containerPort: 8000 + index }));
  assert.equal(toAsk({ ports }).ports.length, 8);
});

test('a path that the container or the pod states is asked: beside /metrics, or in its place where it would be used', () => {
  assert.equal(requests({ container: { args: ['--web.telemetry-path=/internal'] } }), ':8080 /internal /metrics');
  assert.equal(requests({ metadata: { annotations: { 'prometheus.io/path': '/mine' } } }), ':8080 /mine');
  assert.deepEqual(planned({ metadata: { annotations: { 'prometheus.io/path': '/x?y=z' } } }), { left: 'no_port' });
});

test("a rule that only hints is asked first, at its own endpoint, whatever the port's other signs", () => {
  const ports = [{ name: 'web', containerPort: 3000 }, HTTP];
  assert.equal(requests({ ports, container: HEALTH }), ':8080 /base/actuator/prometheus /metrics, :3000 /metrics');
  assert.deepEqual(toAsk({ ports, container: HEALTH }).confirms, {
    rule: 'spring-boot',
    port: 8080,
    path: '/base/actuator/prometheus',
  });
});

test("a rule's port that must not be asked, or has no sign that the mode takes, is left to the rule", () => {
  const env = [{ name: 'METRICS_ENABLED', value: 'true' }];
  const shape = { ports: [{ name: 'data', containerPort: 7777 }], container: { env } };
  assert.equal(requests(shape), ':7777 /metrics');
  for (const parts of [
    { settings: { ports: 'web', annotatedServices: 'leave' } as const },
    { rules: rulesOf('ask: { never: [7777] }') },
  ]) {
    assert.deepEqual(planned(shape, parts), { left: 'no_port' });
  }
});

test('a pod is left unasked with the reason', () => {
  const service = {
    metadata: { name: 's', annotations: { 'prometheus.io/scrape': 'true' } },
    spec: { selector: { app: 'a' }, ports: [] },
  };
  const rows: readonly (readonly [Shape, Partial<AskSurroundings>, LeftUnasked])[] = [
    [{ ports: [{ name: 'redis', containerPort: 6379 }] }, {}, { left: 'no_port' }],
    [{ spec: { hostNetwork: true } }, {}, { left: 'refused', why: 'host_network' }],
    [{ status: { podIP: '10.0.0.1' } }, {}, { left: 'refused', why: 'host_address' }],
    [{}, { askLabel: 'disabled' }, { left: 'switched_off' }],
    [{ metadata: { labels: { 'autoscrape.io/ask': 'false' } } }, {}, { left: 'switched_off' }],
    [{}, { services: [service] }, { left: 'service_annotated', service: 's' }],
    [{}, { rules: rulesOf('ask: { never: [8080] }') }, { left: 'no_port' }],
  ];
  for (const [shape, parts, expected] of rows) assert.deepEqual(planned(shape, parts), expected);
});

test('an injected container is not asked', () => {
  const proxy = { name: 'linkerd-proxy', image: 'y', ports: [{ name: 'http-admin', containerPort: 4191 }] };
  const containers = [{ name: 'app', image: 'x', ports: [HTTP] }, proxy];
  assert.equal(requests({ spec: { containers } }), ':8080 /metrics');
});

function key(shape: Shape, parts: Partial<AskSurroundings> = {}): string {
  return toAsk(shape, parts).key();
}

test('replicas have one key, and whatever can change the answer changes it', () => {
  const same = key({});
  assert.match(same, /^[\w-]{43}$/);
  for (const shape of [
    { metadata: { name: 'b', uid: 'other', labels: { app: 'a', 'pod-template-hash': 'x' } } },
    { status: { podIP: '10.1.2.4', hostIP: '10.0.0.2' } },
    { spec: { nodeName: 'node-2', containers: [{ name: 'app', image: 'x', ports: [HTTP] }] } },
  ]) {
    assert.equal(key(shape), same);
  }
  const service = { metadata: { name: 's' }, spec: { selector: { app: 'a' }, ports: [{ name: 'http', port: 81 }] } };
  const others = [
    key({ metadata: { namespace: 'other' } }),
    key({ container: { env: [{ name: 'METRICS', value: 'on' }] } }),
    key({ container: { image: 'z' } }),
    key({ status: { podIP: '10.1.2.3', containerStatuses: [{ name: 'app', imageID: 'sha256:1' }] } }),
    key({}, { services: [service] }),
  ];
  assert.equal(new Set([same, ...others]).size, others.length + 1);
});

function owner(reference: object, labels = {}): string | undefined {
  const ownerReferences = [
    { kind: 'Node', name: 'n' },
    { controller: true, ...reference },
  ];
  return toAsk({ metadata: { labels, ownerReferences } }).owner;
}

test("the owner is the pod's controller without what differs between its versions", () => {
  assert.equal(owner({ kind: 'StatefulSet', name: 'db' }), 'StatefulSet/db');
  const labels = { 'pod-template-hash': '5d4f8c7b9' };
  assert.equal(owner({ kind: 'ReplicaSet', name: 'shop-5d4f8c7b9' }, labels), 'ReplicaSet/shop');
  const rollout = { 'rollouts-pod-template-hash': '789746c88d' };
  assert.equal(owner({ kind: 'ReplicaSet', name: 'shop-789746c88d' }, rollout), 'ReplicaSet/shop');
  assert.equal(owner({ kind: 'Job', name: 'report-29012345' }), 'Job/report');
  assert.equal(toAsk({}).owner, undefined);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import patch from 'fast-json-patch';
import { sanitised } from '../../../src/core/annotations/scrape-keys.ts';
import { decide } from '../../../src/core/decide.ts';
import type { Decision } from '../../../src/core/decision.ts';
import { renderPatch } from '../../../src/core/patch.ts';
import { parseRules } from '../../../src/core/rules/parse.ts';
import { readShipped } from '../../../src/rules/shipped.ts';
import { allScrapedByIstio, appScrapedByIstio, injectByIstio, isSelectedByIstio } from '../../harness/mesh/istio.ts';
import type { PodObject } from '../../harness/mesh/istio.ts';
import { remembered, sharedRuns } from '../../harness/pods/remembered.ts';

// What must hold of every pod that meets both of us, whatever it looks like. The rules annotate https: the harder case.

const parsed = parseRules('{ https: true, endpoints: all }', readShipped());
assert.ok(parsed.ok);
const { rules } = parsed.value;

type Labels = Readonly<Record<string, string>>;

/** The chart's three webhooks: which namespaces call /mutate/istio (chart/templates/webhook/configuration.yaml). */
function callsIstioPath(namespace: Labels): boolean {
  return namespace['istio-injection'] === 'enabled' || namespace['istio.io/rev'] !== undefined;
}

function ask(pod: PodObject, namespace: Labels): { decision: Decision; pod: PodObject } {
  const decision = decide(pod, rules, { mesh: callsIstioPath(namespace) });
  const operations = renderPatch(pod, decision);
  return { decision, pod: patch.applyPatch(pod, operations, true, false).newDocument };
}

/** An object with a few of the keys, each there in one of `rarity` cases with one of its values. */
function few(
  rarity: number,
  values: Readonly<Record<string, readonly string[]>>,
): fc.Arbitrary<Record<string, string>> {
  const entries = Object.entries(values).map(([key, of]) =>
    fc.oneof(
      { weight: rarity - 1, arbitrary: fc.constant([]) },
      { weight: 1, arbitrary: fc.constantFrom(...of).map((value) => [[key, value] as const]) },
    ),
  );
  return fc.tuple(...entries).map((present) => Object.fromEntries(present.flat()));
}

const PORTS = ['9464', '15090', '15020', '15000', '0', '09464', 'metrics', '8080,9464', '70000'] as const;

const container = fc.record(
  {
    name: fc.constantFrom('web', 'exporter', 'kube-rbac-proxy', 'daprd'),
    image: fc.constantFrom('web:1', 'quay.io/brancz/kube-rbac-proxy:v0.22.1', 'oliver006/redis_exporter'),
    ports: fc.array(
      fc.record(
        {
          name: fc.constantFrom('metrics', 'http', 'https', 'https-metrics', 'http-envoy-prom'),
          containerPort: fc.constantFrom(8080, 8443, 9464, 15090, 15020, 15000, 0, 70000),
          protocol: fc.constantFrom('TCP', 'UDP'),
        },
        { requiredKeys: ['containerPort'] },
      ),
      { maxLength: 3 },
    ),
    args: fc.array(
      fc.constantFrom(...PORTS).map((port) => `--metrics-bind-address=:${port}`),
      { maxLength: 1 },
    ),
    env: fc.array(
      fc.constantFrom(...PORTS).map((value) => ({ name: 'METRICS_PORT', value })),
      { maxLength: 1 },
    ),
    readinessProbe: fc.record({
      httpGet: fc.record({
        path: fc.constantFrom('/metrics', '/actuator/health', '/q/health'),
        port: fc.constantFrom('http', 'metrics', 8080, 15020),
      }),
    }),
  },
  { requiredKeys: ['name', 'image'] },
);

const anyPod: fc.Arbitrary<PodObject> = fc.record({
  metadata: fc.record({
    labels: few(8, {
      'autoscrape.io/port': ['metrics', '9464', '15090', 'https'],
      'autoscrape.io/rule': ['metrics-port', 'https-metrics-port', 'kube-rbac-proxy', 'spring-boot'],
      'sidecar.istio.io/inject': ['true', 'false'],
      'istio.io/rev': ['default'],
    }),
    annotations: few(12, {
      'prometheus.io/scrape': ['true', 'true', 'false', 'True'],
      'prometheus.io/port': PORTS,
      'prometheus-io/port': ['9464'],
      'prometheus.io/path': ['/metrics', '/custom'],
      'prometheus.io/scheme': ['http', 'https'],
      'prometheus.io/scrape-slow': ['true'],
      'prometheus.istio.io/merge-metrics': ['false'],
    }),
  }),
  spec: fc.record(
    {
      containers: fc.array(container, { minLength: 1, maxLength: 3 }),
      initContainers: fc.array(
        container.map((sidecar) => ({ ...sidecar, restartPolicy: 'Always' })),
        { maxLength: 1 },
      ),
      hostNetwork: fc.boolean(),
    },
    { requiredKeys: ['containers'] },
  ),
});

const anyNamespace = few(2, {
  'istio-injection': ['enabled', 'enabled', 'disabled'],
  'istio.io/rev': ['default'],
});

const cases = remembered(
  fc.record({ pod: anyPod, namespace: anyNamespace, native: fc.boolean(), first: fc.boolean() }),
);
const runs = sharedRuns(3000);

/** Returns the pod after Istio's injector; unchanged where Istio does not select it. */
function meet(pod: PodObject, namespace: Labels, nativeSidecar: boolean): PodObject | 'rejected' {
  if (!isSelectedByIstio(namespace, pod.metadata.labels ?? {})) return pod;
  const injection = injectByIstio(pod, { nativeSidecar, prometheusMerge: true });
  if (injection.outcome === 'rejected') return 'rejected';
  return injection.outcome === 'injected' ? injection.pod : pod;
}

function valueOf(pod: PodObject, key: string): string | undefined {
  return Object.entries(pod.metadata.annotations ?? {}).find(([other]) => sanitised(other) === sanitised(key))?.[1];
}

test('our annotations never make Istio reject a pod, and contain no scheme where Istio selects it', () => {
  let annotated = 0;
  fc.assert(
    fc.property(cases, ({ pod, namespace, native }) => {
      const ours = ask(pod, namespace);
      if (ours.decision.outcome === 'skip') return;
      annotated += 1;
      const port = ours.decision.annotations['prometheus.io/port'];
      if (port !== undefined) {
        assert.match(port, /^[1-9][0-9]{0,4}$/);
        const bare = { metadata: { annotations: { 'prometheus.io/port': port } }, spec: pod.spec };
        assert.notEqual(injectByIstio(bare).outcome, 'rejected');
      }
      const before = meet(pod, namespace, native);
      const after = meet(ours.pod, namespace, native);
      if (before !== 'rejected') assert.notEqual(after, 'rejected');
      if (isSelectedByIstio(namespace, pod.metadata.labels ?? {}))
        assert.equal(ours.decision.annotations['prometheus.io/scheme'], undefined);
    }),
    runs,
  );
  assert.ok(annotated > 300, `the generator makes pods that are annotated (${annotated})`);
});

test('Istio merges our endpoint where its injector runs after us, and the pod has one valid target', () => {
  let merged = 0;
  let several = 0;
  fc.assert(
    fc.property(cases, ({ pod, namespace, native }) => {
      const ours = ask(pod, namespace);
      const after = meet(ours.pod, namespace, native);
      if (ours.decision.outcome === 'skip' || after === 'rejected' || after === ours.pod) return;
      if (valueOf(after, 'prometheus.io/port') !== '15020') return; // the pod opts out of merging
      merged += 1;
      const [endpoint] = ours.decision.endpoints;
      const path = valueOf(pod, 'prometheus.io/path') ?? endpoint.path;
      assert.equal(appScrapedByIstio(after), `http://localhost:${endpoint.port}${path}`);
      const targets = ours.decision.endpoints.filter(({ left }) => left === undefined);
      assert.equal(allScrapedByIstio(after).length, targets.length);
      several += targets.length > 1 ? 1 : 0;
      assert.notEqual(valueOf(after, 'prometheus.io/scheme'), 'https');
    }),
    runs,
  );
  assert.ok(merged > 100, `the generator makes pods that Istio merges (${merged})`);
  assert.ok(several > 3, `and some of them have several endpoints (${several})`);
});

test('decide skips a pod after Istio, whether it also ran before Istio or not', () => {
  fc.assert(
    fc.property(cases, ({ pod, namespace, native, first }) => {
      const before = first ? ask(pod, namespace).pod : pod;
      const after = meet(before, namespace, native);
      if (
        after === 'rejected' ||
        valueOf(after, 'prometheus.io/port') !== '15020' ||
        valueOf(pod, 'prometheus.io/port') === '15020'
      )
        return;
      const again = ask(after, namespace);
      assert.ok(again.decision.outcome === 'skip');
      // Where we only added scrape "true", Istio writes the same value, so our marker is still complete.
      const reasons = first ? ['istio_merged', 'already_injected'] : ['istio_merged'];
      assert.ok(reasons.includes(again.decision.reason), again.decision.reason);
    }),
    runs,
  );
});

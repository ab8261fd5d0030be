import assert from 'node:assert/strict';
import test from 'node:test';
import { examine } from '../../../src/explain/examine.ts';
import type { Examined } from '../../../src/explain/examine.ts';
import { passedOver } from '../../../src/explain/passed-over.ts';
import type { PassedOver } from '../../../src/explain/passed-over.ts';
import { relate } from '../../../src/explain/related-objects.ts';
import { renderTable } from '../../../src/explain/table.ts';
import { renderSummary, summarise } from '../../../src/explain/summary.ts';
import { readWorkloads } from '../../../src/manifest/workload.ts';
import { defaultRules } from '../../../src/rules/shipped.ts';

const surroundings = { rules: defaultRules(), related: relate([], ''), mesh: false, defaultNamespace: '' };

function examined(...values: readonly object[]): readonly Examined[] {
  const { workloads } = readWorkloads(values.map((value) => ({ value, line: 1 })));
  return workloads.map((workload) => examine({ workload, file: 'a.yaml' }, surroundings));
}

function others(...kinds: readonly (readonly [apiVersion: string, kind: string])[]): readonly PassedOver[] {
  const objects = kinds.map(([apiVersion, kind]) => ({ value: { apiVersion, kind }, line: 1 }));
  return passedOver(readWorkloads(objects).others, []);
}

function deployment(replicas: number | undefined, portName: string): object {
  const container = { name: 'app', ports: [{ name: portName, containerPort: 8080 }] };
  return { kind: 'Deployment', spec: { replicas, template: { spec: { containers: [container] } } } };
}

function render(all: readonly Examined[], left: readonly PassedOver[] = [], columns = 200): string {
  return renderSummary(summarise(all, left), left, columns);
}

test('several workloads are counted by rule and reason, with the pods that they say they have', () => {
  const all = examined(
    deployment(3, 'metrics'),
    deployment(undefined, 'metrics'),
    deployment(2, 'x'),
    deployment(1, 'y'),
  );
  assert.equal(
    render(all),
    [
      '4 workloads: 2 (4 pods) would be annotated, 2 (3 pods) skipped.',
      '  annotated by  metrics-port 2 (4 pods)',
      '  skipped       no_candidate 2 (3 pods)',
    ].join('\n'),
  );
  assert.deepEqual(summarise(all, []), {
    type: 'summary',
    workloads: 4,
    pods: 7,
    annotate: {
      workloads: 2,
      pods: 4,
      byRule: { 'metrics-port': { workloads: 2, pods: 4 } },
      never: { workloads: 0, pods: 0 },
    },
    skip: { workloads: 2, pods: 3, byReason: { no_candidate: { workloads: 2, pods: 3 } } },
    notScraped: { endpoints: 0, workloads: 0 },
    withWarnings: 0,
    passedOver: 0,
  });
});

test('one workload is only counted', () => {
  assert.equal(render(examined(deployment(1, 'metrics'))), '1 workload: 1 would be annotated, 0 skipped.');
});

test('objects that were passed over are counted by kind, with what is known of it', () => {
  const left = others(
    ['v1', 'Service'],
    ['v1', 'Service'],
    ['', ''],
    ['serving.knative.dev/v1', 'Service'],
    ['kafka.strimzi.io/v1beta2', 'Kafka'],
  );
  const [first, none, kindless, operator, unknown, ...more] = render([], left, 1_000).split('\n');
  assert.equal(first, 'No workload here.');
  assert.equal(none, 'Not read, because they create no pods: 2 Service.');
  assert.match(
    kindless ?? '',
    /^Not read: 1 without a kind, and so no Kubernetes object: begin with apiVersion and kind\.$/,
  );
  assert.match(
    operator ?? '',
    /^1 Kafka\.kafka\.strimzi\.io: the operator of this kind makes its pods; .*explain pod\/POD$/,
  );
  assert.match(unknown ?? '', /^1 Service\.serving\.knative\.dev: a custom resource without a pod template\./);
  assert.deepEqual(more, []);
  assert.equal(render([]), 'Nothing here creates pods.');
});

test('those in a namespace where no pod is ever annotated are counted apart, and their row names no target', () => {
  const system = { ...deployment(1, 'metrics'), metadata: { name: 'dns', namespace: 'kube-system' } };
  const all = examined(deployment(1, 'metrics'), system);
  assert.deepEqual(render(all).split('\n').slice(0, 2), [
    '2 workloads: 2 would be annotated, 0 skipped.',
    '  of these 1 in namespaces where no pod is ever annotated',
  ]);
  const table = renderTable(all, { columns: undefined, wide: false, withFile: false, withWarnings: false });
  assert.match(table, /Deployment kube-system\/dns +none: never here +rule metrics-port/);
});

test('endpoints that no annotation carries are counted, and named in the table', () => {
  const containers = ['metrics', 'worker-metrics'].map((name, i) => ({
    name,
    ports: [{ name, containerPort: 9090 + i }],
  }));
  const all = examined({ kind: 'Pod', metadata: { name: 'two' }, spec: { containers } }, deployment(1, 'metrics'));
  assert.deepEqual(summarise(all, []).notScraped, { endpoints: 1, workloads: 1 });
  assert.match(render(all), /^ {2}not scraped {3}1 further endpoint of 1 workload, .*: the warnings say what to do$/m);
  const style = { columns: undefined, wide: false, withFile: false, withWarnings: false };
  assert.match(renderTable(all, style), /:9090\/metrics \(1 more not scraped\)/);
});

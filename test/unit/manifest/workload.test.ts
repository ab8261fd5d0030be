import assert from 'node:assert/strict';
import test from 'node:test';
import { readWorkloads } from '../../../src/manifest/workload.ts';

const template = { metadata: { labels: { app: 'a' } }, spec: { containers: [{ name: 'app' }] } };
const metadata = { name: 'a', namespace: 'shop' };
const pod = (name: string): object => ({ kind: 'Pod', metadata: { name } });
const names = (values: readonly unknown[]): string[] =>
  readWorkloads(values).workloads.map(({ kind, name }) => `${kind} ${name}`);
const made = { apiVersion: 'v1', kind: 'Pod', ...template };

for (const kind of ['Deployment', 'StatefulSet', 'DaemonSet', 'ReplicaSet', 'ReplicationController', 'Job']) {
  test(`a ${kind} makes the pod of its template`, () => {
    const { workloads, others } = readWorkloads([{ apiVersion: 'x', kind, metadata, spec: { template } }]);
    assert.deepEqual(workloads, [{ kind, namespace: 'shop', name: 'a', pod: made }]);
    assert.equal(others.size, 0);
  });
}

test("a CronJob makes the pod of its job's template", () => {
  const value = { kind: 'CronJob', metadata, spec: { jobTemplate: { spec: { template } } } };
  assert.deepEqual(readWorkloads([value]).workloads, [{ kind: 'CronJob', namespace: 'shop', name: 'a', pod: made }]);
});

test('a Pod is its own, unchanged, and may only have a generateName', () => {
  const pod = { kind: 'Pod', metadata: { generateName: 'a-' }, spec: template.spec, status: { phase: 'Running' } };
  const [workload] = readWorkloads([pod]).workloads;
  assert.deepEqual(workload, { kind: 'Pod', namespace: '', name: 'a-', pod });
  assert.equal(workload.pod, pod);
});

test('a template without metadata makes a pod with empty metadata, as the API server would', () => {
  const { workloads } = readWorkloads([{ kind: 'Job', metadata, spec: { template: { spec: template.spec } } }]);
  assert.deepEqual(workloads[0]?.pod, { apiVersion: 'v1', kind: 'Pod', metadata: {}, spec: template.spec });
});

test('lists are opened in order, however deep, and their items may lack a kind', () => {
  const list = { kind: 'List', items: [pod('a'), { kind: 'List', items: [pod('b')] }, pod('c')] };
  assert.deepEqual(names([list, pod('d')]), ['Pod a', 'Pod b', 'Pod c', 'Pod d']);
  assert.deepEqual(names([{ kind: 'DeploymentList', items: [{ metadata: { name: 'e' } }] }]), ['Deployment e']);
  assert.deepEqual(names([[pod('f'), pod('g')]]), ['Pod f', 'Pod g']);
  let deep: object = pod('h');
  for (let i = 0; i < 50_000; i += 1) deep = { kind: 'List', items: [deep] };
  assert.deepEqual(names([deep]), ['Pod h']);
});

test('kinds without pods are counted by kind', () => {
  const { workloads, others } = readWorkloads([
    { kind: 'Service' },
    { kind: 'Service' },
    { kind: 'ConfigMap' },
    { replicas: 1 },
    'text',
    null,
  ]);
  assert.deepEqual(workloads, []);
  assert.deepEqual(
    [...others],
    [
      ['Service', 2],
      ['ConfigMap', 1],
      ['', 3],
    ],
  );
});

test('wrong types inside a workload leave it a workload, with whatever pod that makes', () => {
  const wrong: readonly unknown[] = [
    { kind: 'Deployment' },
    { kind: 'Deployment', metadata: [], spec: { template: 'x' } },
    { kind: 'CronJob', metadata: { name: 1 }, spec: { jobTemplate: null } },
    { kind: 'Pod', metadata: null },
    { kind: 'Deployment', metadata: { constructor: 'x' }, spec: { template: { metadata: [] } } },
  ];
  assert.deepEqual(
    readWorkloads(wrong).workloads.map(({ name }) => name),
    ['', '', '', '', ''],
  );
});

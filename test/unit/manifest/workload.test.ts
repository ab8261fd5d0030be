import assert from 'node:assert/strict';
import test from 'node:test';
import { readWorkloads } from '../../../src/manifest/workload.ts';
import type { Workloads } from '../../../src/manifest/workload.ts';

const template = { metadata: { labels: { app: 'a' } }, spec: { containers: [{ name: 'app' }] } };
const withImage = { spec: { containers: [{ name: 'app', image: 'registry.example/app:1' }] } };
const metadata = { name: 'a', namespace: 'shop' };
const pod = (name: string): object => ({ kind: 'Pod', metadata: { name } });
const read = (values: readonly unknown[]): Workloads =>
  readWorkloads(values.map((value, i) => ({ value, line: i + 1 })));
const names = (values: readonly unknown[]): string[] =>
  read(values).workloads.map(({ kind, name }) => `${kind} ${name}`);
const made = { apiVersion: 'v1', kind: 'Pod', ...template };

for (const kind of ['Deployment', 'StatefulSet', 'DaemonSet', 'ReplicaSet', 'ReplicationController', 'Job']) {
  test(`a ${kind} makes the pod of its template`, () => {
    const object = { apiVersion: 'apps/v1', kind, metadata, spec: { template } };
    const { workloads, others } = read([object]);
    assert.deepEqual(workloads, [
      {
        apiVersion: 'apps/v1',
        kind,
        namespace: 'shop',
        name: 'a',
        line: 1,
        object,
        template: 'spec.template',
        isOneOfSeveral: false,
        pod: made,
      },
    ]);
    assert.deepEqual(others, []);
  });
}

test("a CronJob makes the pod of its job's template", () => {
  const [workload] = read([{ kind: 'CronJob', metadata, spec: { jobTemplate: { spec: { template } } } }]).workloads;
  assert.deepEqual([workload?.pod, workload?.template], [made, 'spec.jobTemplate.spec.template']);
});

test('a Pod is its own, unchanged, and may only have a generateName', () => {
  const pod = { kind: 'Pod', metadata: { generateName: 'a-' }, spec: template.spec, status: { phase: 'Running' } };
  const [workload] = read([pod]).workloads;
  assert.deepEqual([workload?.name, workload?.template], ['a-', '']);
  assert.equal(workload?.pod, pod);
});

test('a template without metadata makes a pod with empty metadata, as the API server would', () => {
  const { workloads } = read([{ kind: 'Job', metadata, spec: { template: { spec: template.spec } } }]);
  assert.deepEqual(workloads[0]?.pod, { apiVersion: 'v1', kind: 'Pod', metadata: {}, spec: template.spec });
});

for (const [kind, apiVersion, object, paths] of [
  ['Rollout', 'argoproj.io/v1alpha1', { spec: { template: withImage } }, ['spec.template']],
  ['Service', 'serving.knative.dev/v1', { spec: { template: withImage } }, ['spec.template']],
  ['DeploymentConfig', 'apps.openshift.io/v1', { spec: { template: withImage } }, ['spec.template']],
  [
    'ScaledJob',
    'keda.sh/v1alpha1',
    { spec: { jobTargetRef: { template: withImage } } },
    ['spec.jobTargetRef.template'],
  ],
  ['PodTemplate', 'v1', { template: withImage }, ['template']],
  [
    'StrimziPodSet',
    'core.strimzi.io/v1beta2',
    { spec: { pods: [withImage, withImage] } },
    ['spec.pods[0]', 'spec.pods[1]'],
  ],
  [
    'Job',
    'batch.volcano.sh/v1alpha1',
    {
      spec: {
        tasks: [
          { name: 'master', template: withImage },
          { name: 'worker', template: withImage },
        ],
      },
    },
    ['spec.tasks[0].template', 'spec.tasks[1].template'],
  ],
  [
    'LeaderWorkerSet',
    'leaderworkerset.x-k8s.io/v1',
    { spec: { leaderWorkerTemplate: { size: 2, leaderTemplate: withImage, workerTemplate: withImage } } },
    ['spec.leaderWorkerTemplate.leaderTemplate', 'spec.leaderWorkerTemplate.workerTemplate'],
  ],
  [
    'RayCluster',
    'ray.io/v1',
    { spec: { headGroupSpec: { template: withImage }, workerGroupSpecs: [{ template: withImage }] } },
    ['spec.headGroupSpec.template', 'spec.workerGroupSpecs[0].template'],
  ],
  [
    'JobSet',
    'jobset.x-k8s.io/v1alpha2',
    { spec: { replicatedJobs: [{ template: { spec: { template: withImage } } }] } },
    ['spec.replicatedJobs[0].template.spec.template'],
  ],
] as const) {
  test(`the pod templates of a ${kind} of ${apiVersion} are found by their shape`, () => {
    const { workloads, others } = read([{ apiVersion, kind, metadata, ...object }]);
    assert.deepEqual(
      workloads.map(({ template }) => template),
      paths,
    );
    assert.ok(workloads.every(({ isOneOfSeveral }) => isOneOfSeveral === paths.length > 1));
    assert.deepEqual(workloads[0]?.pod, { apiVersion: 'v1', kind: 'Pod', metadata: {}, ...withImage });
    assert.deepEqual(others, []);
  });
}

test('what only looks like a pod template is none', () => {
  const overlay = { spec: { containers: [{ name: 'elasticsearch', resources: {} }] } };
  const { workloads, others } = read([
    {
      apiVersion: 'kyverno.io/v1',
      kind: 'ClusterPolicy',
      spec: { rules: [{ validate: { pattern: { spec: { template: withImage } } } }] },
    },
    { apiVersion: 'apps/v1', kind: 'ControllerRevision', data: { spec: { template: withImage } } },
    {
      apiVersion: 'elasticsearch.k8s.elastic.co/v1',
      kind: 'Elasticsearch',
      spec: { nodeSets: [{ podTemplate: overlay }] },
    },
    { apiVersion: 'example.com/v1', kind: 'Thing', metadata: { template: withImage }, status: { template: withImage } },
  ]);
  assert.deepEqual(workloads, []);
  assert.deepEqual(
    others.map(({ pods }) => pods),
    ['none', 'none', 'by_operator', 'unknown'],
  );
});

test('an object that is deep or wide without a template is searched only so far', () => {
  let deep: object = { template: withImage };
  for (let i = 0; i < 100_000; i += 1) deep = { a: deep };
  const wide = { items: undefined, all: Array.from({ length: 10_000 }, () => ({ template: withImage })) };
  const { workloads, others } = read([
    { apiVersion: 'example.com/v1', kind: 'Deep', spec: deep },
    { apiVersion: 'example.com/v1', kind: 'Wide', spec: wide },
  ]);
  assert.ok(workloads.length < 2_000);
  assert.deepEqual(
    others.map(({ kind }) => kind),
    ['Deep'],
  );
});

test('lists are opened in order, however deep, and their items may lack a kind', () => {
  const list = { kind: 'List', items: [pod('a'), { kind: 'List', items: [pod('b')] }, pod('c')] };
  assert.deepEqual(names([list, pod('d')]), ['Pod a', 'Pod b', 'Pod c', 'Pod d']);
  assert.deepEqual(names([{ kind: 'DeploymentList', items: [{ metadata: { name: 'e' } }] }]), ['Deployment e']);
  assert.deepEqual(names([[pod('f'), pod('g')]]), ['Pod f', 'Pod g']);
  const rollouts = {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'RolloutList',
    items: [{ spec: { template: withImage } }],
  };
  assert.deepEqual(
    read([rollouts]).workloads.map(({ apiVersion, kind }) => [apiVersion, kind]),
    [['argoproj.io/v1alpha1', 'Rollout']],
  );
  let deep: object = pod('h');
  for (let i = 0; i < 50_000; i += 1) deep = { kind: 'List', items: [deep] };
  assert.deepEqual(names([deep]), ['Pod h']);
});

test('objects without pods are listed, with what is known of their kind', () => {
  const { workloads, others } = read([
    { apiVersion: 'v1', kind: 'Service', metadata },
    { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'Role' },
    { apiVersion: 'kafka.strimzi.io/v1beta2', kind: 'Kafka' },
    { apiVersion: 'monitoring.coreos.com/v1', kind: 'Prometheus', spec: { containers: [{ name: 'x', image: 'y' }] } },
    { apiVersion: 'monitoring.coreos.com/v1', kind: 'PodMonitor' },
    { apiVersion: 'example.com/v1', kind: 'Shop' },
    { replicas: 1 },
    'text',
    null,
  ]);
  assert.deepEqual(workloads, []);
  assert.deepEqual(
    others.map(({ kind, pods }) => [kind, pods]),
    [
      ['Service', 'none'],
      ['Role', 'none'],
      ['Kafka', 'by_operator'],
      ['Prometheus', 'by_operator'],
      ['PodMonitor', 'none'],
      ['Shop', 'unknown'],
      ['', 'none'],
      ['', 'none'],
      ['', 'none'],
    ],
  );
  assert.deepEqual([others[0]?.namespace, others[0]?.name, others[0]?.line], ['shop', 'a', 1]);
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
    read(wrong).workloads.map(({ name }) => name),
    ['', '', '', '', ''],
  );
});

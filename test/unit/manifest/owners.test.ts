import assert from 'node:assert/strict';
import test from 'node:test';
import { withoutOwned } from '../../../src/manifest/owners.ts';
import { readWorkloads } from '../../../src/manifest/workload.ts';

const template = { spec: { containers: [{ name: 'app', image: 'registry.example/app:1' }] } };

interface Owner {
  readonly kind: string;
  readonly name: string;
  readonly uid?: string;
  readonly controller?: boolean;
}

function object(kind: string, name: string, owner?: Owner, metadata: object = {}): object {
  const ownerReferences = owner === undefined ? undefined : [{ controller: true, ...owner }];
  return {
    kind,
    metadata: { namespace: 'shop', name, ownerReferences, ...metadata },
    spec: kind === 'Pod' ? template.spec : { template },
  };
}

function kept(...objects: readonly object[]): { readonly kept: string[]; readonly owned: string[] } {
  const { workloads } = readWorkloads(objects.map((value) => ({ value, line: 1 })));
  const result = withoutOwned(workloads);
  return {
    kept: result.workloads.map(({ kind, name }) => `${kind} ${name}`),
    owned: result.owned.map(({ workload, owner }) => `${workload.kind} ${workload.name} of ${owner}`),
  };
}

test('a Deployment, its ReplicaSets and their Pods are one workload, in any order', () => {
  const deployment = object('Deployment', 'web');
  const replicaSet = object('ReplicaSet', 'web-1', { kind: 'Deployment', name: 'web' });
  const pods = ['web-1-a', 'web-1-b'].map((name) => object('Pod', name, { kind: 'ReplicaSet', name: 'web-1' }));
  assert.deepEqual(kept(...pods, replicaSet, deployment), {
    kept: ['Deployment web'],
    owned: ['Pod web-1-a of ReplicaSet web-1', 'Pod web-1-b of ReplicaSet web-1', 'ReplicaSet web-1 of Deployment web'],
  });
  assert.deepEqual(kept(...pods, replicaSet).kept, ['ReplicaSet web-1']);
  assert.deepEqual(kept(...pods).kept, ['Pod web-1-a', 'Pod web-1-b']);
});

test('an owner is known by its uid first, and then by kind, namespace and name', () => {
  const rollout = object('Deployment', 'web', undefined, { uid: 'u-1' });
  assert.deepEqual(kept(rollout, object('Pod', 'a', { kind: 'Renamed', name: 'x', uid: 'u-1' })).kept, [
    'Deployment web',
  ]);
  const elsewhere = object('Pod', 'a', { kind: 'Deployment', name: 'web' }, { namespace: 'other' });
  assert.deepEqual(kept(rollout, elsewhere).kept, ['Deployment web', 'Pod a']);
});

test('an owner that is not the controller, and an object that names itself, leave it a workload', () => {
  assert.deepEqual(
    kept(object('Deployment', 'web'), object('Pod', 'a', { kind: 'Deployment', name: 'web', controller: false })).kept,
    ['Deployment web', 'Pod a'],
  );
  assert.deepEqual(kept(object('Deployment', 'web', { kind: 'Deployment', name: 'web' })).kept, ['Deployment web']);
});

test('wrong types among the owners are no owners', () => {
  for (const ownerReferences of ['x', [null], [{ controller: true, uid: 1, kind: {}, name: [] }], {}])
    assert.deepEqual(kept(object('Pod', 'a', undefined, { ownerReferences })).kept, ['Pod a']);
});

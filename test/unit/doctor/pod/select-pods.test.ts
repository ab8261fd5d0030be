import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readTargets, selectPods } from '../../../../src/doctor/pod/select-pods.ts';
import { pod } from '../situation.ts';

function read(...words: readonly string[]): unknown {
  const found = readTargets(words);
  return found.ok && found.value.map(({ kind, name }) => `${kind} ${name ?? '*'}`);
}

test('a target is a pod or a workload as kubectl writes it', () => {
  assert.deepEqual(read('shop-1', 'shop-2'), ['Pod shop-1', 'Pod shop-2']);
  assert.deepEqual(read('deploy/shop', 'rollout/shop', 'STS/db'), [
    'Deployment shop',
    'Deployment shop',
    'StatefulSet db',
  ]);
  assert.deepEqual(read('deploy', 'shop', 'site'), ['Deployment shop', 'Deployment site']);
  assert.deepEqual(read('ds'), ['DaemonSet *']);
  assert.deepEqual(read(), []);
  for (const bad of ['', 'service/x', 'deploy/', 'a/b/c', 'pod/../x', '-n']) assert.equal(readTargets([bad]).ok, false);
  assert.equal(readTargets(['deploy', 'a/b']).ok, false);
});

function owned(kind: string, name: string, labels = {}) {
  return pod({ labels, metadata: { ownerReferences: [{ kind, name, controller: true }] } });
}

test('a workload’s pods are those of its owners', () => {
  const mine = owned('ReplicaSet', 'shop-5d4', { 'pod-template-hash': '5d4' });
  const all = [mine, owned('StatefulSet', 'shop'), owned('ReplicaSet', 'other-5d4', { 'pod-template-hash': '5d4' })];
  assert.deepEqual(selectPods({ kind: 'Deployment', name: 'shop', written: '' }, all), [mine]);
  assert.deepEqual(selectPods({ kind: 'ReplicaSet', name: 'shop-5d4', written: '' }, all), [mine]);
  assert.deepEqual(selectPods({ kind: 'StatefulSet', name: 'shop', written: '' }, all), [all[1]]);
  assert.deepEqual(selectPods({ kind: 'DaemonSet', name: 'shop', written: '' }, all), []);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { groupPods } from '../../../src/learn/workload.ts';

function pod(name: string, creationTimestamp: string) {
  return {
    metadata: { name, creationTimestamp, ownerReferences: [{ kind: 'StatefulSet', name: 'db', controller: true }] },
  };
}

test("a workload's pods come newest first, and those of one second in the order of the list", () => {
  const old = pod('db-0', '2026-01-01T00:00:00Z');
  const pods = ['db-1', 'db-2', 'db-3'].map((name) => pod(name, '2026-01-01T00:00:01Z'));
  assert.deepEqual(groupPods([old, ...pods])[0]?.pods, [...pods, old]);
  assert.deepEqual(groupPods([...pods, old])[0]?.pods, [...pods, old]);
});

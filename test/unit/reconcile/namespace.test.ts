import assert from 'node:assert/strict';
import test from 'node:test';
import { MANAGED_LABELS } from '../../../src/core/opt-in.ts';
import { relate } from '../../../src/explain/related.ts';
import { readWorkloads } from '../../../src/manifest/workload.ts';
import { readNamespace } from '../../../src/reconcile/namespace.ts';

const optIns = (labels: object) => {
  const object = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop', labels } };
  const { others } = readWorkloads([{ value: object, line: 1 }]);
  return [readNamespace(object)?.optedIn, relate(others, '').namespace('shop')?.optIn];
};

test("a namespace of a managed cluster's own machinery is not opted in, whatever its label says", () => {
  for (const [key, value] of MANAGED_LABELS) {
    const label = { 'autoscrape.io/inject': 'enabled' };
    assert.deepEqual(optIns({ ...label, [key]: value }), [false, 'never'], key);
    assert.deepEqual(optIns({ ...label, [key]: 'controller-manager' }), [true, 'yes'], key);
  }
});

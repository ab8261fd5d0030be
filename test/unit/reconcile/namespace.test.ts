import assert from 'node:assert/strict';
import test from 'node:test';
import { MANAGED_LABELS } from '../../../src/core/pod-selectors.ts';
import { relate } from '../../../src/explain/related-objects.ts';
import { readWorkloads } from '../../../src/manifest/workload.ts';
import { parseSelector } from '../../../src/core/rules/selector-text.ts';
import { BY_LABEL, bySelector, readNamespace } from '../../../src/reconcile/namespace.ts';

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

test('with a selector namespaces are opted in by that alone, as for the webhook', () => {
  const parsed = parseSelector('team in (shop,ops),!legacy');
  assert.ok(parsed.ok);
  const optIn = bySelector(parsed.value);
  assert.equal(optIn.query, 'team in (shop,ops),!legacy');
  assert.equal(BY_LABEL.query, 'autoscrape.io/inject');
  const [[managedKey, managed] = assert.fail()] = MANAGED_LABELS;
  for (const [labels, isOptedIn] of [
    [{ team: 'shop' }, true],
    [{ team: 'shop', 'autoscrape.io/inject': 'on' }, true],
    [{ team: 'shop', legacy: '' }, false],
    [{ team: 'web', 'autoscrape.io/inject': 'enabled' }, false],
    [{ team: 'ops', [managedKey]: managed }, false],
    [undefined, false],
  ] as const) {
    const read = optIn.read({ metadata: { name: 'x', labels } });
    assert.equal(read?.optedIn, isOptedIn, JSON.stringify(labels));
    assert.equal(read?.unknownOptIn, undefined, 'a label that selects nothing is no mistake');
  }
  assert.equal(optIn.read('no namespace'), undefined);
});

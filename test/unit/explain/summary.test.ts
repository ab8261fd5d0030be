import assert from 'node:assert/strict';
import test from 'node:test';
import { renderSummary } from '../../../src/explain/summary.ts';

test('counts the workloads, and the objects that were not read', () => {
  const others = new Map([
    ['Service', 2],
    ['', 1],
  ]);
  assert.equal(
    renderSummary({ annotated: 2, skipped: 1, others }),
    '3 workloads: 2 would be annotated, 1 skipped. Not read, because they create no pods: 2 Service, 1 without a kind.',
  );
  assert.equal(
    renderSummary({ annotated: 1, skipped: 0, others: new Map() }),
    '1 workload: 1 would be annotated, 0 skipped.',
  );
  assert.equal(renderSummary({ annotated: 0, skipped: 0, others: new Map() }), 'Nothing here creates pods.');
});

import assert from 'node:assert/strict';
import test from 'node:test';
import { renderSummary } from '../../../src/explain/summary.ts';

test('workloads and what was passed over are counted', () => {
  const others = new Map([
    ['Service', 2],
    ['', 1],
  ]);
  assert.equal(
    renderSummary({ annotated: 2, leftAlone: 1, others }),
    '3 workloads: 2 annotated, 1 left alone. Passed over, since they make no pods: 2 Service, 1 without a kind.',
  );
  assert.equal(
    renderSummary({ annotated: 1, leftAlone: 0, others: new Map() }),
    '1 workload: 1 annotated, 0 left alone.',
  );
  assert.equal(renderSummary({ annotated: 0, leftAlone: 0, others: new Map() }), 'Nothing here makes pods.');
});

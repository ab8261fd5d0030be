import assert from 'node:assert/strict';
import test from 'node:test';
import { renderSummary } from '../../../src/explain/summary.ts';
import { readWorkloads } from '../../../src/manifest/workload.ts';

test('counts the workloads, and the objects that were passed over by kind', () => {
  const objects = [
    ['v1', 'Service'],
    ['v1', 'Service'],
    ['', ''],
    ['serving.knative.dev/v1', 'Service'],
    ['kafka.strimzi.io/v1beta2', 'Kafka'],
  ].map(([apiVersion, kind], i) => ({ value: { apiVersion, kind }, line: i }));
  const { others } = readWorkloads(objects);
  const text = renderSummary({ annotated: 2, skipped: 1, others });
  const [workloads, none, operator, unknown, ...more] = text.split('\n');
  assert.equal(workloads, '3 workloads: 2 would be annotated, 1 skipped.');
  assert.equal(none, 'Not read, because they create no pods: 2 Service, 1 without a kind.');
  assert.match(
    operator ?? '',
    /^1 Kafka\.kafka\.strimzi\.io: the operator of this kind makes its pods; .*explain -f -$/,
  );
  assert.match(unknown ?? '', /^1 Service\.serving\.knative\.dev: a custom resource without a pod template\./);
  assert.deepEqual(more, []);
  assert.equal(renderSummary({ annotated: 1, skipped: 0, others: [] }), '1 workload: 1 would be annotated, 0 skipped.');
  assert.equal(renderSummary({ annotated: 0, skipped: 0, others: [] }), 'Nothing here creates pods.');
  assert.match(renderSummary({ annotated: 0, skipped: 0, others }), /^No workload here\.\n/);
});

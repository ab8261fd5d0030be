import assert from 'node:assert/strict';
import { test } from 'node:test';
import { answerReview } from '../../../src/webhook/handler.ts';
import { podWithMetrics, reviewOf } from '../../harness/autoscrape/admission-review.ts';
import { newHandler } from './running-webhook.ts';

test('after a bug the pod is allowed unchanged, and the log has the stack but nothing of the pod', () => {
  const lines: string[] = [];
  const handler = {
    ...newHandler({}, (line) => lines.push(line)),
    rules() {
      throw new TypeError('c4n4ry is not a function');
    },
  };
  const body = Buffer.from(JSON.stringify(reviewOf(podWithMetrics(), { uid: 'u1' })));
  const result = answerReview(handler, { body, mesh: false, start: 0 });
  assert.ok(result.ok);
  assert.equal(result.value.outcome, 'error');
  assert.deepEqual(JSON.parse(result.value.review).response, { uid: 'u1', allowed: true, auditAnnotations: {} });
  assert.equal(lines.length, 1);
  assert.match(
    lines[0] ?? '',
    /"error":"TypeError","at":\["at Object\.rules .*"msg":"decision failed \(a bug\), pod allowed unchanged"/,
  );
  assert.doesNotMatch(lines[0] ?? '', /c4n4ry/);
});

test('one log line for each review says who, what, why and how long', () => {
  const lines: string[] = [];
  const handler = newHandler({}, (line) => lines.push(line));
  for (const review of [
    reviewOf(podWithMetrics(), { uid: 'u1' }),
    reviewOf(podWithMetrics(), { uid: 'u2', name: 'web-1', dryRun: true }),
    reviewOf(podWithMetrics(), { uid: 'u3', operation: 'DELETE', namespace: 'x'.repeat(1e5) }),
  ]) {
    const result = answerReview(handler, {
      body: Buffer.from(JSON.stringify(review)),
      mesh: false,
      start: performance.now(),
    });
    assert.ok(result.ok);
    result.value.record();
  }
  const logged = lines.map((line) => {
    const { time, milliseconds, ...rest } = JSON.parse(line);
    assert.ok(Date.parse(time) > 0 && milliseconds >= 0);
    return rest;
  });
  const common = { level: 'info', namespace: 'shop', dryRun: false, msg: 'review' };
  const annotated = { ...common, outcome: 'annotate', rule: 'metrics-port' };
  assert.deepEqual(logged, [
    { ...annotated, uid: 'u1', generateName: 'web-' },
    { ...annotated, uid: 'u2', name: 'web-1', dryRun: true },
    {
      ...common,
      uid: 'u3',
      generateName: 'web-',
      namespace: 'x'.repeat(253),
      outcome: 'skip',
      reason: 'not_a_pod_creation',
    },
  ]);
});

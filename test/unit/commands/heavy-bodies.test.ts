// A process of its own: it starts processes, and waits for them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { heapFlag, NODE_FLAGS } from '../../../tools/node-flags.ts';
import { MAX_BODY_BYTES } from '../../../src/webhook/limits.ts';
import { podWithMetrics, reviewOf } from '../../harness/autoscrape/admission-review.ts';
import { post } from '../../harness/autoscrape/client.ts';
import { HEAVY_BODIES } from '../../harness/autoscrape/heavy-bodies.ts';
import { verifyAnswer } from '../../harness/autoscrape/verify-answer.ts';
import { startServe } from '../../harness/autoscrape/serving.ts';

test('the heaviest bodies that the limits accept, 25 at once, leave the process alive under the shipped flags', async (t) => {
  const serving = await startServe(t, { nodeFlags: [...NODE_FLAGS, heapFlag()] });
  const bodies = Object.entries(HEAVY_BODIES);
  for (const [title, body] of bodies) {
    assert.ok(body.length > 0.9 * MAX_BODY_BYTES && Buffer.byteLength(body) <= MAX_BODY_BYTES, title);
    assert.match((await post(serving, body)).body, /"allowed":true/, title);
  }
  // Some are answered, the others are asked to come again, or cut off where the machine is too busy to take them in 5 s.
  const calls = Array.from({ length: 25 }, (_, index) => post(serving, bodies[index % bodies.length]?.[1] ?? ''));
  const statuses = (await Promise.allSettled(calls)).map((call) =>
    call.status === 'fulfilled' ? call.value.status : 408,
  );
  assert.deepEqual([...new Set([200, 503, 408, ...statuses])], [200, 503, 408]);
  const review = reviewOf(podWithMetrics());
  assert.equal(verifyAnswer(await post(serving, JSON.stringify(review)), review.request.uid).patch.length, 1);
  assert.equal((await serving.health('/livez')).status, 200);
});

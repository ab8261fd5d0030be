import assert from 'node:assert/strict';
import { Agent } from 'node:https';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { answerReview } from '../../../src/webhook/handler.ts';
import { podWithMetrics, reviewOf } from '../../harness/autoscrape/admission-review.ts';
import { newHandler, startWebhook } from './running-webhook.ts';
import { applyPatch, verifyAnswer } from '../../harness/autoscrape/verify-answer.ts';

const UID = 'b4f5a5a6-1111-2222-3333-444455556666';
const GOOD = Buffer.from(JSON.stringify(reviewOf(podWithMetrics({ a: 'b' }), { uid: UID })));

/** The good review with some of its bytes cut out, repeated or replaced. */
const mutatedBytes = fc
  .array(
    fc.record({
      at: fc.nat(GOOD.length),
      length: fc.oneof({ weight: 3, arbitrary: fc.nat(4) }, { weight: 1, arbitrary: fc.nat(GOOD.length) }),
      instead: fc.oneof(
        fc.uint8Array({ maxLength: 4 }),
        fc.constantFrom('null', '{}', '[]', '""', '1', '"__proto__":1,', '\\u0000', '\\ud800', ']', '}', '\ufeff'),
      ),
    }),
    { minLength: 1, maxLength: 4 },
  )
  .map((edits) =>
    edits.reduce<Buffer>(
      (body, { at, length, instead }) =>
        Buffer.concat([body.subarray(0, at), Buffer.from(instead), body.subarray(at + length)]),
      GOOD,
    ),
  );

/** The good review with any JSON value in the place of one of its parts. */
const mutatedParts = fc
  .record({
    path: fc.constantFrom(...pathsOf(JSON.parse(GOOD.toString()))),
    instead: fc.oneof(fc.jsonValue(), fc.constantFrom('__proto__', 'x'.repeat(300_000), -1, 65536, 9090.5)),
  })
  .filter(({ path }) => path.join('.') !== 'request.uid')
  .map(({ path, instead }) => replace(JSON.parse(GOOD.toString()), path, instead));

test('a review with any of its parts replaced by any value is answered, and its patch applies', () => {
  const handler = newHandler();
  fc.assert(
    fc.property(mutatedParts, (review) => {
      const result = answerReview(handler, { body: Buffer.from(JSON.stringify(review)), mesh: false, start: 0 });
      if (!result.ok) return assert.equal(result.error.status, 400);
      assert.notEqual(result.value.outcome, 'error');
      result.value.record();
      const reply = { status: 200, headers: { 'content-type': 'application/json' }, body: result.value.review };
      const { patch } = verifyAnswer(reply, UID);
      if (patch.length > 0) applyPatch(Object(Object(review).request).object, patch);
      return undefined;
    }),
    { numRuns: 3000 },
  );
});

test('a body with any of its bytes changed is answered with 200 and allowed, or refused with 400', () => {
  const handler = newHandler();
  fc.assert(
    fc.property(mutatedBytes, (body) => {
      const result = answerReview(handler, { body, mesh: true, start: 0 });
      if (!result.ok) return assert.equal(result.error.status, 400);
      assert.notEqual(result.value.outcome, 'error');
      result.value.record();
      return assert.match(result.value.review, /"allowed":true/);
    }),
    { numRuns: 3000 },
  );
});

test('the same over TLS', async (t) => {
  const webhook = await startWebhook(t);
  const agent = new Agent({ keepAlive: true });
  t.after(() => agent.destroy());
  await fc.assert(
    fc.asyncProperty(mutatedBytes, async (body) => {
      const reply = await webhook.call(body, { agent });
      assert.ok(reply.status === 400 || /"allowed":true/.test(reply.body), `${reply.status} ${reply.body}`);
    }),
    { numRuns: 300 },
  );
});

function pathsOf(value: unknown, path: readonly string[] = []): (readonly string[])[] {
  if (typeof value !== 'object' || value === null) return [path];
  return [path, ...Object.entries(value).flatMap(([key, part]) => pathsOf(part, [...path, key]))].filter(
    ({ length }) => length > 0,
  );
}

function replace(value: unknown, [key, ...rest]: readonly string[], instead: unknown): unknown {
  if (key === undefined) return instead;
  if (Array.isArray(value))
    return value.map((part: unknown, index) => (String(index) === key ? replace(part, rest, instead) : part));
  return { ...Object(value), [key]: replace(Object(value)[key], rest, instead) };
}

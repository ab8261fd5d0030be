import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { answerReview } from '../../../src/webhook/handler.ts';
import { removeManagedFields } from '../../../src/webhook/managed-fields.ts';
import { UNSCANNED_BYTES } from '../../../src/webhook/request-limits.ts';
import { podWithMetrics, reviewOf } from '../../harness/autoscrape/admission-review.ts';
import { newHandler } from './running-webhook.ts';

const FIELDS = [{ fieldsV1: { 'f:spec': { 'k:{"name":"a]\\"["}': {}, '\\': [['"'], '\u00e9\u4e2d'] } }, time: '[' }];

function reviewWith(managedFields: readonly object[]): string {
  return JSON.stringify(
    reviewOf({ metadata: { name: 'é', managedFields, labels: { a: 'b' } }, spec: {} }, { uid: 'u1' }),
  );
}

test('the content of managedFields is left out, and nothing else', () => {
  assert.equal(removeManagedFields(Buffer.from(reviewWith(FIELDS))).toString(), reviewWith([]));
});

for (const [title, json] of [
  ['without the key', '{"metadata":{"name":"a"}}'],
  ['with the key as a value', '{"metadata":{"name":"managedFields"}}'],
  ['with the key in a string', JSON.stringify({ a: '{"managedFields":[1,{', b: 1 })],
  ['with the key at the end of another key', JSON.stringify({ 'a"managedFields': [1], b: 1 })],
  ['with no list under the key', '{"managedFields":{"a":[1]},"b":1}'],
  ['with a list that does not end', '{"managedFields":[1,{"a":"]"}'],
] as const) {
  test(`JSON ${title} stays as it is`, () => {
    assert.equal(removeManagedFields(Buffer.from(json)).toString(), json);
  });
}

test('whatever the JSON, its other values are parsed as they are', () => {
  const key = fc.constantFrom('managedFields', 'a"managedFields', '"managedFields":[', 'a', '\\', 'é');
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof({ depthSize: 'small' }, key, fc.integer(), fc.array(tie('value')), tie('object')),
    object: fc.dictionary(key, tie('value')),
  }));
  fc.assert(
    fc.property(value, (any) => {
      const json = JSON.stringify(any);
      const parsed: unknown = JSON.parse(removeManagedFields(Buffer.from(json)).toString());
      assert.deepEqual(withEmptyLists(parsed), withEmptyLists(JSON.parse(json)));
    }),
  );
});

/** The same value, in which all lists `managedFields` are empty. */
function withEmptyLists(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withEmptyLists);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([key, member]) =>
    key === 'managedFields' && Array.isArray(member) ? [key, []] : [key, withEmptyLists(member)],
  );
  return Object.fromEntries(entries);
}

test('a review is answered in the same way with managedFields and without', () => {
  const handler = newHandler({}, () => {});
  const pod = podWithMetrics();
  const answers = [pod, { ...pod, metadata: { ...pod.metadata, managedFields: FIELDS } }].map((object) => {
    const body = Buffer.from(JSON.stringify(reviewOf(object, { uid: 'u1' })));
    const result = answerReview(handler, { body, mesh: false, start: 0 });
    assert.ok(result.ok);
    return result.value.review;
  });
  assert.equal(answers[0], answers[1]);
});

test('closing brackets in managedFields do not let a body nest deeper than it may', () => {
  const [deep, padding] = [`${'['.repeat(100)}${']'.repeat(100)}`, 'x'.repeat(UNSCANNED_BYTES)];
  const body = Buffer.from(`{"managedFields":[${'}'.repeat(100)}],"deep":${deep},"padding":"${padding}"}`);
  const result = answerReview(
    newHandler({}, () => {}),
    { body, mesh: false, start: 0 },
  );
  assert.deepEqual(result, { ok: false, error: { status: 400, message: 'the body is nested too deeply' } });
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  isLabelLag,
  isMutatedByOthers,
  NOT_OPTED_IN,
  OR_ANOTHER,
  scopeOf,
} from '../../../src/reconcile/failure-scope.ts';
import { FORBIDDEN, RIGHT_IS_MISSING } from '../kube/fake-kube.ts';
import { denied, guardMessages } from './guard-messages.ts';

const failure = (status: number, message = '') => ({ status, message });

test("the messages of the chart's policy are the ones that the reconciler looks for", () => {
  const messages = guardMessages();
  assert.ok(messages.length >= 15, `${messages.length} messages`);
  assert.equal(messages.filter((message) => message.endsWith(NOT_OPTED_IN)).length, 1);
  // Spec, labels, generateName, finalizers, owners and annotations: whatever a mutating policy can
  // change.
  assert.equal(messages.filter((message) => message.endsWith(OR_ANOTHER)).length, 8);
  for (const message of messages) {
    const refusal = failure(422, denied(message));
    assert.equal(isLabelLag(refusal), message.endsWith(NOT_OPTED_IN), message);
    assert.equal(isMutatedByOthers(refusal), message.endsWith(OR_ANOTHER), message);
    assert.equal(scopeOf(refusal), isLabelLag(refusal) ? 'namespace' : 'pod', message);
  }
});

for (const [what, refused, want] of [
  ['no response', failure(0), 'cluster'],
  ['too many requests', failure(429), 'cluster'],
  ['an unavailable API server', failure(503), 'cluster'],
  ['a webhook that fails', failure(500), 'namespace'],
  ['missing authentication', failure(401), 'namespace'],
  ['a missing right', failure(403, messageOf(RIGHT_IS_MISSING)), 'namespace'],
  ['a refusal by an admission plugin', failure(403, messageOf(FORBIDDEN)), 'pod'],
  ['a refusal by validation', failure(422), 'pod'],
  ['a bad request', failure(400), 'pod'],
] as const) {
  test(`${what} concerns the ${want}`, () => assert.equal(scopeOf(refused), want));
}

function messageOf({ body }: { readonly body: unknown }): string {
  return String(Object(body).message);
}

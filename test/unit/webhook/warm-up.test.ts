import assert from 'node:assert/strict';
import { Server } from 'node:net';
import { test } from 'node:test';
import { defaultRules } from '../../../src/rules/shipped.ts';
import { createAuthority } from '../../../src/webhook/certificate-authority.ts';
import { warmUp } from '../../../src/webhook/warm-up.ts';
import { newPair } from './running-webhook.ts';

test('warming up decides on pods, over TLS', async () => {
  const rules = defaultRules();
  let decisions = 0;
  const counted = {
    ...rules,
    get annotationKeys() {
      decisions++;
      return rules.annotationKeys;
    },
  };
  await warmUp(newPair(createAuthority()), counted);
  assert.ok(decisions >= 50, `${decisions} decisions`);
});

test('warming up never throws, whether or not it can listen', async (t) => {
  t.mock.method(Server.prototype, 'listen', () => {
    throw new Error('no loopback interface');
  });
  await warmUp(newPair(createAuthority()), defaultRules());
});

import assert from 'node:assert/strict';
import https from 'node:https';
import { syncBuiltinESMExports } from 'node:module';
import { createServer, Server } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
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

test('warming up ends where nothing answers at the loopback interface', { timeout: 30_000 }, async (t) => {
  const sockets: Socket[] = [];
  const silent = createServer((socket) => void sockets.push(socket));
  await new Promise<void>((resolve) => {
    silent.listen(0, '127.0.0.1', resolve);
  });
  const { port } = silent.address() as AddressInfo;
  const { request } = https;
  const redirected = t.mock.method(https, 'request', (options: https.RequestOptions, callback: () => void) =>
    request({ ...options, port }, callback),
  );
  syncBuiltinESMExports();
  t.after(() => {
    redirected.mock.restore();
    syncBuiltinESMExports();
    for (const socket of sockets) socket.destroy();
    silent.close();
  });
  await warmUp(newPair(createAuthority()), defaultRules());
  assert.equal(redirected.mock.callCount(), 1);
});

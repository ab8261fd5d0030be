import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { connect, createServer } from 'node:tls';
import { pairLoader } from '../../../src/webhook/certificate-files.ts';
import { selfSignedPair } from '../../../src/webhook/self-signed.ts';

const NOW = Date.UTC(2026, 10, 28, 12, 0, 0, 500);

test('is valid for its names and addresses, from a day before now for a week', () => {
  const { pair, caBundle } = selfSignedPair(
    ['localhost', '127.0.0.1', '::1', 'fd00:0:12::ab', '::ffff:10.0.0.1', 'fe80::1%eth0'],
    NOW,
  );
  const certificate = new X509Certificate(pair.certificate);
  assert.equal(
    certificate.subjectAltName,
    'DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1, IP Address:FD00:0:12:0:0:0:0:AB, IP Address:0:0:0:0:0:FFFF:A00:1, IP Address:FE80:0:0:0:0:0:0:1',
  );
  assert.deepEqual(certificate.keyUsage, ['1.3.6.1.5.5.7.3.1'], 'of extended key usages only a server');
  assert.ok(certificate.verify(new X509Certificate(caBundle).publicKey));
  assert.deepEqual(
    [pair.notBefore, pair.notAfter],
    [certificate.validFromDate.getTime(), certificate.validToDate.getTime()],
  );
  assert.equal(new Date(pair.notBefore).toISOString(), '2026-11-27T12:00:00.000Z');
  assert.equal(new Date(pair.notAfter).toISOString(), '2026-12-05T12:00:00.000Z');
});

test('each is another one, and is a pair as --cert-dir wants it', () => {
  const pairs = [1, 2, 3].map(() => selfSignedPair(['localhost'], Date.now()).pair);
  assert.equal(new Set(pairs.map(({ certificate }) => new X509Certificate(certificate).serialNumber)).size, 3);
  for (const pair of pairs)
    assert.deepEqual(pairLoader('tls')([pair.certificate, pair.key], pair), { ok: true, value: pair });
});

test('a TLS client that trusts it accepts it for these names, and for no other', async (t) => {
  const { pair, caBundle } = selfSignedPair(['localhost', '127.0.0.1'], Date.now());
  const { certificate, key } = pair;
  const server = createServer({ cert: certificate, key }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  for (const [servername, isAccepted] of [
    ['localhost', true],
    ['example.com', false],
  ] as const) {
    const client = connect({ host: '127.0.0.1', port, servername, ca: caBundle });
    const [error] = await Promise.race([
      once(client, 'secureConnect'),
      once(client, 'error').then(([caught]) => [caught]),
    ]).catch((caught: unknown) => [caught]);
    assert.equal(error === undefined, isAccepted, String(error));
    client.destroy();
  }
});

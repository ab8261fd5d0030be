import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createAuthority } from '../../../src/webhook/certificate-authority.ts';
import { clientCaLoader } from '../../../src/webhook/certificate-files.ts';
import { newPair, startWebhook } from './running-webhook.ts';
import { podWithMetrics, reviewOf } from '../../harness/autoscrape/admission-review.ts';

const clients = createAuthority({ name: 'clients' });
const others = createAuthority({ name: 'others' });
const clientOf = ({ issue }: typeof clients, usage: 'client' | 'server' = 'client') => {
  const { certificate: cert, key } = issue({ names: ['kube-apiserver'], usage });
  return { cert, key };
};

suite('a webhook that asks for certificates of clients', { concurrency: true }, () => {
  for (const [tlsMinVersion, maxVersion] of [
    ['1.3', 'TLSv1.3'],
    ['1.2', 'TLSv1.2'],
  ] as const) {
    test(
      `answers who has one of the CA, and nobody else, whom it counts (${maxVersion})`,
      { timeout: 30_000 },
      async (t) => {
        const { call, metrics } = await startWebhook(t, { clientCa: clients.certificate, tlsMinVersion });
        const review = reviewOf(podWithMetrics());
        const { status } = await call(review, { tls: { ...clientOf(clients), maxVersion } });
        assert.equal(status, 200);
        for (const tls of [{}, clientOf(others), clientOf(clients, 'server')]) {
          await assert.rejects(
            call(review, { tls: { ...tls, maxVersion } }),
            /certificate|alert|ECONNRESET|hang up|disconnected/i,
          );
        }
        // The server may notice after the client.
        const counted = /^autoscrape_connections_dropped_total\{server="webhook",reason="client_certificate"\} 3$/m;
        for (let tries = 0; tries < 500 && !counted.test(await metrics()); tries++) await sleep(10);
        assert.match(await metrics(), counted);
      },
    );
  }

  test('takes another CA, and another certificate of its own, without forgetting the other one', async (t) => {
    const { call, server, authority } = await startWebhook(t, { clientCa: others.certificate });
    server.setClientCa(clients.certificate);
    server.setPair(newPair(authority));
    assert.equal((await call(reviewOf(podWithMetrics()), { tls: clientOf(clients) })).status, 200);
    await assert.rejects(call(reviewOf(podWithMetrics()), { tls: clientOf(others) }));
  });

  test('reads its CA from a file of one certificate or several, and refuses any other', () => {
    const load = clientCaLoader('ca.crt');
    for (const pem of [clients.certificate, clients.certificate + others.certificate]) {
      assert.deepEqual(load([Buffer.from(pem)]), { ok: true, value: pem });
    }
    for (const text of ['', 'x', clients.key]) {
      const loaded = load([Buffer.from(text)]);
      assert.match(loaded.ok ? '' : loaded.error, /^ca\.crt holds no certificate/);
    }
  });

  test('reads no CA from a file with a damaged certificate, whatever else is in it', () => {
    const load = clientCaLoader('ca.crt');
    const good = clients.certificate;
    const cut = good.slice(0, good.length / 2);
    const empty = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
    for (const pem of [empty, cut, good + empty, empty + good, good + cut, `${cut}\n${good}`]) {
      const loaded = load([Buffer.from(pem)]);
      assert.equal(loaded.ok ? '' : loaded.error, 'ca.crt holds a certificate that is damaged');
    }
  });
});

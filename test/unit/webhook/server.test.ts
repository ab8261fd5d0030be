// A process of its own: it waits for time limits.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { suite, test } from 'node:test';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent } from 'node:https';
import { connect as connectTcp } from 'node:net';
import { connect } from 'node:tls';
import type { ConnectionOptions } from 'node:tls';
import { Worker } from 'node:worker_threads';
import {
  GC_AFTER_BYTES,
  MAX_AGE_MS,
  MAX_BODY_BYTES,
  MAX_BYTES_IN_FLIGHT,
} from '../../../src/webhook/request-limits.ts';
import { podWithMetrics, reviewOf } from '../../harness/autoscrape/admission-review.ts';
import type { Target } from '../../harness/autoscrape/client.ts';
import { waitFor } from '../../harness/process/wait-for.ts';
import { exchange, open } from './raw-socket.ts';
import { newPair, startWebhook } from './running-webhook.ts';
import type { RunningWebhook } from './running-webhook.ts';
import { verifyAnswer } from '../../harness/autoscrape/verify-answer.ts';

/** The TLS version and cipher that a client and the webhook agree on, or the error code of the handshake. */
function handshake(target: Target, options: ConnectionOptions): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({
      host: '127.0.0.1',
      port: target.port,
      ca: target.ca,
      checkServerIdentity: () => undefined,
      ...options,
    });
    socket.once('error', (error) => resolve('code' in error ? String(error.code) : error.message));
    socket.once('secureConnect', () => {
      resolve(`${socket.getProtocol()} ${socket.getCipher().name}`);
      socket.destroy();
    });
  });
}

async function callsAreAnswered(webhook: RunningWebhook): Promise<void> {
  const review = reviewOf(podWithMetrics());
  assert.equal(verifyAnswer(await webhook.call(review), review.request.uid).patch.length, 1);
}

test('TLS 1.3 is the minimum, also after the certificate changes', async (t) => {
  const webhook = await startWebhook(t);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  t.after(() => agent.destroy());
  for (let round = 0; round < 2; round++) {
    assert.match(await handshake(webhook, {}), /^TLSv1\.3 /);
    assert.equal(await handshake(webhook, { maxVersion: 'TLSv1.2' }), 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION');
    assert.equal((await webhook.call(reviewOf(podWithMetrics()), { agent })).status, 200);
    webhook.server.setPair(newPair(webhook.authority));
  }
  assert.equal((await webhook.call(reviewOf(podWithMetrics()), { agent })).status, 200);
});

test('the answer is sent before the review is logged and counted', async (t) => {
  // The client is a thread of its own, which has to get the answer while this one is still recording.
  const answered = new Int32Array(new SharedArrayBuffer(4));
  let recorded: string | undefined;
  const webhook = await startWebhook(t, {
    answer: () => ({
      ok: true,
      value: {
        outcome: 'skip',
        review: '{}',
        record() {
          recorded = Atomics.wait(answered, 0, 0, 10_000);
        },
      },
    }),
  });
  const script = `
    const { workerData: { port, ca, answered } } = require('node:worker_threads');
    const headers = { 'content-type': 'application/json', 'content-length': 2 };
    const options = { method: 'POST', host: '127.0.0.1', port, ca, path: '/mutate', headers, agent: false };
    require('node:https').request(options, (response) => response.resume().on('end', () => {
      Atomics.store(answered, 0, 1);
      Atomics.notify(answered, 0);
    })).end('{}');`;
  const client = new Worker(script, { eval: true, workerData: { port: webhook.port, ca: webhook.ca, answered } });
  await once(client, 'exit');
  assert.ok(recorded === 'ok' || recorded === 'not-equal', recorded);
});

test('a bug in what follows the answer is logged, and the request counted', async (t) => {
  const webhook = await startWebhook(t, {
    answer: () => ({
      ok: true,
      value: {
        outcome: 'skip',
        review: '{}',
        record() {
          throw new TypeError('c4n4ry is not a label');
        },
      },
    }),
  });
  assert.equal((await webhook.call('{}')).status, 200);
  assert.match(await webhook.metrics(), /^autoscrape_admission_requests_total\{outcome="skip",code="200"\} 1$/m);
  assert.equal(webhook.lines.length, 1);
  assert.match(
    webhook.lines[0] ?? '',
    /"error":"TypeError".*"recording a review failed \(a bug\), its answer was sent"/,
  );
  assert.doesNotMatch(webhook.lines[0] ?? '', /c4n4ry/);
});

test('an old connection is closed with its next answer, so that new replicas get their share', async (t) => {
  const webhook = await startWebhook(t);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  t.after(() => agent.destroy());
  const connectionHeader = async () => (await webhook.call(reviewOf(podWithMetrics()), { agent })).headers.connection;
  assert.equal(await connectionHeader(), 'keep-alive');
  const now = performance.now.bind(performance);
  t.mock.method(performance, 'now', () => now() + MAX_AGE_MS * 0.7);
  assert.equal(await connectionHeader(), 'keep-alive');
  t.mock.method(performance, 'now', () => now() + MAX_AGE_MS * 1.3);
  assert.equal(await connectionHeader(), 'close');
});

test('an idle connection is kept for longer than the 90 s after which an API server drops it', async (t) => {
  const webhook = await startWebhook(t);
  const agent = new Agent({ keepAlive: true });
  t.after(() => agent.destroy());
  const { headers } = await webhook.call(reviewOf(podWithMetrics()), { agent });
  const seconds = Number(/^timeout=([0-9]+)$/.exec(String(headers['keep-alive']))?.[1]);
  assert.ok(seconds >= 95 && seconds <= 120, String(headers['keep-alive']));
});

const HEAD = `POST /mutate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${MAX_BODY_BYTES}\r\n\r\n`;

/** A request that announces so many bytes, and two of them. */
function announced(path: string, type: string, length: number): string {
  return `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: ${type}\r\nContent-Length: ${length}\r\n\r\n{}`;
}

test('the garbage collector runs after received bytes, not after declared ones', async (t) => {
  let collections = 0;
  const before = globalThis.gc;
  t.after(() => (globalThis.gc = before));
  globalThis.gc = Object.assign(async () => void collections++, before);
  const webhook = await startWebhook(t);
  for (const length of [MAX_BODY_BYTES, 999_999_999_999]) {
    for (const [path, type] of [
      ['/mutate', 'text/plain'],
      ['/mutate', 'application/json'],
      ['/', 'application/json'],
    ] as const)
      await exchange(webhook, announced(path, type, length), { hangUp: length === MAX_BODY_BYTES });
  }
  await sleep(100);
  assert.equal(collections, 0);

  const large = JSON.stringify(reviewOf({ ...podWithMetrics(), pad: 'x'.repeat(GC_AFTER_BYTES) }));
  assert.equal((await webhook.call(large)).status, 200);
  await sleep(100);
  assert.equal(collections, 1);
  const chunk = `${large.length.toString(16)}\r\n${large}\r\n0\r\n\r\n`;
  const head =
    'POST /mutate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n';
  assert.match(await exchange(webhook, head + chunk), /^HTTP\/1\.1 200 /);
  await sleep(100);
  assert.equal(collections, 2);
});

/** Connections that together have sent all but a few KiB of so many bytes, and then say nothing more. */
async function hold(t: TestContext, webhook: RunningWebhook, bytes: number) {
  const holders = [];
  for (let held = 0; held < bytes; held += MAX_BODY_BYTES) {
    const socket = await open(webhook);
    socket.on('error', () => {});
    t.after(() => socket.destroy());
    await new Promise((resolve) => {
      socket.write(HEAD);
      socket.write(Buffer.alloc(Math.min(bytes - held, MAX_BODY_BYTES) - 10_000, ' '), resolve);
    });
    holders.push(socket);
  }
  await sleep(300);
  return holders;
}

// The first waits for seconds, so the others run beside it; those that replace a global are not among them.
suite('beside slow connections', { concurrency: true }, () => {
  test('slow connections are closed within 10 s, and do not disturb others', async (t) => {
    const webhook = await startWebhook(t);
    const beginnings = ['', 'POST /mutate HT', 'POST /mutate HTTP/1.1\r\nHost: x\r\n', `${HEAD}{`];
    const began = performance.now();
    const cut = Array.from({ length: 40 }, async (_, index) => {
      const socket = await open(webhook);
      socket.on('error', () => {});
      const trickle = setInterval(() => socket.write(index % 4 === 0 ? '' : 'x'), 500);
      socket.write(beginnings[index % 4] ?? '');
      socket.resume();
      await new Promise((resolve) => {
        socket.on('close', resolve);
      });
      clearInterval(trickle);
    });
    const closed = { all: false };
    const all = Promise.all(cut).then(() => (closed.all = true));
    while (!closed.all) {
      await callsAreAnswered(webhook);
      await sleep(100);
      assert.ok(performance.now() - began < 30_000, 'slow connections are still open');
    }
    await all;
  });

  test('TLS 1.2 is optional, and limited to authenticated ciphers with forward secrecy', async (t) => {
    const webhook = await startWebhook(t, { tlsMinVersion: '1.2' });
    assert.match(await handshake(webhook, {}), /^TLSv1\.3 /);
    assert.match(
      await handshake(webhook, { maxVersion: 'TLSv1.2' }),
      /^TLSv1\.2 ECDHE-ECDSA-AES(128|256)-GCM-SHA(256|384)$/,
    );
    for (const ciphers of ['ECDHE-ECDSA-AES128-SHA', 'AES128-GCM-SHA256', 'ECDHE-ECDSA-AES256-SHA384'])
      assert.match(await handshake(webhook, { maxVersion: 'TLSv1.2', ciphers }), /HANDSHAKE_FAILURE$/, ciphers);
    assert.match(
      await handshake(webhook, { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'ALL@SECLEVEL=0' }),
      /ALERT_PROTOCOL_VERSION$/,
    );
  });

  test('any server name, or none, gets the certificate', async (t) => {
    const webhook = await startWebhook(t);
    for (const servername of ['', 'autoscrape.autoscrape.svc', 'nobody.example'])
      assert.match(await handshake(webhook, { servername }), /^TLSv1\.3 /, servername);
    assert.match(await handshake(webhook, { ALPNProtocols: ['h2'] }), /ALERT_NO_APPLICATION_PROTOCOL$/);
  });

  test('plain HTTP and random bytes get no plain-text answer, and do not disturb others', async (t) => {
    const webhook = await startWebhook(t);
    for (const text of [
      'GET /mutate HTTP/1.1\r\nHost: x\r\n\r\n',
      '\u0016\u0003\u0001\u0000\u0000',
      '\u0000'.repeat(1000),
    ]) {
      const socket = connectTcp(webhook.port, '127.0.0.1');
      let answer = '';
      socket.on('data', (data: Buffer) => (answer += data.toString('latin1')));
      socket.on('error', () => {});
      socket.end(text);
      await new Promise((resolve) => {
        socket.on('close', resolve);
      });
      assert.doesNotMatch(answer, /HTTP/);
    }
    await callsAreAnswered(webhook);
  });

  test('while draining each answer closes its connection, and one that is no review always does', async (t) => {
    let draining = false;
    const webhook = await startWebhook(t, { isDraining: () => draining });
    const agent = new Agent({ keepAlive: true });
    t.after(() => agent.destroy());
    const headers = async () => [
      (await webhook.call(reviewOf(podWithMetrics()), { agent })).headers.connection,
      (await webhook.call('{}', { agent })).headers.connection,
      (await webhook.call('', { agent, path: '/' })).headers.connection,
      (await webhook.call('', { agent, path: '/%' })).headers.connection,
      (await webhook.call('', { agent, method: 'GET' })).headers.connection,
      (await webhook.call('{}', { agent, headers: { 'content-type': 'text/plain' } })).headers.connection,
    ];
    assert.deepEqual(await headers(), ['keep-alive', ...Array(5).fill('close')]);
    draining = true;
    assert.deepEqual(await headers(), Array(6).fill('close'));
  });

  test('a body that does not fit into the bytes in flight gets a 503', async (t) => {
    const webhook = await startWebhook(t);
    const large = JSON.stringify(reviewOf({ ...podWithMetrics(), pad: 'x'.repeat(200_000) }));
    // On a busy machine the bytes come late, or so late that the first holders have been closed: they are sent again then.
    const { shed, holders } = await waitFor('a 503', async () => {
      const holders = await hold(t, webhook, MAX_BYTES_IN_FLIGHT);
      const shed = await webhook.call(large);
      if (shed.status === 503) return { shed, holders };
      for (const holder of holders) holder.destroy();
      return undefined;
    });
    assert.equal(shed.headers['retry-after'], '1');
    assert.equal(shed.headers.connection, 'close');
    const metrics = await webhook.metrics();
    assert.match(metrics, /^autoscrape_shed_total 1$/m);
    assert.match(metrics, /^autoscrape_admission_requests_total\{outcome="shed",code="503"\} 1$/m);

    for (const holder of holders) holder.destroy();
    await waitFor('room', async () => (await webhook.call(large)).status === 200);
  });

  test('a review on which the handler throws gets a 500, and its bytes are free for the next one', async (t) => {
    const webhook = await startWebhook(t, {
      answer() {
        throw new Error('a bug');
      },
    });
    const largest = Buffer.alloc(MAX_BODY_BYTES, ' ');
    const statuses: number[] = [];
    for (let held = 0; held <= MAX_BYTES_IN_FLIGHT; held += MAX_BODY_BYTES)
      statuses.push((await webhook.call(largest)).status);
    assert.deepEqual([...new Set(statuses)], [500]);
    assert.match(await webhook.metrics(), /^autoscrape_shed_total 0$/m);
  });
});

test('requests can not create series of the metrics', async (t) => {
  const webhook = await startWebhook(t);
  const seriesOf = async () => (await webhook.metrics()).split('\n').filter((line) => !line.startsWith('#')).length;
  const agent = new Agent({ keepAlive: true });
  t.after(() => agent.destroy());
  async function storm(round: number): Promise<void> {
    for (const index of Array.from({ length: 10 }, (_, i) => `${round}-${i}`)) {
      const labels = { 'autoscrape.io/rule': `rule-${index}`, 'autoscrape.io/port': `port-${index}` };
      await webhook.call(reviewOf(podWithMetrics(), { namespace: `ns-${index}`, name: `pod-${index}` }), { agent });
      await webhook.call(reviewOf({ ...podWithMetrics(), metadata: { labels } }, { operation: 'CREATE' }), { agent });
      await webhook.call(reviewOf(podWithMetrics({ 'prometheus.io/port': `${9000 + round}` }), { operation: index }), {
        agent,
      });
      await webhook.call('{}', { path: `/${index}`, agent });
      await webhook.call('{}', { headers: { 'content-type': index }, agent });
    }
  }
  await storm(1);
  const before = await seriesOf();
  await storm(2);
  assert.equal(await seriesOf(), before);
});

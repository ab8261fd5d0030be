// A process of its own: it waits for time limits.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Agent as HttpAgent, createServer, request } from 'node:http';
import type { RequestListener } from 'node:http';
import { Agent } from 'node:https';
import { connect } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { suite, test } from 'node:test';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { Registry } from '@prometheus-io/client';
import { limitConnections } from '../../../src/process/connection-limits.ts';
import type { Connections, DropReason } from '../../../src/process/connection-limits.ts';
import { startHealth } from '../../../src/process/health.ts';
import { podWithMetrics, reviewOf } from '../../harness/autoscrape/admission-review.ts';
import { startWebhook } from '../webhook/running-webhook.ts';
import type { RunningWebhook } from '../webhook/running-webhook.ts';
import { verifyAnswer } from '../../harness/autoscrape/verify-answer.ts';

/** The most connections in these tests; two of each stage are a quarter. */
const LIMIT = 8;

/** Opens a connection that occupies a port, and returns its socket. */
type Holder = (t: TestContext, target: { readonly port: number }) => Promise<Socket>;

/** A TCP connection that sends nothing, or the given text. */
function tcp(text = '', localAddress = '127.0.0.1'): Holder {
  return async (t, { port }) => {
    const socket = connect({ port, host: '127.0.0.1', localAddress });
    socket.on('error', () => {}).resume();
    t.after(() => socket.destroy());
    await once(socket, 'connect');
    if (text !== '') socket.write(text);
    return socket;
  };
}

/** A TLS connection that sends nothing, or the given text. */
function tls(text = ''): Holder {
  return async (t, { port }) => {
    const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false });
    socket.on('error', () => {}).resume();
    t.after(() => socket.destroy());
    await Promise.race([once(socket, 'secureConnect'), once(socket, 'close')]);
    if (text !== '' && !socket.destroyed) socket.write(text);
    return socket;
  };
}

/** Resolves when the condition is true, and throws if it isn't within half a minute. */
async function until(what: string, condition: () => boolean): Promise<void> {
  for (let waited = 0; !condition(); waited += 10) {
    assert.ok(waited < 30_000, `after 30 s: not yet that ${what}`);
    await sleep(10);
  }
}

async function review(webhook: RunningWebhook, agent?: Agent): Promise<void> {
  const sent = reviewOf(podWithMetrics());
  const reply = await webhook.call(sent, agent === undefined ? {} : { agent });
  assert.equal(verifyAnswer(reply, sent.request.uid).patch.length, 1);
}

function keptAlive(t: TestContext): Agent {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  t.after(() => agent.destroy());
  return agent;
}

/** Returns the status of a page; 0 when the connection was closed. */
function get(port: number, path: string, agent: HttpAgent | false = false): Promise<number> {
  return new Promise((resolve) => {
    const call = request({ host: '127.0.0.1', port, path, agent }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode ?? 0));
    });
    call.on('error', () => resolve(0));
    call.end();
  });
}

const POST = 'POST /mutate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n';

const WEBHOOK_HOLDERS: Readonly<Record<string, Holder>> = {
  'silent TCP connections': tcp(),
  'unfinished TLS handshakes': tcp('\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc\u0003\u0003'),
  'silent TLS connections': tls(),
  'TLS connections that requested another path': tls('GET / HTTP/1.1\r\nHost: x\r\n\r\n'),
  'requests whose headers never end': tls(`${POST}X: `),
  'requests whose body never ends': tls(`${POST}Content-Length: 1000\r\n\r\n{`),
};

for (const [title, hold] of Object.entries(WEBHOOK_HOLDERS)) {
  test(`webhook: ${title}, three times the limit, do not lock out new or idle clients`, async (t) => {
    const webhook = await startWebhook(t, { maxConnections: LIMIT });
    const agent = keptAlive(t);
    await review(webhook, agent);
    for (let round = 0; round < 3; round++) {
      await Promise.all(Array.from({ length: LIMIT }, () => hold(t, webhook)));
      await review(webhook);
      await review(webhook, agent);
    }
  });
}

test('webhook: valid connections at the limit do not lock out new clients', async (t) => {
  const webhook = await startWebhook(t, { maxConnections: LIMIT });
  for (let count = 0; count < 3 * LIMIT; count++) await review(webhook, keptAlive(t));
  for (let count = 0; count < LIMIT; count++) await review(webhook);
  assert.match(
    await webhook.metrics(),
    /^autoscrape_connections_dropped_total\{server="webhook",reason="limit"\} [1-9]/m,
  );
});

test('webhook: at the limit it drops a handshake first, then a connection without a review, then the longest idle', async (t) => {
  const webhook = await startWebhook(t, { maxConnections: LIMIT });
  const used = keptAlive(t);
  const idle = keptAlive(t);
  for (const agent of [used, idle, used]) await review(webhook, agent);
  const idleClosed = once(Object.values(idle.freeSockets)[0]?.[0] ?? assert.fail(), 'close');
  const sockets = {
    unvalidated: await inTurn(3, () => tls()(t, webhook)),
    handshake: await inTurn(3, () => tcp()(t, webhook)),
  };
  const open = () => [sockets.handshake, sockets.unvalidated].map((stage) => stage.map(({ destroyed }) => !destroyed));
  await sleep(100);
  assert.deepEqual(open(), [
    [true, true, true],
    [true, true, true],
  ]);
  await review(webhook, keptAlive(t));
  await until('the oldest handshake is dropped', () => sockets.handshake[0]?.destroyed === true);
  await review(webhook, keptAlive(t));
  await until('the oldest without a review is dropped', () => sockets.unvalidated[0]?.destroyed === true);
  await review(webhook, keptAlive(t));
  await idleClosed;
  // Each stage keeps up to a quarter of the connections.
  assert.deepEqual(open(), [
    [false, true, true],
    [false, true, true],
  ]);
  await review(webhook, used);
});

async function inTurn<T>(count: number, make: () => Promise<T>): Promise<T[]> {
  const made: T[] = [];
  while (made.length < count) made.push(await make());
  return made;
}

test('webhook: closed connections no longer count', async (t) => {
  const webhook = await startWebhook(t, { maxConnections: LIMIT });
  const holders = [tcp(), tls(), tls('GET / HTTP/1.1\r\nHost: x\r\n\r\n'), tcp('no TLS')];
  for (let round = 0; round < 10; round++) {
    const sockets = await Promise.all(holders.map((hold) => hold(t, webhook)));
    await review(webhook);
    for (const socket of sockets) socket.destroy();
  }
  await sleep(200);
  await Promise.all(Array.from({ length: LIMIT }, () => tls()(t, webhook)));
  await sleep(100);
  assert.match(await webhook.metrics(), /^autoscrape_connections_dropped_total\{server="webhook",reason="limit"\} 0$/m);
});

const HEALTH_HOLDERS: Readonly<Record<string, Holder>> = {
  'silent connections': tcp(),
  'requests whose headers never end': tcp('GET /livez HTTP/1.1\r\nX: '),
  'requests whose body never ends': tcp('GET /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n'),
  'connections that requested a page': tcp('GET /livez HTTP/1.1\r\nHost: x\r\n\r\n'),
  'connections that requested a missing page': tcp('GET / HTTP/1.1\r\nHost: x\r\n\r\n'),
};

for (const [title, hold] of Object.entries(HEALTH_HOLDERS)) {
  test(`health port: ${title}, three times the limit, do not lock out new clients`, async (t) => {
    const { port, dropped } = await health(t, LIMIT);
    for (let round = 0; round < 3; round++) {
      await Promise.all(Array.from({ length: LIMIT }, () => hold(t, { port })));
      for (const path of ['/livez', '/readyz', '/metrics']) assert.equal(await get(port, path), 200);
    }
    if (!title.endsWith('missing page')) assert.match(await dropped(), /reason="limit"\} [1-9]/);
  });
}

// These wait for seconds, so they run at the same time.
suite('below the limit', { concurrency: true }, () => {
  test('webhook: it drops and counts a handshake that takes too long', async (t) => {
    const webhook = await startWebhook(t);
    const socket = await tcp()(t, webhook);
    await until('it is dropped', () => socket.destroyed);
    assert.match(
      await webhook.metrics(),
      /^autoscrape_connections_dropped_total\{server="webhook",reason="handshake"\} 1$/m,
    );
  });

  test('health port: it closes and counts slow connections below the limit too', async (t) => {
    const { port, dropped } = await health(t);
    assert.match(await dropped(), /reason="limit"\} 0[^]*reason="timeout"\} 0/);
    const sockets = await Promise.all(Object.values(HEALTH_HOLDERS).map((hold) => hold(t, { port })));
    await until('all are closed', () => sockets.every(({ destroyed }) => destroyed));
    assert.match(await dropped(), /reason="limit"\} 0[^]*reason="timeout"\} [2-9]/);
  });
});

async function health(t: TestContext, maxConnections?: number) {
  const registry = new Registry();
  const limit = maxConnections === undefined ? {} : { maxConnections };
  const server = await startHealth({ unready: () => [], registry, ...limit }, '127.0.0.1', 0);
  t.after(() => server.close());
  return { port: server.port, dropped: () => registry.getSingleMetricAsString('autoscrape_connections_dropped_total') };
}

/** A plain server with limited connections. Every request is valid. */
async function serve(t: TestContext, listener: RequestListener) {
  const drops: DropReason[] = [];
  const server = createServer((request, response) => {
    connections.markValid(request.socket);
    listener(request, response);
  });
  const connections: Connections = limitConnections(server, {
    maxConnections: LIMIT,
    firstRequestMs: 3000,
    answerMs: 10_000,
    onDrop: (reason) => drops.push(reason),
  });
  server.on('clientError', (_error, socket) => socket.destroy());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => connections.close(AbortSignal.abort()));
  const { port } = server.address() as AddressInfo;
  return { port, drops };
}

test('a connection whose request is being answered is dropped only if all are', async (t) => {
  const { port, drops } = await serve(t, ({ url }, response) => {
    if (url !== '/hold') response.end();
  });
  const ask = (path: string) => tcp(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`)(t, { port });
  const held = await inTurn(LIMIT - 1, () => ask('/hold'));
  const idle = await ask('/');
  await sleep(100);
  held.push(await ask('/hold'));
  await until('the idle one is dropped', () => idle.destroyed);
  await sleep(100);
  assert.deepEqual(
    held.map(({ destroyed }) => destroyed),
    held.map(() => false),
  );
  await ask('/hold');
  await until('the oldest of those being answered is dropped', () => held[0]?.destroyed === true);
  assert.deepEqual(drops, ['limit', 'limit']);
});

test('a flood from one address drops its own connections, not older ones of other addresses', async (t) => {
  const { port } = await serve(t, (_request, response) => response.end());
  const other = await tcp('', '127.0.0.2')(t, { port });
  const flood = await inTurn(3 * LIMIT, () => tcp()(t, { port }));
  await until(
    'the flood has all connections but one',
    () => flood.filter(({ destroyed }) => !destroyed).length < LIMIT,
  );
  assert.equal(other.destroyed, false);
});

test('it drops a connection without a valid request in time, and one whose client does not read the answer', async (t) => {
  const { port, drops } = await serve(t, ({ url }, response) => {
    if (url !== '/hold') response.end();
  });
  const silent = await tcp()(t, { port });
  const agent = new HttpAgent({ keepAlive: true });
  t.after(() => agent.destroy());
  assert.equal(await get(port, '/', agent), 200);
  const held = await tcp('GET /hold HTTP/1.1\r\nHost: x\r\n\r\n')(t, { port });
  await sleep(100);
  const now = performance.now.bind(performance);
  t.mock.method(performance, 'now', () => now() + 5000);
  await until('the silent one is dropped', () => silent.destroyed);
  assert.equal(held.destroyed, false);
  assert.equal(await get(port, '/', agent), 200);
  t.mock.method(performance, 'now', () => now() + 12_000);
  await until('the one whose answer is not read is dropped', () => held.destroyed);
  assert.deepEqual(drops, ['timeout', 'timeout']);
});

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Agent as HttpAgent, createServer, request } from 'node:http';
import type { RequestListener } from 'node:http';
import { Agent } from 'node:https';
import { connect } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { Registry } from '@prometheus-io/client';
import { trackConnections } from '../../../src/process/connections.ts';
import type { Connections, DropReason } from '../../../src/process/connections.ts';
import { startHealth } from '../../../src/process/health.ts';
import { podWithMetrics, reviewOf } from '../../harness/autoscrape/admission-review.ts';
import { startWebhook } from '../webhook/running-webhook.ts';
import type { RunningWebhook } from '../webhook/running-webhook.ts';
import { verifyAnswer } from '../../harness/autoscrape/verify-answer.ts';

/** So many connections are allowed here; two of each stage are a quarter. */
const LIMIT = 8;

/** What holds a place on a port: a socket after it has done what it is there for. */
type Holder = (t: TestContext, target: { readonly port: number }) => Promise<Socket>;

/** A TCP connection that says nothing, or what it is given. */
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

/** A TLS connection that says nothing, or what it is given. */
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

/** Resolves when the condition holds, and throws when it doesn't for half a minute. */
async function until(what: string, condition: () => boolean): Promise<void> {
  for (let waited = 0; !condition(); waited += 10) {
    assert.ok(waited < 30_000, `${what}: not so after 30 s`);
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

/** The status of a page; 0 when the connection was closed. */
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
  'TCP connections that say nothing': tcp(),
  'TLS handshakes that stop half-way': tcp('\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc\u0003\u0003'),
  'TLS connections that say nothing': tls(),
  'TLS connections that asked for a page': tls('GET / HTTP/1.1\r\nHost: x\r\n\r\n'),
  'headers that never end': tls(`${POST}X: `),
  'bodies that never end': tls(`${POST}Content-Length: 1000\r\n\r\n{`),
};

for (const [title, hold] of Object.entries(WEBHOOK_HOLDERS)) {
  test(`webhook: ${title} lock nobody out, three times as many as there are places`, async (t) => {
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

test('webhook: connections that brought a review lock nobody out either', async (t) => {
  const webhook = await startWebhook(t, { maxConnections: LIMIT });
  for (let count = 0; count < 3 * LIMIT; count++) await review(webhook, keptAlive(t));
  for (let count = 0; count < LIMIT; count++) await review(webhook);
  assert.match(
    await webhook.metrics(),
    /^autoscrape_connections_dropped_total\{server="webhook",reason="limit"\} [1-9]/m,
  );
});

test('webhook: first a connection in its handshake goes, then one without a review, then the longest idle', async (t) => {
  const webhook = await startWebhook(t, { maxConnections: LIMIT });
  const used = keptAlive(t);
  const idle = keptAlive(t);
  for (const agent of [used, idle, used]) await review(webhook, agent);
  const idleClosed = once(Object.values(idle.freeSockets)[0]?.[0] ?? assert.fail(), 'close');
  const places = {
    unproven: await inTurn(3, () => tls()(t, webhook)),
    handshake: await inTurn(3, () => tcp()(t, webhook)),
  };
  const open = () => [places.handshake, places.unproven].map((sockets) => sockets.map(({ destroyed }) => !destroyed));
  await sleep(100);
  assert.deepEqual(open(), [
    [true, true, true],
    [true, true, true],
  ]);
  await review(webhook, keptAlive(t));
  await until('the oldest handshake is dropped', () => places.handshake[0]?.destroyed === true);
  await review(webhook, keptAlive(t));
  await until('the oldest without a review is dropped', () => places.unproven[0]?.destroyed === true);
  await review(webhook, keptAlive(t));
  await idleClosed;
  // A quarter of the places is left to each stage.
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

test('webhook: no place is lost by connections that come and go', async (t) => {
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

test('webhook: a handshake that takes too long is dropped and counted', async (t) => {
  const webhook = await startWebhook(t);
  const socket = await tcp()(t, webhook);
  await until('it is dropped', () => socket.destroyed);
  assert.match(
    await webhook.metrics(),
    /^autoscrape_connections_dropped_total\{server="webhook",reason="handshake"\} 1$/m,
  );
});

const HEALTH_HOLDERS: Readonly<Record<string, Holder>> = {
  'connections that say nothing': tcp(),
  'headers that never end': tcp('GET /livez HTTP/1.1\r\nX: '),
  'bodies that never end': tcp('GET /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n'),
  'connections that asked for a page': tcp('GET /livez HTTP/1.1\r\nHost: x\r\n\r\n'),
  'connections that asked for a page that is not there': tcp('GET / HTTP/1.1\r\nHost: x\r\n\r\n'),
};

for (const [title, hold] of Object.entries(HEALTH_HOLDERS)) {
  test(`health port: ${title} lock nobody out, three times as many as there are places`, async (t) => {
    const { port, dropped } = await health(t, LIMIT);
    for (let round = 0; round < 3; round++) {
      await Promise.all(Array.from({ length: LIMIT }, () => hold(t, { port })));
      for (const path of ['/livez', '/readyz', '/metrics']) assert.equal(await get(port, path), 200);
    }
    if (!title.endsWith('not there')) assert.match(await dropped(), /reason="limit"\} [1-9]/);
  });
}

test('health port: what is slow is closed without being one too many, and counted', async (t) => {
  const { port, dropped } = await health(t);
  assert.match(await dropped(), /reason="limit"\} 0[^]*reason="timeout"\} 0/);
  const sockets = await Promise.all(Object.values(HEALTH_HOLDERS).map((hold) => hold(t, { port })));
  await until('all are closed', () => sockets.every(({ destroyed }) => destroyed));
  assert.match(await dropped(), /reason="limit"\} 0[^]*reason="timeout"\} [2-9]/);
});

async function health(t: TestContext, maxConnections?: number) {
  const registry = new Registry();
  const limit = maxConnections === undefined ? {} : { maxConnections };
  const { port, close } = await startHealth({ unready: () => [], registry, ...limit }, '127.0.0.1', 0);
  t.after(close);
  return { port, dropped: () => registry.getSingleMetricAsString('autoscrape_connections_dropped_total') };
}

/** A plain server whose connections are tracked; every request is a valid one. */
async function serve(t: TestContext, listener: RequestListener) {
  const drops: DropReason[] = [];
  const server = createServer((request, response) => {
    connections.prove(request.socket);
    listener(request, response);
  });
  const connections: Connections = trackConnections(server, {
    limit: LIMIT,
    proofMilliseconds: 3000,
    exchangeMilliseconds: 10_000,
    onDrop: (reason) => drops.push(reason),
  });
  server.on('clientError', (_error, socket) => socket.destroy());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => connections.close(AbortSignal.abort()));
  const { port } = server.address() as AddressInfo;
  return { port, drops };
}

test('a connection with a request being answered stays, unless all have one', async (t) => {
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

test('a flood from one address drops its own connections, however old those of others are', async (t) => {
  const { port } = await serve(t, (_request, response) => response.end());
  const other = await tcp('', '127.0.0.2')(t, { port });
  const flood = await inTurn(3 * LIMIT, () => tcp()(t, { port }));
  await until('all but one place is the flood’s', () => flood.filter(({ destroyed }) => !destroyed).length < LIMIT);
  assert.equal(other.destroyed, false);
});

test('a connection goes that brings no valid request in time, and one whose answer nobody reads', async (t) => {
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

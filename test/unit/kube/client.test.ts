// A process of its own: it waits for time limits.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { RequestListener, ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import type { TestContext } from 'node:test';
import { connect } from '../../../src/kube/client.ts';
import type { Kube } from '../../../src/kube/client.ts';

interface Served {
  readonly kube: Kube;
  /** Connections that were made so far. */
  readonly connections: () => number;
  readonly responses: string[];
}

/** Starts a server and returns a client whose kubeconfig names it. */
async function serve(t: TestContext, listener: RequestListener): Promise<Served> {
  const server = createServer(listener);
  let connections = 0;
  server.on('connection', () => {
    connections += 1;
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  const responses: string[] = [];
  const kubeconfig = writeKubeconfig(t, {
    clusters: [
      { name: 'c', cluster: { server: `http://127.0.0.1:${address.port}`, 'insecure-skip-tls-verify': true } },
    ],
    users: [{ name: 'u', user: { token: 'secret' } }],
    contexts: [{ name: 'x', context: { cluster: 'c', user: 'u', namespace: 'shop' } }],
    'current-context': 'x',
  });
  const connection = await connect({
    kubeconfig,
    onResponse: (method, status) => responses.push(`${method} ${status}`),
  });
  assert.ok(connection.ok);
  t.after(async () => {
    await connection.value.close();
    server.closeAllConnections();
    server.close();
  });
  return { kube: connection.value, connections: () => connections, responses };
}

function messageOf(result: Awaited<ReturnType<Kube['request']>>): string {
  return result.ok ? '' : result.error.message;
}

async function readAll(lines: AsyncIterable<unknown>): Promise<unknown[]> {
  const all: unknown[] = [];
  for await (const line of lines) all.push(line);
  return all;
}

function writeKubeconfig(t: TestContext, config: object | string): string {
  const folder = mkdtempSync(join(tmpdir(), 'autoscrape-kube-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'config');
  writeFileSync(
    path,
    typeof config === 'string' ? config : JSON.stringify({ apiVersion: 'v1', kind: 'Config', ...config }),
  );
  return path;
}

test('requests share their connections', async (t) => {
  const { kube, connections } = await serve(t, (request, response) => {
    response.end(JSON.stringify({ url: request.url, token: request.headers.authorization }));
  });
  for (let call = 0; call < 100; call += 1) await kube.request({ method: 'GET', path: '/version' });
  const result = await kube.request({ method: 'GET', path: '/api/v1/pods', query: { limit: '5', continue: 'a b' } });
  assert.deepEqual(result.ok && result.value, { url: '/api/v1/pods?limit=5&continue=a+b', token: 'Bearer secret' });
  // Two at most: the second one opens when a request begins before the previous one has left its
  // connection.
  assert.ok(connections() <= 2, `${connections()} connections for 101 requests`);
  assert.equal(kube.namespace, 'shop');
});

test('connections are opened again after five minutes, so that a renewed certificate is used', async (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: 1_000_000 });
  const { kube, connections } = await serve(t, (_, response) => response.end('{}'));
  const call = () => kube.request({ method: 'GET', path: '/' });
  await call();
  t.mock.timers.tick(299_000);
  await call();
  const before = connections();
  t.mock.timers.tick(2000);
  await call();
  assert.equal(connections(), before + 1);
});

test('a body is sent as JSON with the given content type', async (t) => {
  const { kube } = await serve(t, (request, response) => {
    request.setEncoding('utf8').once('data', (body) => {
      response.end(JSON.stringify({ method: request.method, type: request.headers['content-type'], body }));
    });
  });
  const patch = [{ op: 'remove', path: '/a' }];
  const contentType = 'application/json-patch+json';
  const result = await kube.request({ method: 'PATCH', path: '/', body: patch, contentType });
  assert.deepEqual(result.ok && result.value, { method: 'PATCH', type: contentType, body: JSON.stringify(patch) });
});

test('a status that is not 2xx is a failure, with the message of its body and Retry-After', async (t) => {
  const { kube, responses } = await serve(t, (request, response) => {
    response.writeHead(429, { 'retry-after': '7' });
    response.end(request.url === '/html' ? '<html>too much</html>' : '{"message":"too many requests"}');
  });
  for (const [path, message] of [
    ['/html', 'HTTP status 429'],
    ['/json', 'too many requests'],
  ] as const) {
    const result = await kube.request({ method: 'GET', path });
    assert.deepEqual(result, { ok: false, error: { status: 429, message, retryAfterMs: 7000 } });
  }
  assert.deepEqual(responses, ['GET 429', 'GET 429']);
});

test('a request times out when the server never responds or never finishes its response', async (t) => {
  const { kube, responses } = await serve(t, (request, response) => {
    if (request.url === '/half') response.write('{');
  });
  const silent = await kube.request({ method: 'GET', path: '/', timeoutMs: 50 });
  assert.match(messageOf(silent), /no answer from http:.*nothing came for 0\.05 s/);
  const half = await kube.request({ method: 'GET', path: '/half', timeoutMs: 1000 });
  assert.equal(half.ok, false);
  assert.deepEqual(responses, ['GET 0', 'GET 200']);
});

test('a connection failure names the server and the cause', async (t) => {
  const { kube } = await serve(t, (_, response) => response.destroy());
  const result = await kube.request({ method: 'GET', path: '/' });
  assert.match(messageOf(result), /no answer from http:\/\/127\.0\.0\.1:\d+: /);
});

test("onItem gets a list's items one by one, and the value is the list without them", async (t) => {
  const pods = [{ name: 'a' }, { name: 'b', note: '],[{"' }];
  const { kube } = await serve(t, (request, response) => {
    if (request.url === '/no') response.writeHead(403);
    response.end(JSON.stringify({ kind: 'PodList', metadata: { continue: 'x' }, items: pods }));
  });
  const items: unknown[] = [];
  const onItem = (item: unknown) => items.push(item);
  const result = await kube.request({ method: 'GET', path: '/', onItem });
  assert.deepEqual(result.ok && result.value, { kind: 'PodList', metadata: { continue: 'x' }, items: [] });
  assert.deepEqual(items, pods);
  await kube.request({ method: 'GET', path: '/no', onItem });
  assert.equal(items.length, 2, 'the body of another status is not a list');
});

test('a list that is a page or cut is a failure, in which nothing of it is quoted', async (t) => {
  const { kube } = await serve(t, ({ url }, response) => {
    response.writeHead(200).end(url === '/page' ? '<html>secret</html>' : '{"items":[{"a":"secret"},{');
  });
  for (const path of ['/page', '/cut']) {
    const listed = await kube.request({ method: 'GET', path, onItem: () => undefined });
    assert.match(
      messageOf(listed),
      /^the answer of http:\S+ is not the JSON of an API server: it is cut, or a login page$/,
    );
  }
});

test('a watch yields each line, joins lines that come in pieces, and drops the half line of a broken connection', async (t) => {
  const { kube } = await serve(t, (_, response) => {
    response.write('{"a":"ä"}\n{"b":');
    setTimeout(() => response.write('2}\n{"c"'), 20);
    setTimeout(() => response.end(), 40);
  });
  const { signal } = new AbortController();
  const stream = await kube.watch('/', { resourceVersion: '1' }, 5000, signal);
  assert.deepEqual(await readAll(stream.lines), [{ a: 'ä' }, { b: 2 }]);
});

test('a silent watch times out, and each line starts its time again', async (t) => {
  const { promise: response, resolve: answer } = Promise.withResolvers<ServerResponse>();
  const { kube } = await serve(t, (_, watch) => answer(watch));
  const silence = 1234;
  const timer = { started: false, refreshed: 0, end: () => {}, refresh: () => (timer.refreshed += 1) };
  const { setTimeout: others } = globalThis;
  // A clock of its own (node:test's ignores refresh), so that a busy machine is not a silent one.
  t.mock.method(globalThis, 'setTimeout', (end: () => void, milliseconds: number) =>
    milliseconds === silence ? Object.assign(timer, { end, started: true }) : others(end, milliseconds),
  );
  const watching = kube.watch('/', {}, silence, new AbortController().signal);
  (await response).write('{}\n');
  const lines = (await watching).lines[Symbol.asyncIterator]();
  assert.deepEqual((await lines.next()).value, {});
  assert.ok(timer.started);
  const before = timer.refreshed;
  (await response).write('{}\n');
  assert.deepEqual((await lines.next()).value, {});
  assert.ok(timer.refreshed > before);
  const silent = lines.next();
  timer.end();
  await assert.rejects(silent, /nothing came for 1.234 s/);
});

test('the signal aborts requests and watches', async (t) => {
  const { kube } = await serve(t, (request, response) => {
    if (request.url?.startsWith('/watch') === true) response.write('{}\n');
  });
  const stop = new AbortController();
  const request = kube.request({ method: 'GET', path: '/', signal: stop.signal });
  const { lines } = await kube.watch('/watch', {}, 5000, stop.signal);
  const reading = readAll(lines);
  stop.abort();
  assert.equal((await request).ok, false);
  await assert.rejects(reading);
});

const cluster = { name: 'c', cluster: { server: 'https://127.0.0.1:6443' } };
const contexts = ['one', 'two'].map((name) => ({ name, context: { cluster: 'c', user: 'u' } }));
const users = [{ name: 'u', user: {} }];

const invalid: readonly [what: string, config: object | string, context: string | undefined, message: RegExp][] = [
  ['a string that is not YAML', '{', undefined, /^Cannot read .*config: /],
  ['an empty file', '', undefined, /^Cannot read .*config: /],
  ['no current context', { clusters: [cluster], users, contexts }, undefined, /--context: one, two/],
  [
    'a context that does not exist',
    { clusters: [cluster], users, contexts },
    'three',
    /^No context "three" .* It has: one, two\./,
  ],
  [
    'a context whose cluster does not exist',
    { clusters: [], users, contexts, 'current-context': 'one' },
    undefined,
    /names the cluster "c", which is not there/,
  ],
  [
    'plain http',
    { clusters: [{ name: 'c', cluster: { server: 'http://example.com' } }], users, contexts },
    'one',
    /plain http: give an https address/,
  ],
  [
    'a server that is not a URL',
    { clusters: [{ name: 'c', cluster: { server: 'nope' } }], users, contexts },
    'two',
    /is not a URL/,
  ],
];
for (const [what, config, context, message] of invalid) {
  test(`a kubeconfig with ${what} is an error with a message`, async (t) => {
    const connection = await connect({ kubeconfig: writeKubeconfig(t, config), context });
    assert.equal(connection.ok, false);
    assert.match(connection.error, message);
  });
}

test('the error names a kubeconfig that does not exist', async () => {
  const connection = await connect({ kubeconfig: '/nowhere/config' });
  assert.equal(!connection.ok && connection.error.includes('/nowhere/config'), true);
});

test('the given context is used', async (t) => {
  const other = { name: 'd', cluster: { server: 'https://example.com:1/' } };
  const kubeconfig = writeKubeconfig(t, {
    clusters: [cluster, other],
    users,
    contexts: [...contexts, { name: 'third', context: { cluster: 'd', user: 'u' } }],
    'current-context': 'one',
  });
  const connection = await connect({ kubeconfig, context: 'third' });
  assert.deepEqual(connection.ok && [connection.value.server, connection.value.namespace], [
    'https://example.com:1',
    'default',
  ]);
});

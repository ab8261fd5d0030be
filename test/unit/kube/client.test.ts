import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { RequestListener } from 'node:http';
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
  readonly answers: string[];
}

/** A server of the test's own and a client that is told by a kubeconfig where it is. */
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
  const answers: string[] = [];
  const kubeconfig = writeKubeconfig(t, {
    clusters: [
      { name: 'c', cluster: { server: `http://127.0.0.1:${address.port}`, 'insecure-skip-tls-verify': true } },
    ],
    users: [{ name: 'u', user: { token: 'secret' } }],
    contexts: [{ name: 'x', context: { cluster: 'c', user: 'u', namespace: 'shop' } }],
    'current-context': 'x',
  });
  const connection = await connect({ kubeconfig, onAnswer: (method, status) => answers.push(`${method} ${status}`) });
  assert.ok(connection.ok);
  t.after(async () => {
    await connection.kube.close();
    server.closeAllConnections();
    server.close();
  });
  return { kube: connection.kube, connections: () => connections, answers };
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

test('calls share their connections', async (t) => {
  const { kube, connections } = await serve(t, (request, response) => {
    response.end(JSON.stringify({ url: request.url, token: request.headers.authorization }));
  });
  for (let call = 0; call < 100; call += 1) await kube.call({ method: 'GET', path: '/version' });
  const answer = await kube.call({ method: 'GET', path: '/api/v1/pods', query: { limit: '5', continue: 'a b' } });
  assert.deepEqual(answer.body, { url: '/api/v1/pods?limit=5&continue=a+b', token: 'Bearer secret' });
  // Two at most: the second is made when a call begins before the one before it has quite left its connection.
  assert.ok(connections() <= 2, `${connections()} connections for 101 calls`);
  assert.equal(kube.namespace, 'shop');
});

test('after five minutes the connections are made anew, so that a renewed certificate is taken up', async (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: 1_000_000 });
  const { kube, connections } = await serve(t, (_, response) => response.end('{}'));
  const call = () => kube.call({ method: 'GET', path: '/' });
  await call();
  t.mock.timers.tick(299_000);
  await call();
  const before = connections();
  t.mock.timers.tick(2000);
  await call();
  assert.equal(connections(), before + 1);
});

test('a body is sent as JSON of the type that is asked for', async (t) => {
  const { kube } = await serve(t, (request, response) => {
    request.setEncoding('utf8').once('data', (body) => {
      response.end(JSON.stringify({ method: request.method, type: request.headers['content-type'], body }));
    });
  });
  const patch = [{ op: 'remove', path: '/a' }];
  const contentType = 'application/json-patch+json';
  const answer = await kube.call({ method: 'PATCH', path: '/', body: patch, contentType });
  assert.deepEqual(answer.body, { method: 'PATCH', type: contentType, body: JSON.stringify(patch) });
});

test('any status is an answer, with the time that the server asks for', async (t) => {
  const { kube, answers } = await serve(t, (_, response) => {
    response.writeHead(429, { 'retry-after': '7' }).end('<html>too much</html>');
  });
  const answer = await kube.call({ method: 'GET', path: '/' });
  assert.deepEqual(answer, { status: 429, body: '<html>too much</html>', retryAfter: 7 });
  assert.deepEqual(answers, ['GET 429']);
});

test('a server that never answers, or never ends its answer, is given up in time', async (t) => {
  const { kube, answers } = await serve(t, (request, response) => {
    if (request.url === '/half') response.write('{');
  });
  await assert.rejects(
    kube.call({ method: 'GET', path: '/', timeoutMs: 50 }),
    /no answer from http:.*nothing came for 0\.05 s/,
  );
  await assert.rejects(kube.call({ method: 'GET', path: '/half', timeoutMs: 100 }));
  assert.deepEqual(answers, ['GET 0', 'GET 200']);
});

test('a server that is not there is told by its address and the reason', async (t) => {
  const { kube } = await serve(t, (_, response) => response.destroy());
  await assert.rejects(kube.call({ method: 'GET', path: '/' }), /no answer from http:\/\/127\.0\.0\.1:\d+: /);
});

test("a list's items come one by one, and what is left is the list without them", async (t) => {
  const pods = [{ name: 'a' }, { name: 'b', note: '],[{"' }];
  const { kube } = await serve(t, (request, response) => {
    if (request.url === '/no') response.writeHead(403);
    response.end(JSON.stringify({ kind: 'PodList', metadata: { continue: 'x' }, items: pods }));
  });
  const items: unknown[] = [];
  const onItem = (item: unknown) => items.push(item);
  const answer = await kube.call({ method: 'GET', path: '/', onItem });
  assert.deepEqual(answer.body, { kind: 'PodList', metadata: { continue: 'x' }, items: [] });
  assert.deepEqual(items, pods);
  await kube.call({ method: 'GET', path: '/no', onItem });
  assert.equal(items.length, 2, 'what comes with another status is no list');
});

test('a watch gives each line as it comes, also one that comes in pieces, and drops the half line of a broken one', async (t) => {
  const { kube } = await serve(t, (_, response) => {
    response.write('{"a":"ä"}\n{"b":');
    setTimeout(() => response.write('2}\n{"c"'), 20);
    setTimeout(() => response.end(), 40);
  });
  const { signal } = new AbortController();
  const stream = await kube.watch('/', { resourceVersion: '1' }, 5000, signal);
  assert.deepEqual(await readAll(stream.lines), [{ a: 'ä' }, { b: 2 }]);
});

test('a watch on which nothing comes is given up, and one that talks is not', async (t) => {
  const { kube } = await serve(t, (request, response) => {
    response.write('{}\n');
    if (request.url?.startsWith('/talks') === true) {
      const timer = setInterval(() => response.write('{}\n'), 100);
      response.on('close', () => clearInterval(timer));
    }
  });
  const { signal } = new AbortController();
  const silent = await kube.watch('/silent', {}, 300, signal);
  await assert.rejects(readAll(silent.lines));
  const talking = await kube.watch('/talks', {}, 300, signal);
  let lines = 0;
  for await (const line of talking.lines) {
    assert.deepEqual(line, {});
    lines += 1;
    if (lines === 8) break;
  }
  assert.equal(lines, 8);
});

test('the signal ends calls and watches', async (t) => {
  const { kube } = await serve(t, (request, response) => {
    if (request.url?.startsWith('/watch') === true) response.write('{}\n');
  });
  const stop = new AbortController();
  const call = kube.call({ method: 'GET', path: '/', signal: stop.signal });
  const { lines } = await kube.watch('/watch', {}, 5000, stop.signal);
  const reading = readAll(lines);
  stop.abort();
  await assert.rejects(call);
  await assert.rejects(reading);
});

const cluster = { name: 'c', cluster: { server: 'https://127.0.0.1:6443' } };
const contexts = ['one', 'two'].map((name) => ({ name, context: { cluster: 'c', user: 'u' } }));
const users = [{ name: 'u', user: {} }];

const wrong: readonly [what: string, config: object | string, context: string | undefined, message: RegExp][] = [
  ['text that is no YAML', '{', undefined, /^Cannot read .*config: /],
  ['an empty file', '', undefined, /^Cannot read .*config: /],
  ['no current context', { clusters: [cluster], users, contexts }, undefined, /--context: one, two/],
  [
    'a context that is not there',
    { clusters: [cluster], users, contexts },
    'three',
    /^No context "three" .* It has: one, two\./,
  ],
  [
    'a context whose cluster is not there',
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
    'a server that is no URL',
    { clusters: [{ name: 'c', cluster: { server: 'nope' } }], users, contexts },
    'two',
    /is not a URL/,
  ],
];
for (const [what, config, context, message] of wrong) {
  test(`a kubeconfig with ${what} is told in words`, async (t) => {
    const connection = await connect({ kubeconfig: writeKubeconfig(t, config), context });
    assert.equal(connection.ok, false);
    assert.match(connection.message, message);
  });
}

test('a kubeconfig that is not there is told by its name', async () => {
  const connection = await connect({ kubeconfig: '/nowhere/config' });
  assert.equal(!connection.ok && connection.message.includes('/nowhere/config'), true);
});

test('a context that is asked for is used', async (t) => {
  const other = { name: 'd', cluster: { server: 'https://example.com:1/' } };
  const kubeconfig = writeKubeconfig(t, {
    clusters: [cluster, other],
    users,
    contexts: [...contexts, { name: 'third', context: { cluster: 'd', user: 'u' } }],
    'current-context': 'one',
  });
  const connection = await connect({ kubeconfig, context: 'third' });
  assert.deepEqual(connection.ok && [connection.kube.server, connection.kube.namespace], [
    'https://example.com:1',
    'default',
  ]);
});

import assert from 'node:assert/strict';
import { createServer, request } from 'node:http';
import type { RequestListener } from 'node:http';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { askThroughProxy } from '../../../src/ask/ask-through-proxy.ts';
import type { Verdict } from '../../../src/core/ask/verdict.ts';
import { askTools } from '../../harness/asking/ask-tools.ts';
import { listenOnLoopback } from '../../harness/process/listen.ts';

/** Asks a pod through a server that answers as the API server's proxy. `milliseconds` runs every timer so soon. */
async function ask(t: TestContext, listener: RequestListener, milliseconds?: number): Promise<Verdict['key']> {
  const server = createServer(listener);
  const port = await listenOnLoopback(t, server);
  const { verdict } = await askThroughProxy({ address: '10.1.2.3', port: 8080 }, '/metrics', {
    version: '0.0.0',
    after: (ms, action) => askTools().after(milliseconds ?? ms, action),
    open: (_port, path, headers) => Promise.resolve(request({ port: port, path: `/proxy${path}`, headers })),
    prefix: () => '/proxy',
  });
  return verdict.key;
}

const failed = (message: string): object => ({ kind: 'Status', apiVersion: 'v1', code: 503, message });

// Words of Go's net and net/http behind those of apimachinery's proxy.
for (const [message, key] of [
  ['error trying to reach service: dial tcp 10.1.2.3:8080: connect: connection refused', 'refused'],
  ['error trying to reach service: dial tcp 10.1.2.3:8080: i/o timeout', 'timeout'],
  ['error trying to reach service: dial tcp 10.1.2.3:8080: connect: no route to host', 'timeout'],
  ['error trying to reach service: EOF', 'reset'],
  [
    'error trying to reach service: net/http: HTTP/1.x transport connection broken: malformed HTTP response "+OK"',
    'not_http',
  ],
  [
    String.raw`error trying to reach service: net/http: HTTP/1.x transport connection broken: malformed HTTP response "\x15\x03\x01\x00\x02\x02"`,
    'https_only',
  ],
  ['pods "x" not found', 'waiting'],
] as const) {
  test(`a failure of the API server is ${key}, not the pod's answer: ${message}`, async (t) => {
    const got = await ask(t, (_, response) => {
      response.writeHead(503, { 'content-type': 'application/json' }).end(JSON.stringify(failed(message)));
    });
    assert.equal(got, key);
  });
}

test("the pod's own errors are judged as without a proxy", async (t) => {
  const body = JSON.stringify({ kind: 'Error', message: 'connection refused' });
  for (const [status, key] of [
    [503, 'server_error'],
    [401, 'needs_auth'],
    [404, 'not_found'],
  ] as const) {
    const got = await ask(t, (_, response) => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(body);
    });
    assert.equal(got, key);
  }
});

test('a pod that does not answer in time is not said to be slow: perhaps nobody reached it', async (t) => {
  assert.equal(await ask(t, () => undefined, 50), 'timeout');
});

test('a server that ends the connection is not answered', async (t) => {
  assert.equal(await ask(t, ({ socket }) => socket.destroy()), 'reset');
});

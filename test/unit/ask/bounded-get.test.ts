// A process of its own: it waits for time limits.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer as createHttp2Server } from 'node:http2';
import type { Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { createServer as createTlsServer } from 'node:tls';
import { gzipSync } from 'node:zlib';
import { askOnce } from '../../../src/ask/bounded-get.ts';
import type { Asked, RequestTools } from '../../../src/ask/bounded-get.ts';
import { MAX_BODY } from '../../../src/ask/limits.ts';
import { startRawServer } from '../../harness/asking/raw-server.ts';

/** Timers that run down when the test says so. */
interface HandTimers {
  readonly after: RequestTools['after'];
  /** Lets all timers of this length run down. */
  fire(ms: number): void;
  readonly pending: () => number[];
}

function handTimers(): HandTimers {
  const timers = new Set<{ ms: number; action: () => void }>();
  return {
    after(ms, action) {
      const timer = { ms, action };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    fire(ms) {
      for (const timer of timers) if (timer.ms === ms) timer.action();
    },
    pending: () => [...timers].map(({ ms }) => ms),
  };
}

const tools = (after: RequestTools['after'] = handTimers().after): RequestTools => ({
  version: '1.2.3',
  refuses: () => false,
  after,
});

/** Asks a server that answers every request with these bytes and then ends the connection. */
async function answerTo(raw: string | Buffer): Promise<Asked> {
  const server = await startRawServer((socket) => socket.end(raw));
  try {
    return await askOnce(server, '/metrics', tools());
  } finally {
    await server.close();
  }
}

function http(status: string, headers: readonly string[], body: string | Buffer = ''): Buffer {
  const content = Buffer.from(body);
  return Buffer.concat([
    Buffer.from([`HTTP/1.1 ${status}`, ...headers, `Content-Length: ${content.length}`, '', ''].join('\r\n')),
    content,
  ]);
}

const TEXT = 'Content-Type: text/plain; version=0.0.4; charset=utf-8';
const GZIP = 'Content-Encoding: gzip';
const PAGE = '# HELP orders_total Orders.\n# TYPE orders_total counter\norders_total 3\n';
const METRICS = { key: 'metrics', format: 'text', series: 1, beyondRuntime: true, sure: true } as const;

test('a request is what Prometheus 3 sends, but for the name of who asks and the closed connection', async () => {
  const server = await startRawServer((socket) => socket.end(http('200 OK', [TEXT], PAGE)));
  await askOnce(server, '/metrics', tools());
  await server.close();
  assert.deepEqual(server.requests, [
    [
      'GET /metrics HTTP/1.1',
      `Host: 127.0.0.1:${server.port}`,
      'User-Agent: autoscrape/1.2.3 (+https://github.com/autoscrape/autoscrape/blob/main/docs/asking.md)',
      'Accept: application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2',
      'Accept-Encoding: gzip',
      'X-Prometheus-Scrape-Timeout-Seconds: 10',
      'Connection: close',
      '',
      '',
    ].join('\r\n'),
  ]);
});

test('an IPv6 address stands in brackets', async (t) => {
  const server = await startRawServer((socket) => socket.end(http('200 OK', [TEXT], PAGE)), { address: '::1' }).catch(
    () => undefined,
  );
  if (server === undefined) return t.skip('this machine has no IPv6');
  const { verdict } = await askOnce(server, '/metrics', tools());
  await server.close();
  assert.equal(verdict.key, 'metrics');
  assert.match(server.requests[0] ?? '', new RegExp(`\r\nHost: \\[::1\\]:${server.port}\r\n`));
});

// What each answer is. Prometheus' own view of the first kind is checked with a real one in test/cluster/asking.test.ts.
const ANSWERS: readonly (readonly [what: string, raw: string | Buffer, verdict: object])[] = [
  ['metrics', http('200 OK', [TEXT], PAGE), METRICS],
  ['metrics without length, by HTTP/1.0', `HTTP/1.0 200 OK\r\n${TEXT}\r\n\r\n${PAGE}`, METRICS],
  [
    'metrics in chunks',
    `HTTP/1.1 200 OK\r\n${TEXT}\r\nTransfer-Encoding: chunked\r\n\r\n${PAGE.length.toString(16)}\r\n${PAGE}\r\n0\r\n\r\n`,
    METRICS,
  ],
  ['gzip', http('200 OK', [TEXT, GZIP], gzipSync(PAGE)), METRICS],
  [
    'gzip in two members',
    http('200 OK', [TEXT, GZIP], Buffer.concat([gzipSync(PAGE.slice(0, 9)), gzipSync(PAGE.slice(9))])),
    METRICS,
  ],
  [
    'bytes behind the answer',
    Buffer.concat([http('200 OK', [TEXT, 'Connection: close'], PAGE), Buffer.from('nonsense')]),
    METRICS,
  ],
  ['two Content-Types: the first counts', http('200 OK', [TEXT, 'Content-Type: text/html'], PAGE), METRICS],
  ['text without a version, but a TYPE line', http('200 OK', ['Content-Type: text/plain'], PAGE), METRICS],
  [
    'OpenMetrics',
    http('200 OK', ['Content-Type: application/openmetrics-text; version=1.0.0; charset=utf-8'], 'a 1\n# EOF\n'),
    { ...METRICS, format: 'openmetrics' },
  ],
  ['only runtime metrics', http('200 OK', [TEXT], 'go_goroutines 1\n'), { ...METRICS, beyondRuntime: false }],
  ['a word and a number', http('200 OK', ['Content-Type: text/plain'], 'OK 200'), { ...METRICS, sure: false }],
  ['an empty page with a version', http('200 OK', [TEXT]), { key: 'metrics_empty', sure: true }],
  ['an empty page without a type', http('200 OK', []), { key: 'metrics_empty', sure: false }],
  [
    'an empty HTML page, which Prometheus takes',
    http('200 OK', ['Content-Type: text/html']),
    { key: 'metrics_empty', sure: false },
  ],
  ['interim answers', `HTTP/1.1 103 Early Hints\r\n\r\n${http('200 OK', [TEXT], PAGE).toString()}`, METRICS],

  ['no type', http('200 OK', [], PAGE), { key: 'wrong_content_type', contentType: 'blank' }],
  [
    'two versions in one header',
    http('200 OK', ['Content-Type: text/plain; version=0.0.4, charset=utf-8'], PAGE),
    { key: 'wrong_content_type', contentType: 'unreadable' },
  ],
  [
    'HTML by name only',
    http('200 OK', ['Content-Type: text/html'], PAGE),
    { key: 'wrong_content_type', contentType: 'other' },
  ],
  [
    'OpenMetrics by name of the older format',
    http('200 OK', [TEXT], '# TYPE a info\na_info{b="c"} 1\n# EOF\n'),
    { key: 'invalid_at_line', line: 1 },
  ],
  [
    'CRLF',
    http('200 OK', ['Content-Type: text/plain'], PAGE.replaceAll('\n', '\r\n')),
    { key: 'invalid_at_line', line: 2 },
  ],
  ['a line that is invalid', http('200 OK', [TEXT], `${PAGE}orders{ 1\n`), { key: 'invalid_at_line', line: 4 }],
  [
    'gzip that is cut off',
    http('200 OK', [TEXT, GZIP], gzipSync(PAGE).subarray(0, 40)),
    { key: 'invalid_at_line', line: undefined },
  ],
  [
    'gzip with bytes behind it',
    http('200 OK', [TEXT, GZIP], Buffer.concat([gzipSync(PAGE), Buffer.from('more')])),
    { key: 'invalid_at_line', line: undefined },
  ],
  ['gzip that is none', http('200 OK', [TEXT, GZIP], PAGE), { key: 'invalid_at_line', line: undefined }],
  ['gzip of nothing at all', http('200 OK', [TEXT, GZIP]), { key: 'invalid_at_line', line: undefined }],
  ['gzip in gzip', http('200 OK', [TEXT, GZIP], gzipSync(gzipSync(PAGE))), { key: 'invalid_at_line', line: 1 }],
  ['gzip that is not told', http('200 OK', [TEXT], gzipSync(PAGE)), { key: 'invalid_at_line', line: 1 }],
  [
    'GZIP in capitals, which Prometheus does not know',
    http('200 OK', [TEXT, 'Content-Encoding: GZIP'], gzipSync(PAGE)),
    { key: 'invalid_at_line', line: 1 },
  ],
  ['zstd', http('200 OK', [TEXT, 'Content-Encoding: zstd'], PAGE), { key: 'invalid_at_line', line: undefined }],
  ['204', 'HTTP/1.1 204 No Content\r\n\r\n', { key: 'not_200', status: 204 }],
  ['202 with metrics', http('202 Accepted', [TEXT], PAGE), { key: 'not_200', status: 202 }],
  ['406', http('406 Not Acceptable', []), { key: 'not_200', status: 406 }],
  ['401', http('401 Unauthorized', ['WWW-Authenticate: Basic']), { key: 'needs_auth', status: 401 }],
  ['403', http('403 Forbidden', []), { key: 'needs_auth', status: 403 }],
  [
    'a 403 for the host',
    http('403 Forbidden', [], '{"message":"Host not authorized."}'),
    { key: 'host_refused', status: 403 },
  ],
  [
    'a 400, such as Django gives',
    http('400 Bad Request', ['Content-Type: text/html'], '<h1>Bad Request (400)</h1>'),
    { key: 'host_refused', status: 400 },
  ],
  [
    'a 400 of a Go server that speaks TLS',
    'HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n',
    { key: 'https_only' },
  ],
  [
    'a 400 of an nginx that speaks TLS',
    http(
      '400 Bad Request',
      [],
      '<html>\r\n<head><title>400 The plain HTTP request was sent to HTTPS port</title></head>',
    ),
    { key: 'https_only' },
  ],
  ['a TLS alert', Buffer.from([0x15, 0x03, 0x01, 0, 2, 2, 70]), { key: 'https_only' }],
  [
    'headers of 20 KiB',
    http('200 OK', [TEXT, `X: ${'x'.repeat(20_000)}`], PAGE),
    { key: 'too_large', what: 'headers' },
  ],
  [
    'headers of 1 MiB',
    http('200 OK', [TEXT, ...Array.from({ length: 30_000 }, (_, i) => `X-${i}: ${'x'.repeat(30)}`)], PAGE),
    { key: 'too_large', what: 'headers' },
  ],
  [
    '4 MiB and one byte',
    http('200 OK', [TEXT], `${PAGE}${'a 1\n'.repeat(MAX_BODY / 4)}`),
    { key: 'too_large', what: 'page' },
  ],
  [
    '4 MiB that are HTML',
    http('200 OK', ['Content-Type: text/plain'], `<html>${'a 1\n'.repeat(MAX_BODY / 4)}`),
    { key: 'html' },
  ],
  [
    'a gzip bomb',
    // Members one after another, because to compress 256 MiB takes a second of CPU.
    http('200 OK', [TEXT, GZIP], Buffer.concat(Array(64).fill(gzipSync('a 1\n'.repeat(MAX_BODY / 4))))),
    { key: 'too_large', what: 'page' },
  ],
  ['a line of 2 MiB', http('200 OK', [TEXT], `a{b="${'x'.repeat(2 ** 21)}"} 1\n`), { key: 'too_large', what: 'line' }],

  ['404', http('404 Not Found', [TEXT], '404 page not found\n'), { key: 'not_found', status: 404 }],
  ['405', http('405 Method Not Allowed', []), { key: 'not_found', status: 405 }],
  ['HTML', http('200 OK', ['Content-Type: text/html; charset=utf-8'], '<!doctype html>'), { key: 'html' }],
  ['HTML as text', http('200 OK', ['Content-Type: text/plain'], '\n <html>'), { key: 'html' }],
  ['JSON', http('200 OK', ['Content-Type: application/json'], '{"a":1}'), { key: 'json' }],
  ['a word', http('200 OK', ['Content-Type: text/plain'], 'OK'), { key: 'other_text' }],
  ['a word and a number as HTML', http('200 OK', ['Content-Type: text/html'], 'OK 200'), { key: 'html' }],

  ['500', http('500 Internal Server Error', []), { key: 'server_error', status: 500 }],
  ['429', http('429 Too Many Requests', []), { key: 'rate_limited', status: 429 }],
  [
    "Envoy's 503",
    http(
      '503 Service Unavailable',
      ['server: envoy', 'Content-Type: text/plain'],
      'upstream connect error or disconnect/reset before headers. reset reason: connection failure',
    ),
    { key: 'mesh_denied', status: 503 },
  ],
  [
    "Envoy's 403",
    http('403 Forbidden', ['server: istio-envoy'], 'RBAC: access denied'),
    { key: 'mesh_denied', status: 403 },
  ],
  ["Linkerd's 403", http('403 Forbidden', ['l5d-proxy-error: unauthorized']), { key: 'mesh_denied', status: 403 }],
  ['101', 'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n', { key: 'not_http' }],
  [
    'seven interim answers',
    `${'HTTP/1.1 102 Processing\r\n\r\n'.repeat(7)}${http('200 OK', [TEXT], PAGE).toString()}`,
    { key: 'not_http' },
  ],
  ['HTTP/2 settings', Buffer.from('000000040000000000', 'hex'), { key: 'not_http' }],
  ['a greeting', '220 mail ESMTP\r\n', { key: 'not_http' }],
  ['an echo', 'GET /metrics HTTP/1.1\r\n', { key: 'not_http' }],
  ['nothing', '', { key: 'reset' }],
  ['half an answer', http('200 OK', [TEXT], PAGE).subarray(0, -3), { key: 'reset' }],
  ['half an answer in gzip', http('200 OK', [TEXT, GZIP], gzipSync(PAGE)).subarray(0, -3), { key: 'reset' }],
  [
    'chunks that break off',
    `HTTP/1.1 200 OK\r\n${TEXT}\r\nTransfer-Encoding: chunked\r\n\r\n4\r\na 1\n\r\n`,
    { key: 'reset' },
  ],
  ['headers that break off', 'HTTP/1.1 200 OK\r\nContent-', { key: 'reset' }],
];

for (const [what, raw, verdict] of ANSWERS) {
  test(`the answer "${what}" is ${JSON.stringify(verdict)}`, async () => {
    assert.deepEqual((await answerTo(raw)).verdict, verdict);
  });
}

test('a port that nobody listens on has refused', async () => {
  const server = await startRawServer(() => undefined);
  await server.close();
  assert.deepEqual((await askOnce(server, '/metrics', tools())).verdict, { key: 'refused' });
});

test('an address that must not be asked sees no connection', async () => {
  const server = await startRawServer((socket) => socket.end(http('200 OK', [TEXT], PAGE)));
  const { verdict } = await askOnce(server, '/metrics', { ...tools(), refuses: () => true });
  await server.close();
  assert.deepEqual([verdict, server.connections()], [{ key: 'never_list' }, 0]);
});

test('a connection that does not come about in 2 s is a timeout', async () => {
  const timers = handTimers();
  // RFC 5737: an address that is nobody's. Where a network says so at once, it is the same verdict.
  const asked = askOnce({ address: '192.0.2.1', port: 80 }, '/metrics', tools(timers.after));
  timers.fire(2000);
  assert.deepEqual((await asked).verdict, { key: 'timeout' });
});

/** Asks a server that behaves, and lets a timer run down when `ready` says so. */
async function runDown(ms: number, behave: (socket: Socket, ready: () => void) => void): Promise<object> {
  const timers = handTimers();
  const { promise, resolve } = Promise.withResolvers<void>();
  const server = await startRawServer((socket) => behave(socket, resolve));
  const asked = askOnce(server, '/metrics', tools(timers.after));
  await promise;
  // What the server wrote has to arrive first.
  await new Promise((resume) => setTimeout(resume, 50));
  timers.fire(ms);
  const { verdict } = await asked;
  assert.deepEqual(timers.pending(), []);
  await server.close();
  return verdict;
}

test('a server that takes the request and says nothing in 5 s is too slow', async () => {
  assert.deepEqual(await runDown(5000, (_, ready) => ready()), { key: 'too_slow', answered: false });
});

function begin(socket: Socket, ready: () => void): void {
  socket.write(`HTTP/1.1 200 OK\r\n${TEXT}\r\nTransfer-Encoding: chunked\r\n\r\n4\r\na 1\n\r\n`, ready);
}

test('an answer that has begun after 5 s may take 10 s, and no more', async () => {
  assert.deepEqual(await runDown(10_000, begin), { key: 'too_slow', answered: true });
  const timers = handTimers();
  const server = await startRawServer((socket) => {
    begin(socket, () =>
      setTimeout(() => {
        timers.fire(5000);
        socket.end('0\r\n\r\n');
      }, 50),
    );
  });
  const { verdict } = await askOnce(server, '/metrics', tools(timers.after));
  await server.close();
  assert.equal(verdict.key, 'metrics');
});

function drip(socket: Socket, ready: () => void): void {
  socket.write('HTTP/1.1 200 OK\r\nX: ');
  const timer = setInterval(() => socket.write('x'), 5);
  socket.on('close', () => clearInterval(timer));
  ready();
}

test('headers that come letter by letter and never end are too slow', async () => {
  assert.deepEqual(await runDown(10_000, drip), { key: 'too_slow', answered: true });
});

test('a page without end stops at the limit, and memory stays small', async () => {
  const server = await startRawServer((socket) => {
    socket.write(`HTTP/1.1 200 OK\r\n${TEXT}\r\n\r\n`);
    const piece = 'a 1\n'.repeat(4096);
    const write = (): void => {
      while (!socket.destroyed && socket.write(piece));
    };
    socket.on('drain', write);
    write();
  });
  const { verdict } = await askOnce(server, '/metrics', tools());
  await server.close();
  assert.deepEqual(verdict, { key: 'too_large', what: 'page' });
});

test('a page of 3 MiB is read to its end, and the server sees the connection end in order', async () => {
  const { promise, resolve } = Promise.withResolvers<string>();
  const page = `${PAGE}${'orders{a="b"} 1\n'.repeat(200_000)}`;
  const server = await startRawServer((socket) => {
    socket.on('end', () => resolve('ended'));
    socket.on('error', () => resolve('reset'));
    socket.end(http('200 OK', [TEXT], page));
  });
  const { verdict } = await askOnce(server, '/metrics', tools());
  assert.deepEqual(verdict, { ...METRICS, series: 200_001 });
  assert.equal(await promise, 'ended');
  await server.close();
});

test('gzip is read as Prometheus reads it, however its bytes come in', async () => {
  const [one, two] = [gzipSync('a 1\n'), gzipSync('b 1\n')];
  const rows = [
    [[one, two], 'metrics'],
    [[one, two.subarray(0, 1), two.subarray(1)], 'metrics'],
    [Array.from(Buffer.concat([one, two]), (byte) => Buffer.of(byte)), 'metrics'],
    [[one, Buffer.from('x')], 'invalid_at_line'],
    [[one, Buffer.alloc(4)], 'invalid_at_line'],
    [[one, two.subarray(0, 12)], 'invalid_at_line'],
  ] as const;
  for (const [parts, expected] of rows) {
    const server = await startRawServer(async (socket) => {
      socket.setNoDelay(true);
      socket.write(`HTTP/1.1 200 OK\r\n${TEXT}\r\n${GZIP}\r\n\r\n`);
      for (const part of parts) {
        socket.write(part);
        await new Promise((resume) => setTimeout(resume, 5));
      }
      socket.end();
    });
    const { verdict } = await askOnce(server, '/metrics', tools());
    await server.close();
    assert.equal(verdict.key, expected);
  }
});

test('the connection is closed, though the server would keep it', async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const server = await startRawServer((socket) => {
    socket.on('end', resolve);
    socket.write(http('200 OK', [TEXT, 'Connection: keep-alive'], PAGE));
  });
  assert.equal((await askOnce(server, '/metrics', tools())).verdict.key, 'metrics');
  await promise;
  await server.close();
});

test('recognises a server that speaks only TLS', async () => {
  const server = createTlsServer({ minVersion: 'TLSv1.2' });
  server.on('tlsClientError', () => undefined);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const { verdict } = await askOnce({ address: '127.0.0.1', port }, '/metrics', tools());
  server.close();
  // OpenSSL answers with an alert, or closes without one.
  assert.match(verdict.key, /^(https_only|reset)$/);
});

test('a server that speaks HTTP/2 only is not HTTP', async () => {
  const server = createHttp2Server();
  server.on('sessionError', () => undefined);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const { verdict } = await askOnce({ address: '127.0.0.1', port }, '/metrics', tools());
  server.close();
  assert.match(verdict.key, /^(not_http|reset)$/);
});

// [status, Location as a function of the port, the path that may be asked]
const REDIRECTS: readonly (readonly [number, (port: number) => string, string | undefined])[] = [
  [307, () => '/metrics/', '/metrics/'],
  [301, (port) => `http://127.0.0.1:${port}/metrics/`, '/metrics/'],
  [308, () => 'metrics/', '/metrics/'],
  [302, () => '/login', '/login'],
  [303, () => '/metrics/', undefined],
  [300, () => '/metrics/', undefined],
  [302, () => '/metrics', undefined],
  [302, () => '/login?next=/metrics', undefined],
  [302, () => '/metrics/#x', undefined],
  [302, () => '//example.com/metrics/', undefined],
  [302, (port) => `https://127.0.0.1:${port}/metrics/`, undefined],
  [302, (port) => `http://127.0.0.1:${port + 1}/metrics/`, undefined],
  [302, (port) => `http://user@127.0.0.1:${port}/metrics/`, undefined],
  [302, () => 'http://169.254.169.254/latest/meta-data/', undefined],
  [302, () => 'http://localhost/metrics/', undefined],
  [302, () => '/a%20b', undefined],
  [302, () => `/${'a'.repeat(255)}`, undefined],
  [302, () => '//', undefined],
  [302, () => 'javascript:alert(1)', undefined],
  [302, () => '\\\\example.com\\metrics', undefined],
];

for (const [status, location, expected] of REDIRECTS) {
  test(`${status} to ${location(8080)} leads to ${expected ?? 'nowhere'}`, async () => {
    let port = 0;
    const server = await startRawServer((socket) =>
      socket.end(http(`${status} Away`, [`Location: ${location(port)}`])),
    );
    port = server.port;
    const { verdict, redirect } = await askOnce(server, '/metrics', tools());
    await server.close();
    assert.deepEqual([verdict, redirect], [{ key: 'redirected_away', status }, expected]);
  });
}

test('an answer chooses among paths of ours, and brings none of its own', async () => {
  const spring = '{"timestamp":"2026-11-27T20:00:00Z","status":404,"error":"Not Found","path":"/evil"}';
  assert.equal((await answerTo(http('404 Not Found', [], spring))).suggested, '/actuator/prometheus');
  assert.equal((await answerTo(http('404 Not Found', [], '<a href="/evil">'))).suggested, undefined);
});

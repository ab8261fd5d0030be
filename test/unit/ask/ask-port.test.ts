import assert from 'node:assert/strict';
import { test } from 'node:test';
import { askPod, choosePort } from '../../../src/ask/ask-pod.ts';
import { askPort } from '../../../src/ask/ask-port.ts';
import type { PortAsked } from '../../../src/ask/ask-port.ts';
import { hostOf, refusedAddresses } from '../../../src/ask/refused-address.ts';
import type { Verdict } from '../../../src/core/ask/verdict.ts';
import { askTools } from '../../harness/asking/ask-tools.ts';
import { startRawServer } from '../../harness/asking/raw-server.ts';

const TEXT = 'Content-Type: text/plain; version=0.0.4';
const PAGE = '# TYPE orders counter\norders 3\n';
const OK = answer('200 OK', PAGE, TEXT);
const NOT_FOUND = answer('404 Not Found', 'no');

function answer(status: string, body: string, ...headers: string[]): string {
  return [`HTTP/1.1 ${status}`, ...headers, `Content-Length: ${Buffer.byteLength(body)}`, '', body].join('\r\n');
}

/** What a server answers: by path, and to every other path. */
type Site = Readonly<Record<string, string>>;

/** Asks a server, and returns what came of it with the paths that the server has seen. */
async function ask(site: Site, paths: readonly string[]): Promise<readonly [Verdict['key'], string, ...string[]]> {
  const server = await startRawServer((socket, path) => socket.end(site[path] ?? site['*'] ?? NOT_FOUND));
  const asked = await askPort(server, paths, askTools());
  await server.close();
  const seen = server.requests.map((request) => request.split(' ')[1] ?? '');
  assert.deepEqual(
    asked.requests.map(({ path }) => path),
    seen,
  );
  return [asked.verdict.key, asked.path, ...seen];
}

type Row = readonly [
  what: string,
  site: Site,
  paths: readonly string[],
  key: Verdict['key'],
  path: string,
  seen: readonly string[],
];

const M = '/metrics';
const ROWS: readonly Row[] = [
  ['metrics where they were expected', { [M]: OK }, [M], 'metrics', M, [M]],
  ['the first path settles it', { '/a': OK, [M]: OK }, ['/a', M], 'metrics', '/a', ['/a']],
  ['a path that is not there, then one that is', { [M]: OK }, ['/a', M], 'metrics', M, ['/a', M]],
  ['no path at all', {}, ['/a', '/b', M, '/d'], 'not_found', '/a', ['/a', '/b', M]],
  [
    'a FastAPI app that mounts the Python client',
    { [M]: answer('307 Temporary Redirect', '', 'Location: /metrics/'), '/metrics/': OK },
    [M],
    'metrics',
    '/metrics/',
    [M, '/metrics/'],
  ],
  [
    'two redirects',
    { [M]: answer('301 x', '', 'Location: /a'), '/a': answer('301 x', '', 'Location: /b'), '/b': OK },
    [M],
    'redirected_away',
    '/a',
    [M, '/a'],
  ],
  [
    'a redirect elsewhere',
    { [M]: answer('301 x', '', 'Location: http://10.0.0.1/metrics') },
    ['/a', M, '/b'],
    'redirected_away',
    M,
    ['/a', M],
  ],
  [
    'everything leads to one login page, which is asked for once',
    { '*': answer('302 x', '', 'Location: /login'), '/login': answer('200 OK', '<html>', 'Content-Type: text/html') },
    ['/a', M],
    'html',
    '/login',
    ['/a', '/login', M],
  ],
  [
    'Spring says where to look',
    { [M]: answer('404 x', '{"timestamp":1,"status":404,"error":"Not Found"}'), '/actuator/prometheus': OK },
    [M],
    'metrics',
    '/actuator/prometheus',
    [M, '/actuator/prometheus'],
  ],
  ['HTML for every path', { '*': answer('200 OK', '<html>') }, ['/a', M], 'html', '/a', ['/a', M]],
  [
    'OK 200 for every path',
    { '*': answer('200 OK', 'OK 200', 'Content-Type: text/plain') },
    [M],
    'catch_all',
    M,
    [M, '/made-up'],
  ],
  ['an empty page for every path', { '*': answer('200 OK', '') }, [M], 'catch_all', M, [M, '/made-up']],
  ['an empty page for this path', { [M]: answer('200 OK', '') }, [M], 'metrics_empty', M, [M, '/made-up']],
  ['an empty page with a version', { [M]: answer('200 OK', '', TEXT) }, [M], 'metrics_empty', M, [M]],
  [
    'weak metrics for this path',
    { [M]: answer('200 OK', 'healthy 1', 'Content-Type: text/plain') },
    [M],
    'metrics',
    M,
    [M, '/made-up'],
  ],
  [
    'weak metrics, and a server that fails the control',
    { [M]: answer('200 OK', 'healthy 1', 'Content-Type: text/plain'), '*': answer('503 x', '') },
    [M],
    'server_error',
    M,
    [M, '/made-up'],
  ],
  [
    'every path leads to one weak page',
    { '*': answer('302 x', '', 'Location: /up'), '/up': answer('200 OK', 'up 1', 'Content-Type: text/plain') },
    [M],
    'catch_all',
    '/up',
    [M, '/up', '/made-up'],
  ],
  ['described metrics at every path, as client libraries serve them', { '*': OK }, [M], 'metrics', M, [M]],
  ...(['400', '401', '403', '407', '421', '429', '500', '503'] as const).map((status): Row => [
    `${status} ends it`,
    { '*': answer(`${status} x`, '') },
    ['/a', M],
    // Checked by the requests: request.test.ts has the verdict of each.
    status === '429'
      ? 'rate_limited'
      : status.startsWith('5')
        ? 'server_error'
        : ['400', '421'].includes(status)
          ? 'host_refused'
          : 'needs_auth',
    '/a',
    ['/a'],
  ]),
  ...(['405', '410'] as const).map((status): Row => [
    `${status} goes on`,
    { '/a': answer(`${status} x`, ''), [M]: OK },
    ['/a', M],
    'metrics',
    M,
    ['/a', M],
  ]),
  ['something that is not HTTP ends it', { '*': '220 hello\r\n' }, ['/a', M], 'not_http', '/a', ['/a']],
  [
    'an invalid page ends it',
    { '/a': answer('200 OK', `${PAGE}x\n`, TEXT), [M]: OK },
    ['/a', M],
    'invalid_at_line',
    '/a',
    ['/a'],
  ],
];

for (const [what, site, paths, key, path, seen] of ROWS) {
  test(`${what}: ${key}`, async () => {
    assert.deepEqual(await ask(site, paths), [key, path, ...seen]);
  });
}

test('a port sees at most five requests, whatever it answers', async () => {
  let turn = 0;
  const server = await startRawServer((socket) => {
    const suggesting = '{"timestamp":1,"status":404,"error":"Not Found"}';
    const answers = [answer('302 x', '', 'Location: /x'), answer('404 x', suggesting), answer('404 x', suggesting)];
    socket.end(answers[turn++] ?? answer('200 OK', 'a 1', 'Content-Type: text/plain'));
  });
  const { requests, verdict } = await askPort(server, ['/a', '/b', '/c', '/d'], askTools());
  await server.close();
  assert.deepEqual(
    [requests.map(({ path }) => path), verdict.key],
    [['/a', '/x', '/b', '/c', '/made-up'], 'catch_all'],
  );
});

test('where no request may be sent, none is', async () => {
  const server = await startRawServer((socket) => socket.end(OK));
  const asked = await askPort(server, [M], askTools({ mayAsk: () => Promise.resolve(false) }));
  await server.close();
  assert.deepEqual([asked.verdict, asked.requests, server.connections()], [{ key: 'waiting' }, [], 0]);
});

test('a pod sees at most twelve requests, at eight ports at most, one at a time', async () => {
  let open = 0;
  let most = 0;
  const servers = await Promise.all(
    Array.from({ length: 9 }, () =>
      startRawServer((socket) => {
        most = Math.max(most, ++open);
        socket.on('close', () => open--);
        socket.end(NOT_FOUND);
      }),
    ),
  );
  const answers = await askPod(
    '127.0.0.1',
    servers.map(({ port }) => ({ port, paths: ['/a', M] })),
    askTools(),
  );
  await Promise.all(servers.map((server) => server.close()));
  assert.deepEqual(
    answers.map(({ verdict }) => verdict.key),
    [...Array<string>(6).fill('not_found'), 'waiting', 'waiting'],
  );
  assert.deepEqual(
    servers.map(({ connections }) => connections()),
    [2, 2, 2, 2, 2, 2, 0, 0, 0],
  );
  assert.equal(most, 1);
});

const asked = (port: number, verdict: Verdict): PortAsked => ({ port, path: M, verdict, requests: [] });
const metrics = (beyondRuntime: boolean): Verdict => ({
  key: 'metrics',
  format: 'text',
  series: 1,
  beyondRuntime,
  sure: true,
});

test('of several ports, the one with more than runtime metrics is annotated, then the one of the lowest rank', () => {
  const ranked = [1, 2, 4, 3].map((port, rank) => ({ port, rank }));
  const rows = [
    [[asked(1, { key: 'html' }), asked(2, metrics(false)), asked(3, metrics(true)), asked(4, metrics(true))], 4],
    [[asked(1, { key: 'metrics_empty', sure: true }), asked(2, metrics(false))], 1],
    [[asked(2, metrics(false)), asked(1, metrics(false))], 1],
    [[asked(9, metrics(false)), asked(3, metrics(false))], 3],
    [[asked(1, { key: 'refused' })], undefined],
  ] as const;
  for (const [answers, port] of rows) assert.equal(choosePort(answers, ranked)?.port, port);
});

test('addresses that no pod has are refused, and others are not', () => {
  const refuses = refusedAddresses(['10.0.0.7', 'fd00::7', 'no address']);
  const refused = [
    '127.0.0.1 127.255.0.1 0.0.0.0 0.1.2.3 169.254.169.254 224.0.0.1 255.255.255.255 240.0.0.1 ::1',
    ':: fe80::1 fe80::1%eth0 ff02::1 ::ffff:127.0.0.1 ::ffff:a9fe:a9fe fd00:ec2::254 64:ff9b::7f00:1',
    '2002:7f00:1:: 10.0.0.7 ::ffff:10.0.0.7 fd00::7 fd00:0:0::7 localhost example.com 10.1 0x7f.1',
    '127.1 [::1] 10.0.0.1:80',
  ].flatMap((line) => line.split(' '));
  refused.push('', '10.0.0.1 ');
  assert.deepEqual(
    refused.filter((address) => !refuses(address)),
    [],
  );
  assert.deepEqual(
    ['10.0.0.8', '172.16.0.1', '192.168.1.1', '100.64.0.1', '8.8.8.8', 'fd00::8', '2001:db8::1'].filter(refuses),
    [],
  );
});

test('the host of a URL has no brackets, and is empty where there is no URL', () => {
  assert.equal(hostOf('https://10.0.0.1:6443'), '10.0.0.1');
  assert.equal(hostOf('https://[fd00::1]:6443/k8s'), 'fd00::1');
  assert.equal(hostOf('10.0.0.1'), '');
});

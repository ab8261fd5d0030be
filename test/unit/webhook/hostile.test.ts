import assert from 'node:assert/strict';
import { after, afterEach, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { MAX_BODY_BYTES, MAX_DEPTH, MAX_STRUCTURE } from '../../../src/webhook/request-limits.ts';
import { podWithMetrics, reviewOf } from '../../harness/autoscrape/admission-review.ts';
import type { CallOptions } from '../../harness/autoscrape/client.ts';
import { exchange } from './raw-socket.ts';
import { startWebhook } from './running-webhook.ts';
import { verifyAnswer } from '../../harness/autoscrape/verify-answer.ts';

const webhook = await startWebhook();
after(() => webhook.server.close(AbortSignal.abort()));

// Whatever was sent, the next good review is answered.
afterEach(async () => {
  const review = reviewOf(podWithMetrics());
  assert.equal(verifyAnswer(await webhook.call(review), review.request.uid).patch.length, 1);
});

const GOOD = JSON.stringify(reviewOf(podWithMetrics()));

/** A review with a raw JSON text as its object. */
function around(object: string): string {
  return JSON.stringify(reviewOf('OBJECT')).replace('"OBJECT"', () => object);
}

/** A pod whose JSON text has exactly so many bytes more than the shortest such pod. */
function padded(bytes: number): string {
  return around(JSON.stringify({ ...podWithMetrics(), pad: 'x'.repeat(bytes) }));
}

const HEAD: Readonly<Record<string, readonly [status: number, options: CallOptions]>> = {
  'an unknown path': [404, { path: '/' }],
  'a path with a slash too many': [404, { path: '/mutate/' }],
  'a path that climbs': [404, { path: '/mutate/../mutate' }],
  'a path that is escaped': [404, { path: '/%6dutate' }],
  'a path with half an escape': [404, { path: '/mutate%' }],
  'a path that is not UTF-8': [404, { path: '/%ff' }],
  GET: [405, { method: 'GET' }],
  PUT: [405, { method: 'PUT' }],
  DELETE: [405, { method: 'DELETE' }],
  OPTIONS: [405, { method: 'OPTIONS' }],
  'a method of WebDAV': [405, { method: 'PROPFIND' }],
  'no content type': [415, { headers: { 'content-type': '' } }],
  'plain text': [415, { headers: { 'content-type': 'text/plain' } }],
  'a form': [415, { headers: { 'content-type': 'application/x-www-form-urlencoded' } }],
  YAML: [415, { headers: { 'content-type': 'application/yaml' } }],
  protobuf: [415, { headers: { 'content-type': 'application/vnd.kubernetes.protobuf' } }],
  'a content type that only begins like JSON': [415, { headers: { 'content-type': 'application/jsonp' } }],
  'two content types': [415, { headers: { 'content-type': 'application/json, text/plain' } }],
  'JSON in UTF-16': [415, { headers: { 'content-type': 'application/json; charset=utf-16' } }],
  brotli: [415, { headers: { 'content-encoding': 'br' } }],
  'an unknown encoding': [415, { headers: { 'content-encoding': 'x-nothing' } }],
  'JSON, however it is spelled': [200, { headers: { 'content-type': 'Application/JSON ; Charset="UTF-8"' } }],
  'no encoding, said aloud': [200, { headers: { 'content-encoding': 'identity' } }],
  'a hundred headers': [200, { headers: Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`x-${i}`, 'x'])) }],
  'headers of 100 KiB': [431, { headers: { 'x-long': 'x'.repeat(100 * 1024) } }],
  'a query with odd names': [200, { path: '/mutate?__proto__=1&constructor[prototype]=2&%ff' }],
};

for (const [title, [status, options]] of Object.entries(HEAD)) {
  test(`${status} for ${title}`, async () => {
    assert.equal((await webhook.call(GOOD, options)).status, status);
  });
}

test('a path that is not one is refused, counted and logged like any unknown path', async () => {
  const count = async () => /\{outcome="refuse",code="404"\} ([0-9]+)/.exec(await webhook.metrics())?.[1];
  const [before, logged] = [Number(await count()), webhook.lines.length];
  const [unknown, broken] = [await webhook.call(GOOD, { path: '/' }), await webhook.call(GOOD, { path: '/%zz' })];
  assert.deepEqual([broken.status, broken.body], [unknown.status, unknown.body]);
  assert.equal(Number(await count()), before + 2);
  assert.equal(webhook.lines.slice(logged).filter((line) => /"status":404.*"request refused"/.test(line)).length, 2);
});

test('a 405 names the allowed method', async () => {
  assert.equal((await webhook.call('', { method: 'GET' })).headers.allow, 'POST');
});

const BODIES: Readonly<Record<string, readonly [status: number, body: string | Buffer]>> = {
  nothing: [400, ''],
  'a space': [400, ' '],
  'a truncated review': [400, GOOD.slice(0, -2)],
  'a review and a brace': [400, `${GOOD}}`],
  'two reviews': [400, GOOD + GOOD],
  'a byte order mark': [400, `\u{feff}${GOOD}`],
  'UTF-16': [400, Buffer.from(GOOD, 'utf16le')],
  'gzip that is not declared': [400, gzipSync(GOOD)],
  zeros: [400, Buffer.alloc(1000)],
  YAML: [400, 'apiVersion: admission.k8s.io/v1\nkind: AdmissionReview\n'],
  HTML: [400, '<!doctype html>'],
  'single quotes': [400, GOOD.replaceAll('"', "'")],
  'a comment': [400, `${GOOD}// by me`],
  NaN: [400, around('NaN')],
  'a raw control character in a string': [400, around('"\u0000"')],
  'an endless string': [400, `"${'x'.repeat(1e6)}`],
  'escapes to the end': [400, `"${'\\'.repeat(1e6 + 1)}`],
  'closing brackets only': [400, ']'.repeat(1e6)],
  'nesting at the limit in a large body': [
    200,
    around(`{"pad":"${'x'.repeat(1e5)}","deep":${'['.repeat(MAX_DEPTH - 3)}${']'.repeat(MAX_DEPTH - 3)}}`),
  ],
  'nesting beyond the limit in a large body': [
    400,
    around(`{"pad":"${'x'.repeat(1e5)}","deep":${'['.repeat(MAX_DEPTH - 2)}${']'.repeat(MAX_DEPTH - 2)}}`),
  ],
  'nesting beyond the limit in a small body, which costs nothing': [
    200,
    around(`{"deep":${'['.repeat(20_000)}${']'.repeat(20_000)}}`),
  ],
  '4 MiB of open brackets': [400, '['.repeat(MAX_BODY_BYTES)],
  '4 MiB of open objects': [400, '{"":'.repeat(MAX_BODY_BYTES / 4)],
  '4 MiB of empty objects': [400, around(`[${'{},'.repeat(1.3e6)}{}]`)],
  '4 MiB of numbers': [400, around(`[${'1,'.repeat(2e6)}1]`)],
  'as many values as there may be': [200, around(`[${'1,'.repeat(MAX_STRUCTURE - 100)}1]`)],
  '60,000 keys': [200, around(`{${Array.from({ length: 6e4 }, (_, i) => `"k${i}":0`).join()}}`)],
  '60,000 times the same key': [200, around(`{${'"k":0,'.repeat(6e4)}"k":1}`)],
  '100,000 keys': [400, around(`{${Array.from({ length: 1e5 }, (_, i) => `"k${i}":0`).join()}}`)],
  'brackets in a string, which nest nothing': [200, around(JSON.stringify({ pad: '[{,:\\"'.repeat(3e5) }))],
  'keys that JavaScript objects inherit': [
    200,
    around(
      '{"__proto__":{"metadata":{"annotations":1}},"constructor":{"prototype":{"x":1}},"metadata":{"__proto__":null,"labels":{"__proto__":"x","toString":"y"}},"spec":{"containers":[{"name":"__proto__","ports":[{"name":"__proto__","containerPort":1}],"hasOwnProperty":1}]}}',
    ),
  ],
  'lone surrogates': [
    200,
    around(
      String.raw`{"metadata":{"generateName":"\ud800","annotations":{"\udfff":"\ud83d"}},"spec":{"containers":[{"name":"\ud800"}]}}`,
    ),
  ],
  'NUL, escaped': [
    200,
    around(String.raw`{"metadata":{"name":"\u0000"},"spec":{"containers":[{"name":"\u0000","image":"\u0000"}]}}`),
  ],
  'bad UTF-8, which is replaced as Go does': [
    200,
    Buffer.concat([
      Buffer.from(GOOD.replace(/web-.*/s, 'web-')),
      Buffer.from([0xff, 0xc0, 0x80]),
      Buffer.from(GOOD.replace(/.*?web-/s, '')),
    ]),
  ],
  'huge numbers': [
    200,
    around(
      `{"spec":{"containers":[{"ports":[{"name":"metrics","containerPort":1e400},{"name":"metrics","containerPort":${'9'.repeat(1e5)}}]}]}}`,
    ),
  ],
  'a string of a megabyte': [200, around(JSON.stringify(podWithMetrics({ note: 'x'.repeat(1e6) })))],
  'all that an API server takes': [200, padded(3 * 1024 * 1024)],
  'the largest body': [200, padded(MAX_BODY_BYTES - padded(0).length)],
  'a byte more than the largest body': [413, padded(MAX_BODY_BYTES - padded(0).length + 1)],
  'twice the largest body': [413, Buffer.alloc(2 * MAX_BODY_BYTES)],
};

for (const [title, [status, body]] of Object.entries(BODIES)) {
  test(`${status} for a body of ${title}`, async () => {
    const reply = await webhook.call(body);
    assert.equal(reply.status, status, reply.body.slice(0, 500));
    if (status === 200) assert.match(reply.body, /"allowed":true/);
    else assert.equal(Object.keys(JSON.parse(reply.body)).join(), 'error');
  });
}

test('a 413 closes the connection', async () => {
  assert.equal((await webhook.call(Buffer.alloc(MAX_BODY_BYTES + 1))).headers.connection, 'close');
});

const START = 'POST /mutate HTTP/1.1\r\nHost: webhook\r\nContent-Type: application/json\r\n';
const CHUNK = (text: string) => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;

// What no HTTP library sends. Node answers some of it itself: the point is that it is answered, or the connection closed.
const STREAMS: Readonly<Record<string, readonly [answer: RegExp, sent: string]>> = {
  chunks: [
    /^HTTP\/1\.1 200 /,
    `${START}Transfer-Encoding: chunked\r\n\r\n${CHUNK(GOOD.slice(0, 9))}${CHUNK(GOOD.slice(9))}${CHUNK('')}`,
  ],
  'chunks beyond the largest body': [
    /^HTTP\/1\.1 413 /,
    `${START}Transfer-Encoding: chunked\r\n\r\n${CHUNK('x'.repeat(1e6)).repeat(5)}${CHUNK('')}`,
  ],
  'a chunk without a size': [/^HTTP\/1\.1 400 /, `${START}Transfer-Encoding: chunked\r\n\r\nzz\r\n`],
  'chunks and a length': [
    /^HTTP\/1\.1 400 /,
    `${START}Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n`,
  ],
  'two lengths': [/^HTTP\/1\.1 400 /, `${START}Content-Length: 3\r\nContent-Length: 4\r\n\r\n{}`],
  'a negative length': [/^HTTP\/1\.1 400 /, `${START}Content-Length: -1\r\n\r\n`],
  'a length beyond all numbers': [/^HTTP\/1\.1 4(00|13) /, `${START}Content-Length: 99999999999999999999\r\n\r\n`],
  'a length of a gigabyte and no bytes': [/^HTTP\/1\.1 413 /, `${START}Content-Length: 1000000000\r\n\r\n`],
  'a length that is too short': [/^HTTP\/1\.1 400 /, `${START}Content-Length: 10\r\n\r\n${GOOD}`],
  'two reviews in one go': [
    /^HTTP\/1\.1 200 [^]*HTTP\/1\.1 200 /,
    `${START}Content-Length: ${GOOD.length}\r\n\r\n${GOOD}`.repeat(2),
  ],
  'no request at all': [/^HTTP\/1\.1 400 /, 'hello\r\n\r\n'],
  'HTTP/2': [/^HTTP\/1\.1 400 |^$/, 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  'HTTP/0.9': [/^HTTP\/1\.1 405 /, 'GET /mutate\r\n\r\n'],
};

for (const [title, [answer, sent]] of Object.entries(STREAMS)) {
  test(`an answer to ${title}`, async () => {
    assert.match(await exchange(webhook, sent), answer);
  });
}

test('a client that hangs up during its body frees its bytes', async () => {
  for (let round = 0; round < 50; round++) {
    await exchange(webhook, `${START}Content-Length: 1000000\r\n\r\n${'x'.repeat(500_000)}`, { hangUp: true });
  }
  // 25 MB in all: had their bytes stayed counted, the largest body would now be asked to come again.
  assert.equal((await webhook.call(padded(MAX_BODY_BYTES - padded(0).length))).status, 200);
});

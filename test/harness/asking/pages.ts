import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { generatePage, seeded } from './generated-pages.ts';

/** One thing that a server may answer at a path of its own. */
export interface AskedPage {
  readonly what: string;
  /** Whether it takes longer than others on purpose. */
  readonly slow?: boolean;
  readonly answer: (socket: Socket) => void;
}

/** The answers that a real Prometheus and autoscrape judge side by side. `textparse` is the folder of its parsers, for their pages. */
export async function askedPages(textparse: string): Promise<AskedPage[]> {
  return [...generatedPages(), ...(await realPages(textparse)), ...shapedPages(), ...oddAnswers()];
}

const TEXT = 'text/plain; version=0.0.4; charset=utf-8';
const OPENMETRICS = 'application/openmetrics-text; version=1.0.0; charset=utf-8';

function http(status: string, headers: readonly string[], body: string | Uint8Array = ''): Buffer {
  const content = Buffer.from(body);
  const head = [`HTTP/1.1 ${status}`, ...headers, `Content-Length: ${content.length}`, '', ''].join('\r\n');
  return Buffer.concat([Buffer.from(head, 'latin1'), content]);
}

function ok(type: string | undefined, body: string | Uint8Array, ...headers: string[]): Buffer {
  return http('200 OK', [...(type === undefined ? [] : [`Content-Type: ${type}`]), ...headers], body);
}

function sends(what: string, raw: string | Uint8Array): AskedPage {
  return { what, answer: (socket) => void socket.end(raw) };
}

/**
 * A label twice, in a sample whose timestamp is too old to be stored. Prometheus drops it before it looks at its labels; which times are
 * too old depends on what it has stored. autoscrape refuses the page in any case.
 */
const NOT_STORED: readonly number[] = [99];

/** Valid and nearly valid pages, of both formats, made from fixed seeds. */
function generatedPages(): AskedPage[] {
  const seeds = Array.from({ length: 240 }, (_, seed) => seed).filter((seed) => !NOT_STORED.includes(seed));
  return seeds.map((seed) => {
    const format = seed % 2 === 0 ? 'text' : 'openmetrics';
    const page = generatePage(seeded(seed), format);
    return sends(`generated ${format} ${seed}`, ok(format === 'text' ? TEXT : OPENMETRICS, page));
  });
}

/** The pages that Prometheus' own parsers are tested with, whole, cut off, with other line ends, and under the other's name. */
async function realPages(textparse: string): Promise<AskedPage[]> {
  const folder = join(textparse, 'testdata');
  const files = (await readdir(folder)).filter((file) => file.endsWith('.txt')).toSorted();
  const pages = await Promise.all(
    files.map(async (file) => {
      const page = await readFile(join(folder, file));
      return [
        sends(`${file} as text`, ok(TEXT, page)),
        sends(`${file} as OpenMetrics`, ok(OPENMETRICS, page)),
        sends(
          `${file} in gzip`,
          ok(file.includes('.om') ? OPENMETRICS : TEXT, gzipSync(page), 'Content-Encoding: gzip'),
        ),
        sends(`${file} cut off within a line`, ok(TEXT, page.subarray(0, Math.floor(page.length / 2)))),
        sends(`${file} with CRLF`, ok(TEXT, page.toString().replaceAll('\n', '\r\n'))),
      ];
    }),
  );
  return pages.flat();
}

/** Pages as client libraries and people write them. */
const SHAPES: Readonly<Record<string, string>> = {
  go: '# HELP go_goroutines Number of goroutines.\n# TYPE go_goroutines gauge\ngo_goroutines 8\n# HELP rpc_seconds RPC latency.\n# TYPE rpc_seconds histogram\nrpc_seconds_bucket{le="0.1"} 2\nrpc_seconds_bucket{le="+Inf"} 3\nrpc_seconds_sum 0.5\nrpc_seconds_count 3\n',
  python:
    '# HELP python_info Python platform information\n# TYPE python_info gauge\npython_info{implementation="CPython",major="3",minor="12"} 1.0\n# HELP orders_created Orders\n# TYPE orders_created gauge\norders_created 1.7e+09\n',
  micrometer:
    '# HELP jvm_memory_used_bytes  \n# TYPE jvm_memory_used_bytes gauge\njvm_memory_used_bytes{area="heap",id="G1 Eden Space",} 1.2582912E7\njvm_threads_live_threads NaN\n',
  openmetrics:
    '# TYPE orders counter\n# UNIT orders \n# HELP orders Orders.\norders_total{a="b"} 17.0 1520879607.789 # {trace_id="x"} 0.67 1520879607.0\norders_created 1520430000.123\n# TYPE build info\nbuild_info{v="1"} 1\n# EOF\n',
  'hand-written': 'users 3\nqueue_length{queue="mail"} 12\nqueue_length{queue="sms"} 0\nuptime_seconds 1e3\n',
  'a word and a number': 'OK 200',
  'comments only': '# HELP orders Orders.\n# TYPE orders counter\n',
  'UTF-8 names': '# TYPE "http.requests" counter\n{"http.requests","http.method"="GET"} 1\n',
  HTML: '<!doctype html><title>x</title>\n',
  JSON: '{"status":"UP"}\n',
  'a word': 'OK\n',
  nothing: '',
};

const TYPES: readonly (string | undefined)[] = [
  TEXT,
  OPENMETRICS,
  undefined,
  'text/plain',
  'text/plain; version=1.0.0; escaping=allow-utf-8',
  'Text/PLAIN;charset=utf-8',
  'text/plain; version=0.0.4, charset=utf-8',
  'text/plain;;',
  'text/html; charset=utf-8',
  'application/json',
  'application/openmetrics-text',
  'application/openmetrics-text; version=2.0.0',
  'text/plain; version="0.0.4"',
  'text/plain; version=0.0.4; version=1.0.0',
  'application/octet-stream',
  'plain',
  'text/plain; charset',
];

function shapedPages(): AskedPage[] {
  return Object.entries(SHAPES).flatMap(([shape, page]) =>
    TYPES.map((type) => sends(`${shape} as ${type ?? 'no type'}`, ok(type, page))),
  );
}

const PAGE = SHAPES.go ?? '';

/** Answers that are unusual below the page: statuses, compression, framing, redirects, time. */
function oddAnswers(): AskedPage[] {
  const statuses = [
    201, 202, 203, 204, 206, 300, 304, 400, 401, 403, 404, 405, 406, 407, 410, 418, 421, 429, 500, 502, 503,
  ];
  const zipped = gzipSync(PAGE);
  const gzip = 'Content-Encoding: gzip';
  const type = `Content-Type: ${TEXT}`;
  return [
    ...statuses.map((status) =>
      sends(`status ${status}`, http(`${status} x`, [type], status === 204 || status === 304 ? '' : PAGE)),
    ),
    sends('gzip in two members', ok(TEXT, Buffer.concat([gzipSync('a 1\n'), gzipSync('b 1\n')]), gzip)),
    sends('gzip with bytes behind', ok(TEXT, Buffer.concat([zipped, Buffer.from('x')]), gzip)),
    sends('gzip with zeros behind', ok(TEXT, Buffer.concat([zipped, Buffer.alloc(8)]), gzip)),
    sends('gzip cut off', ok(TEXT, zipped.subarray(0, 60), gzip)),
    sends('gzip that is none', ok(TEXT, PAGE, gzip)),
    sends('gzip of no bytes', ok(TEXT, '', gzip)),
    sends('gzip of an empty page', ok(TEXT, gzipSync(''), gzip)),
    sends(
      'gzip with a wrong checksum',
      ok(
        TEXT,
        zipped.map((byte, at) => (at === zipped.length - 6 ? byte ^ 1 : byte)),
        gzip,
      ),
    ),
    sends('gzip in gzip', ok(TEXT, gzipSync(zipped), gzip)),
    sends('gzip that is not told', ok(TEXT, zipped)),
    sends('GZIP in capitals', ok(TEXT, zipped, 'Content-Encoding: GZIP')),
    sends('x-gzip', ok(TEXT, zipped, 'Content-Encoding: x-gzip')),
    sends('gzip, gzip', ok(TEXT, gzipSync(zipped), 'Content-Encoding: gzip, gzip')),
    sends('gzip told twice', ok(TEXT, zipped, gzip, gzip)),
    sends('zstd', ok(TEXT, PAGE, 'Content-Encoding: zstd')),
    sends('identity', ok(TEXT, PAGE, 'Content-Encoding: identity')),
    sends('deflate', ok(TEXT, PAGE, 'Content-Encoding: deflate')),
    sends('two types', ok('text/html', PAGE, type)),
    sends('two types, the first one right', ok(TEXT, PAGE, 'Content-Type: text/html')),
    sends('a type with blanks', ok(`  ${TEXT}  `, PAGE)),
    sends('an empty type', ok('', PAGE)),
    sends('HTTP/1.0 without length', `HTTP/1.0 200 OK\r\n${type}\r\n\r\n${PAGE}`),
    sends('HTTP/1.1 without length', `HTTP/1.1 200 OK\r\n${type}\r\n\r\n${PAGE}`),
    sends(
      'chunks',
      `HTTP/1.1 200 OK\r\n${type}\r\nTransfer-Encoding: chunked\r\n\r\n4\r\na 1\n\r\n4\r\nb 1\n\r\n0\r\n\r\n`,
    ),
    sends('chunks that break off', `HTTP/1.1 200 OK\r\n${type}\r\nTransfer-Encoding: chunked\r\n\r\n4\r\na 1\n\r\n`),
    sends('a length that is too long', `HTTP/1.1 200 OK\r\n${type}\r\nContent-Length: 100\r\n\r\na 1\n`),
    sends('a length that is too short', `HTTP/1.1 200 OK\r\n${type}\r\nContent-Length: 4\r\n\r\na 1\nb 1\n`),
    sends('a status without a reason', `HTTP/1.1 200\r\n${type}\r\nContent-Length: 4\r\n\r\na 1\n`),
    sends('an interim answer', `HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n${ok(TEXT, PAGE).toString()}`),
    sends('another protocol', '220 mail ESMTP\r\n'),
    sends('nothing', ''),
    sends('headers of 20 KiB', ok(TEXT, PAGE, `X: ${'x'.repeat(20_000)}`)),
    sends('5 MiB', ok(TEXT, 'a 1\n'.repeat(1_300_000))),
    sends('a line of 2 MiB', ok(TEXT, `a{b="${'x'.repeat(2_000_000)}"} 1\n`)),
    sends('a line of 900 KiB', ok(TEXT, `a{b="${'x'.repeat(900_000)}"} 1\n`)),
    sends('3 MiB', ok(TEXT, Array.from({ length: 100_000 }, (_, index) => `orders{number="${index}"} 1\n`).join(''))),
    sends('no line end at the end', ok(TEXT, 'a 1\nb 2')),
    sends('a byte order mark', ok(TEXT, '\uFEFFa 1\n')),
    sends('UTF-16', ok(TEXT, Buffer.from('a 1\n', 'utf16le'))),
    sends('a redirect elsewhere, to metrics', http('302 x', ['Location: /elsewhere?x=1'])),
    sends('a redirect with 303', http('303 x', ['Location: /elsewhere'])),
    sends('a redirect to itself', http('302 x', ['Location: .'])),
    sends('a redirect within the port', http('307 x', ['Location: /elsewhere'])),
    sends('two redirects', http('308 x', ['Location: /again'])),
    sends('a redirect without a place', http('302 x', [])),
    {
      what: 'the first byte after 6 s',
      slow: true,
      answer: (socket) => setTimeout(() => socket.end(ok(TEXT, PAGE)), 6000),
    },
    {
      what: 'a page that takes 12 s',
      slow: true,
      answer(socket) {
        socket.write(`HTTP/1.1 200 OK\r\n${type}\r\n\r\na 1\n`);
        setTimeout(() => socket.end('b 1\n'), 12_000);
      },
    },
    { what: 'no answer at all', slow: true, answer: () => undefined },
  ];
}

/** What paths beside the pages' own answer, by path; others are not there. */
export const FURTHER: Readonly<Record<string, Buffer>> = {
  '/elsewhere': ok(TEXT, PAGE),
  '/elsewhere?x=1': ok(TEXT, PAGE),
  '/again': http('307 x', ['Location: /elsewhere']),
};

/** The answer of a server that gives the same at every path. */
export const EVERYWHERE: readonly AskedPage[] = [
  sends('OK 200 at every path', ok('text/plain', 'OK 200')),
  sends('an empty page at every path', ok('text/html', '')),
  sends('metrics at every path', ok(TEXT, PAGE)),
  sends('HTML at every path', ok('text/html', '<html>')),
];

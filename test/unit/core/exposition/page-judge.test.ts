import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { MAX_LINE, judgePage } from '../../../../src/core/exposition/page-judge.ts';
import type { Format, PageFinding } from '../../../../src/core/exposition/page-judge.ts';
import { generatePage, seeded } from '../../../harness/asking/generated-pages.ts';

// What Prometheus 3 makes of each page, as its parsers do: test/cluster/asking.test.ts asks a real one about such pages.
type Row = readonly [what: string, format: Format, page: string, expected: 'up' | 'down', figure?: number];

const T = 'text';
const O = 'openmetrics';
const ROWS: readonly Row[] = [
  ['one sample', T, 'a 1\n', 'up', 1],
  ['a page without its last line end', T, 'a 1', 'up', 1],
  ['every sample counts, also one that was there before', T, 'a 1\na 1\nb{c="d"} 2 1395066363000\n', 'up', 3],
  ['nothing', T, '', 'up', 0],
  ['blank lines and comments only', T, '\n# x\n#\n# HELP\n \n', 'up', 0],
  ['a comment that begins like a HELP line', T, '# HELPFUL words\n# TYPEWRITER\n', 'up', 0],
  ['blanks wherever they may stand', T, ' a {\tb = "c" , d="e" , }\t1  2 \n', 'up', 1],
  ['labels without commas', T, 'a{b="c" d="e"} 1\n', 'up', 1],
  ['braces without labels', T, 'a{} 1\n', 'up', 1],
  ['no blank before the value', T, 'a{b="c"}1\n', 'up', 1],
  ['a line end within a value', T, 'a{b="c\nd"} 1\n', 'up', 1],
  ['a name in quotes', T, '{"a b",c="d"} 1\n', 'up', 1],
  ['a label name in quotes', T, 'a{"b c"="d"} 1\n', 'up', 1],
  ['values of every kind', T, 'a NaN\na +Inf\na -inf\na 1e-400\na .5\na 5.\n', 'up', 6],
  ['a NUL at a line start ends the page', T, 'a 1\n\u0000 nonsense', 'up', 1],
  ['NULs in a value', T, 'a{b="\u0000c\u0000"} 1\n', 'up', 1],
  ['a second TYPE line, which promtool refuses', T, '# TYPE a gauge\na 1\n# TYPE a gauge\na 2\n', 'up', 2],
  ['a metric that is described after its sample', T, 'a 1\n# TYPE a counter\n', 'up', 1],
  ['a label of the name itself, twice', T, 'a{b="c",b="d"} 1\n', 'down', 1],
  ['a label twice, in two spellings', T, 'a{b="c","b"="d"} 1\n', 'down', 1],
  ['a label twice, once empty: then it is not there', T, 'a{b="c",b=""} 1\n', 'up', 1],
  ['the name as a label', T, 'a{__name__="b"} 1\n', 'down', 1],
  ['the name as an empty label', T, 'a{__name__=""} 1\n', 'down', 1],
  ['an empty name in quotes', T, '{""} 1\n', 'down', 1],
  ['two names', T, 'a{"b"} 1\n', 'down', 1],
  ['no name', T, '{b="c"} 1\n', 'down', 1],
  ['text that is no metrics', T, 'OK\n', 'down', 1],
  ['text that could be a page', T, 'OK 200\n', 'up', 1],
  ['HTML', T, '<!doctype html>\n', 'down', 1],
  ['JSON', T, '{"status":"UP"}\n', 'down', 1],
  ['CRLF', T, '# HELP a b\r\n# TYPE a counter\r\na 1\r\n', 'down', 2],
  ['CRLF without descriptions', T, 'a 1\r\n', 'down', 1],
  ['a TYPE with a blank behind it', T, '# TYPE a counter \na 1\n', 'down', 1],
  ['a TYPE of OpenMetrics', T, '# TYPE a info\na_info{b="c"} 1\n', 'down', 1],
  ['an exemplar', T, 'a 1\nb_bucket{le="1"} 1 # {t="x"} 1\n', 'down', 2],
  ['a value out of range', T, 'a 1e400\n', 'down', 1],
  ['a hexadecimal value', T, 'a 0x1p3\n', 'down', 1],
  ['a value with underscores', T, 'a 1_000\n', 'down', 1],
  ['a negative timestamp', T, 'a 1 -5\n', 'down', 1],
  ['the last timestamp that fits', T, 'a 1 9223372036854775807\n', 'up', 1],
  ['the first that does not', T, 'a 1 9223372036854775808\n', 'down', 1],
  ['a timestamp in seconds with a fraction', T, 'a 1 1395066363.1\n', 'down', 1],
  ['a value that is not closed', T, 'a{b="c} 1\nd 1\n', 'down', 1],
  ['a value that is not UTF-8', T, 'a{b="\u00ff"} 1\n', 'down', 1],
  ['a byte order mark', T, '\u00ef\u00bb\u00bfa 1\n', 'down', 1],
  ['gzip', T, '\u001f\u008b\u0008', 'down', 1],

  ['one sample', O, 'a 1\n# EOF\n', 'up', 1],
  ['an end without a line end', O, 'a 1\n# EOF', 'up', 1],
  ['nothing', O, '', 'up', 0],
  ['the end only', O, '# EOF\n', 'up', 0],
  ['a float as timestamp', O, 'a 1 1395066363.5\n# EOF\n', 'up', 1],
  ['an exemplar with a time', O, 'a_bucket{le="1"} 1 # {t="x"} 0.5 1395066363.5\n# EOF\n', 'up', 1],
  ['an exemplar behind a timestamp', O, 'a_total 1 5 # {} 1\n# EOF\n', 'up', 1],
  ['all types', O, '# TYPE a info\n# TYPE b stateset\n# TYPE c gaugehistogram\n# TYPE d unknown\n# EOF\n', 'up', 0],
  ['a counter without _total, which the specification forbids', O, '# TYPE a counter\na 1\n# EOF\n', 'up', 1],
  ['a unit', O, '# UNIT a_seconds seconds\na_seconds 1\n# EOF\n', 'up', 1],
  ['a unit that is not the suffix', O, '# UNIT a_seconds bytes\n# EOF\n', 'down', 1],
  ['no end', O, 'a 1\n', 'down', 2],
  ['something behind the end', O, 'a 1\n# EOF\n\n', 'down', 3],
  ['a comment', O, '# a comment\n# EOF\n', 'down', 1],
  ['a blank line', O, '\n# EOF\n', 'down', 1],
  ['two blanks', O, 'a  1\n# EOF\n', 'down', 1],
  ['a blank at the end', O, 'a 1 \n# EOF\n', 'down', 1],
  ['a blank in the braces', O, 'a{b="c", d="e"} 1\n# EOF\n', 'down', 1],
  ['labels without a comma', O, 'a{b="c"d="e"} 1\n# EOF\n', 'down', 1],
  ['a line end within a value', O, 'a{b="c\nd"} 1\n# EOF\n', 'down', 1],
  ['a type of the older format', O, '# TYPE a untyped\n# EOF\n', 'down', 1],
  ['a HELP without its string', O, '# HELP a\n# EOF\n', 'down', 1],
  ['a timestamp that is no number', O, 'a 1 NaN\n# EOF\n', 'down', 1],
  ['an exemplar that is named', O, 'a 1 # {"b"} 1\n# EOF\n', 'down', 1],
];

/** The finding on a page that comes in pieces of the given sizes, used over and over. */
function judge(format: Format, page: Uint8Array, sizes: readonly number[] = [page.length]): PageFinding {
  const judge = judgePage(format);
  for (let at = 0, turn = 0; at < page.length; turn++) {
    const size = Math.max(1, sizes[turn % sizes.length] ?? 1);
    judge.feed(page.subarray(at, at + size));
    at += size;
  }
  return judge.end();
}

function bytes(page: string): Uint8Array {
  return Buffer.from(page, 'latin1');
}

for (const [what, format, page, expected, figure = 0] of ROWS) {
  test(`${format}: ${what} is ${expected}`, () => {
    const { valid, line, series } = judge(format, bytes(page));
    assert.deepEqual(valid ? ['up', series] : ['down', line], [expected, figure]);
  });
}

test('how the bytes come in changes nothing', () => {
  fc.assert(
    fc.property(
      fc.integer(),
      fc.constantFrom<Format>(T, O),
      fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 5 }),
      (seed, format, sizes) => {
        const page = generatePage(seeded(seed), format);
        assert.deepEqual(judge(format, page, sizes), judge(format, page));
      },
    ),
    { numRuns: 2000 },
  );
});

test('no bytes make it throw, and a page is never valid and invalid at once', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.constantFrom<Format>(T, O), (page, format) => {
      const { valid, line } = judge(format, page, [7]);
      assert.equal(valid, line === undefined);
    }),
    { numRuns: 2000 },
  );
});

test('the complete lines decide about a page that was cut off, and a missing end does not count', () => {
  const judgements = (['a 1\nb{c="', 'a 1\nb x\nc 1', 'a 1\n'] as const).flatMap((page) =>
    [T, O].map((format) => {
      const judge = judgePage(format as Format);
      judge.feed(bytes(page));
      const { valid, series } = judge.cutOff();
      return [valid, series];
    }),
  );
  assert.deepEqual(judgements, [
    [true, 1],
    [true, 1],
    [false, 1],
    [false, 1],
    [true, 1],
    [true, 1],
  ]);
});

function lineOf(length: number): Uint8Array {
  return bytes(`a{b="${'x'.repeat(length - 'a{b=""} 1\n'.length)}"} 1\n`);
}

test('a line of up to 1 MiB is judged, and a longer one refused, however it comes in', () => {
  for (const sizes of [[MAX_LINE + 1], [1000], [65_536, 3]]) {
    assert.deepEqual(
      [MAX_LINE, MAX_LINE + 1]
        .map((length) => judge(T, lineOf(length), sizes))
        .map(({ valid, tooLong }) => [valid, tooLong]),
      [
        [true, false],
        [false, true],
      ],
    );
  }
});

test('a value that is never closed is read once, though its bytes come one by one', () => {
  // Reading it from its start for each byte would be 500,000,000,000 steps: this test would not end.
  const judge = judgePage(T);
  const byte = bytes('\n');
  judge.feed(bytes('a{b="'));
  for (let count = 0; count < MAX_LINE; count++) judge.feed(byte);
  assert.equal(judge.end().tooLong, true);
});

test('memory does not grow with the page, nor with a line', () => {
  const before = process.memoryUsage().arrayBuffers;
  for (const piece of [bytes('a{b="c"} 1\n'.repeat(6000)), bytes('x'.repeat(64 * 1024))]) {
    const judge = judgePage(T);
    for (let count = 0; count < 500; count++) judge.feed(piece);
    judge.end();
  }
  const grown = process.memoryUsage().arrayBuffers - before;
  assert.ok(grown < 16 * 1024 * 1024, `${grown} bytes after pages of 32 MiB`);
});

test('tells a TYPE line that its sample follows from words that happen to be valid', () => {
  const rows = [
    ['# TYPE a counter\na 1\n', true],
    ['# TYPE a counter\n# HELP a b\na_total 1\n', true],
    ['# TYPE a histogram\na_bucket{le="1"} 1\n', true],
    ['# TYPE a counter\nb 1\n', false],
    ['# TYPE a counter\nab 1\n', false],
    ['a 1\n# TYPE a counter\n', false],
    ['OK 200\n', false],
  ] as const;
  for (const [page, expected] of rows) assert.equal(judge(T, bytes(page)).typed, expected, page);
});

test("tells metrics of the client library from the application's", () => {
  const rows = [
    ['go_goroutines 1\nprocess_cpu_seconds_total 1\npromhttp_metric_handler_requests_total 1\n', false],
    ['jvm_threads 1\npython_info 1\nnodejs_version_info 1\ntarget_info 1\ndotnet_x 1\n', false],
    ['go_goroutines 1\ngold_total 1\n', true],
    ['# TYPE orders counter\n', false],
  ] as const;
  for (const [page, expected] of rows) assert.equal(judge(T, bytes(page)).beyondRuntime, expected, page);
});

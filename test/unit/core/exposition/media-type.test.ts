import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readMediaType } from '../../../../src/core/exposition/media-type.ts';

// The answers are those of Go's mime.ParseMediaType, which Prometheus uses.
const ROWS: readonly (readonly [string | undefined, string])[] = [
  [undefined, 'blank'],
  ['', 'blank'],
  [' ', 'unreadable'],
  ['text/plain', 'text'],
  ['TEXT/Plain; charset=UTF-8', 'text'],
  [' text/plain ', 'text'],
  ['text/plain;', 'text'],
  ['text/plain ; ', 'text'],
  ['text/plain;;', 'unreadable'],
  ['text/plain; version=0.0.4; charset=utf-8; escaping=underscores', 'text 0.0.4'],
  ['text/plain; version=0.0.4, charset=utf-8', 'unreadable'],
  ['text/plain; version="0.0.4"', 'text 0.0.4'],
  ['text/plain; version="0.0.4', 'unreadable'],
  ['text/plain; version = 0.0.4', 'text 0.0.4'],
  ['text/plain; version=', 'unreadable'],
  ['text/plain; version=""', 'text'],
  ['text/plain; version', 'unreadable'],
  ['text/plain; version=0.0.4; version=0.0.4', 'text 0.0.4'],
  ['text/plain; version=0.0.4; version=1.0.0', 'unreadable'],
  ['text/plain; version=0.0.4; VERSION=1.0.0', 'unreadable'],
  ['text/plain; a="b;c\\"d"; version=1.0.0', 'text 1.0.0'],
  ['text/plain charset=utf-8', 'unreadable'],
  ['text/plain, text/plain', 'unreadable'],
  ['text/', 'unreadable'],
  ['/plain', 'unreadable'],
  ['text', 'none'],
  ['text/plain/x', 'unreadable'],
  ['text/html', 'none'],
  ['application/json; charset=utf-8', 'none'],
  ['application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited', 'none'],
  ['application/openmetrics-text', 'openmetrics'],
  ['application/openmetrics-text; version=1.0.0; charset=utf-8', 'openmetrics 1.0.0'],
  ['application/openmetrics-text; version=2.0.0', 'none 2.0.0'],
];

for (const [header, expected] of ROWS) {
  test(`the Content-Type ${JSON.stringify(header ?? null)} is ${expected}`, () => {
    const type = readMediaType(header);
    const said =
      type.kind === 'read' ? [type.format ?? 'none', type.version].filter((word) => word !== '').join(' ') : type.kind;
    assert.equal(said, expected);
  });
}

import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { judgeAnswer } from '../../../../src/core/ask/answer-judge.ts';
import { VERDICTS } from '../../../../src/core/ask/verdict.ts';
import type { Verdict } from '../../../../src/core/ask/verdict.ts';

/** Every text that a verdict may hold: nothing that comes from a server is among them. */
const OWN_WORDS: readonly unknown[] = [
  ...Object.keys(VERDICTS),
  ...'text openmetrics blank unreadable other page line headers'.split(' '),
];

function verdictOn(status: number, contentType: string | undefined, body: readonly Uint8Array[]): readonly Verdict[] {
  return (['end', 'cutOff', 'damaged'] as const).map((ending) => {
    const judge = judgeAnswer({ status, contentType, fromLinkerd: false });
    for (const chunk of body) judge.feed(chunk);
    return judge[ending]();
  });
}

test('whatever a server answers, the verdict holds numbers and words of ours', () => {
  const words = '# TYPE a counter\n|a{b="c"} 1\n|# EOF\n|<html>|{"a":1}|OK 200|\0|\xff|RBAC: access denied'.split('|');
  const chunk = fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc.constantFrom(...words).map((word) => Buffer.from(word, 'latin1')),
  );
  const types = ['text/plain', 'text/plain; version=0.0.4', 'application/openmetrics-text', 'text/html', undefined];
  fc.assert(
    fc.property(
      fc.oneof(fc.constant(200), fc.integer({ min: 100, max: 599 })),
      fc.oneof(fc.constantFrom(...types), fc.string()),
      fc.array(chunk, { maxLength: 6 }),
      (status, type, body) => {
        for (const verdict of verdictOn(status, type, body)) {
          for (const value of Object.values(verdict)) {
            assert.ok(typeof value !== 'string' || OWN_WORDS.includes(value), JSON.stringify(verdict));
            assert.ok(typeof value !== 'object', JSON.stringify(verdict));
          }
        }
      },
    ),
    { numRuns: 2000 },
  );
});

test('only a status of 200 is ever metrics', () => {
  const page = [Buffer.from('# TYPE a counter\na 1\n')];
  for (let status = 100; status < 600; status++) {
    const [verdict] = verdictOn(status, 'text/plain; version=0.0.4', page);
    assert.equal(verdict?.key === 'metrics', status === 200, String(status));
  }
});

test('a page that is larger than what is read is never metrics, nor one whose compression is damaged', () => {
  const [whole, ...others] = verdictOn(200, 'text/plain; version=0.0.4', [Buffer.from('# TYPE a counter\na 1\n')]);
  assert.equal(whole?.key, 'metrics');
  assert.deepEqual(
    others.map(({ key }) => key),
    ['too_large', 'invalid_at_line'],
  );
});

test('which of two formats a page is in, is found where its type does not say', () => {
  const pages = ['# TYPE a info\na_info{b="c"} 1\n# EOF\n', '# a comment\na 1\nb 1\nc 1\n', 'a 1\n'];
  assert.deepEqual(
    pages.map((page) => verdictOn(200, undefined, [Buffer.from(page)])[0]?.key),
    ['wrong_content_type', 'wrong_content_type', 'other_text'],
  );
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseVersionRange } from '../../../../src/core/rules/version-range.ts';

function includes(range: string, tag: string): boolean | undefined {
  const parsed = parseVersionRange(range);
  assert.ok(parsed.ok);
  return parsed.value.includes(tag);
}

const TAGS: readonly (readonly [range: string, tag: string, want: boolean | undefined])[] = [
  ['<3.6', 'v3.5.12', true],
  ['<3.6', '3.6.0-rc1', false],
  ['<3.6', '3.10', false],
  ['<3.6', '2', true],
  ['<3.6', '3', undefined],
  ['>=3.6', '4', true],
  ['>=3.6', '3.6', true],
  ['>=3', '3', true],
  ['>=3.0', '3', true],
  ['>=1.2 <2', '1.2.0-debian-12-r3', true],
  ['>=1.2 <2', '2.0.0', false],
  ['>=1.2 <2', '1', undefined],
  ...['', 'latest', 'sha-3.5', '1a2b3c4', '12345678', '3.5_fix', '3.5.x', `3.${'1'.repeat(200)}`].map(
    (tag) => ['<3.6', tag, undefined] as const,
  ),
];

for (const [range, tag, want] of TAGS) {
  test(`the tag "${tag.slice(0, 20)}" is in ${range}: ${want}`, () => {
    assert.equal(includes(range, tag), want);
  });
}

test('a range that cannot be read is refused with an example', () => {
  for (const text of ['', '3.6', '=3.6', '>3.6', '>=3.6.1.2', '>=3.6  <4', '>=latest']) {
    const parsed = parseVersionRange(text);
    assert.match(parsed.ok ? '' : parsed.error, />=1\.2 <2/, text);
  }
});

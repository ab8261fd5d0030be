import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { RE2JS } from 're2js';
import { compilePattern } from '../../../../src/core/rules/re2-pattern.ts';
import type { Pattern } from '../../../../src/core/rules/re2-pattern.ts';
import { startWork } from '../../../../src/core/step-budget.ts';

function compiled(source: string): Pattern {
  const pattern = compilePattern(source);
  assert.ok(pattern.ok, source);
  return pattern.value;
}

function whyInvalid(source: string): string {
  const pattern = compilePattern(source);
  assert.ok(!pattern.ok, source);
  return pattern.error;
}

test('a pattern is anchored at both ends, as in Prometheus relabelling', () => {
  const pattern = compiled('metrics|telemetry');
  assert.ok(pattern.matches('metrics', startWork()));
  assert.ok(!pattern.matches('http-metrics', startWork()));
  assert.ok(!pattern.matches('metrics2', startWork()));
});

test('a named group is returned, and one that took no part is absent', () => {
  const pattern = compiled('--a=(?P<host>[^:]+)?:(?P<port>[0-9]+)');
  assert.deepEqual(pattern.groups('--a=:80', startWork()), new Map([['port', '80']]));
  assert.deepEqual(
    pattern.groups('--a=h:80', startWork()),
    new Map([
      ['host', 'h'],
      ['port', '80'],
    ]),
  );
  assert.equal(pattern.groups('--b=:80', startWork()), undefined);
});

test('what is no RE2 is refused in a sentence that says why', () => {
  assert.match(whyInvalid('[a-'), /not an RE2 pattern/);
  assert.match(whyInvalid('(?=x)'), /no look-around/);
  assert.match(whyInvalid(String.raw`(a)\1`), /no back-references/);
  assert.match(whyInvalid('x'.repeat(2000)), /more than 1024 characters/);
});

test('a hostile text costs linear time: a thousand times the length, no more than ten thousand times the work', () => {
  const pattern = compiled('(a*)*b');
  // Backtracking would need 2^40 steps; if this test ends, none took place.
  assert.equal(pattern.matches('a'.repeat(40), startWork()), false);
  assert.equal(pattern.matches('a'.repeat(20_000), startWork()), false);
});

const atom = fc.constantFrom(
  'a',
  'b',
  '-',
  'ab',
  '.',
  '.*',
  'a?',
  'b*',
  'a+',
  '(a|b)',
  '(?:ab|a)?',
  '(a.|b)',
  '[ab]',
  String.raw`\.`,
  '(a+)',
  'a{2}',
  'b{0,2}',
  '(?i:a)',
  '(a|)',
);
const sources = fc
  .array(fc.oneof(atom, fc.constant('|')), { minLength: 1, maxLength: 6 })
  .map((parts) => parts.join(''));
const texts = fc.stringMatching(/^[abAB.-]{0,6}$/);

test('a separator that may be missing does not double the literals that are searched for', () => {
  const { required } = compiled('.*(metrics|prom)[-._]?[a-z]*=.*');
  assert.deepEqual(required, ['metrics', 'prom']);
});

test('literals read off a pattern never change what it matches', () => {
  fc.assert(
    fc.property(sources, texts, (source, text) => {
      const expected = RE2JS.compile(source).matches(text);
      assert.equal(compiled(source).matches(text, startWork()), expected);
      assert.equal(compiled(source).groups(text, startWork()) !== undefined, expected);
    }),
    { numRuns: 5000 },
  );
});

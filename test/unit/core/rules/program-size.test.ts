import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { RE2JS } from 're2js';
import { programSize } from '../../../../src/core/rules/program-size.ts';
import { readShipped } from '../../../../src/rules/shipped.ts';

const TOKENS = [
  ['a', 'b-', '.', '.*', '[ab]', '[^]a]', '[[:alpha:]x]', '[a-', ']', '^', '$', '|', ',', 'é', '😀'],
  ['(', ')', '()', '(|)', '(?:', '(?P<x>a)', '(?<y>a)', '(?i:k)', '(?i)', '(?s-i)'],
  ['{3}', '{30}', '{0}', '{0,4}', '{2,}', '{5,1}', '{,3}', '{', '}', '*', '+', '?', '??'],
  [String.raw`\.`, String.raw`\d`, String.raw`\b`, String.raw`\pL`, String.raw`\p{Greek}`, String.raw`[\pL\pN]`],
  [String.raw`\x{41}`, String.raw`\x41`, String.raw`\101`, String.raw`\Qa{3}\E`, String.raw`\Qa(`, '\\'],
];
const token = fc.constantFrom(...TOKENS.flat());

test('a program never has more instructions than were counted from its source', () => {
  let compiled = 0;
  fc.assert(
    fc.property(fc.array(token, { minLength: 1, maxLength: 10 }), (tokens) => {
      const source = tokens.join('');
      const size = programSize(source);
      let pattern: RE2JS;
      try {
        pattern = RE2JS.compile(source);
      } catch {
        return;
      }
      compiled++;
      assert.ok(pattern.programSize() <= size, `${source}: ${size}, and ${pattern.programSize()} when compiled`);
    }),
    { numRuns: 5000 },
  );
  assert.ok(compiled > 1000, 'too few of the patterns were valid');
});

test('the shipped patterns have about as many instructions as were counted', () => {
  const patterns = readShipped().defaults.rules.flatMap(({ when, unless }) =>
    [when.argument, when.env, when.setting, when.portName, unless?.argument, unless?.setting].filter(
      (pattern) => pattern !== undefined,
    ),
  );
  const counted = patterns.reduce((sum, pattern) => sum + programSize(pattern), 0);
  const compiled = patterns.reduce((sum, pattern) => sum + RE2JS.compile(pattern).programSize(), 0);
  assert.ok(compiled > 2000);
  assert.ok(counted < 1.25 * compiled, `${counted} counted, ${compiled} compiled`);
});

test('a Unicode class counts once for all its copies', () => {
  const once = programSize(String.raw`\pL`);
  assert.ok(once > 64);
  assert.ok(programSize(String.raw`\pL{100}`) < once + 110);
  assert.ok(programSize(String.raw`[\x{100}-\x{2000}]`) > 64);
});

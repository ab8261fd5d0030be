import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { isLike } from '../../../../src/core/rules/glob.ts';
import { startWork } from '../../../../src/core/step-budget.ts';

const glob = fc.array(fc.constantFrom('*', 'a', 'b', '-', '.'), { maxLength: 8 }).map((parts) => parts.join(''));
const text = fc.array(fc.constantFrom('a', 'b', '-', '.', 'c'), { maxLength: 12 }).map((parts) => parts.join(''));

test('a glob matches what the regular expression does that says the same', () => {
  fc.assert(
    fc.property(glob, text, (pattern, name) => {
      const expression = new RegExp(`^${pattern.replaceAll('.', String.raw`\.`).replaceAll('*', '.*')}$`);
      assert.equal(isLike(pattern, name, startWork()), expression.test(name));
    }),
    { numRuns: 5000 },
  );
});

test('however many stars a glob has, its steps are at most the product of both lengths', () => {
  for (const pattern of ['*-*-*-exporter', '*-*-*x', '*a*a*a*a*a*a*b', `*${'a'.repeat(60)}b`]) {
    for (const unit of ['a-', 'a', '-']) {
      const name = unit.repeat(4096 / unit.length);
      const work = startWork(1e9);
      assert.equal(isLike(pattern, name, work), false);
      assert.ok(1e9 - work.left <= 2 * pattern.length * name.length, `${pattern}: ${1e9 - work.left}`);
    }
  }
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { remembered } from '../../harness/pods/remembered.ts';

test('with one seed, a remembered arbitrary makes each value once, and another seed makes others', () => {
  const numbers = remembered(fc.record({ number: fc.nat() }));
  const seen = (seed: number): readonly object[] => {
    const values: object[] = [];
    fc.assert(
      fc.property(numbers, (value) => void values.push(value)),
      { numRuns: 100, seed },
    );
    return values;
  };
  const first = seen(1);
  for (const [index, value] of seen(1).entries()) assert.equal(value, first[index]);
  assert.notDeepEqual(seen(2), first);
});

test('a remembered value that breaks a promise is reduced as any other, and its seed and path lead to it again', () => {
  const numbers = remembered(fc.record({ number: fc.nat() }));
  const isSmall = fc.property(numbers, ({ number }) => number < 1000);
  fc.check(
    fc.property(numbers, () => true),
    { seed: 1 },
  );
  const { counterexample, seed, counterexamplePath } = fc.check(isSmall, { seed: 1 });
  assert.deepEqual(counterexample, [{ number: 1000 }]);
  const afresh = fc.property(remembered(fc.record({ number: fc.nat() })), ({ number }) => number < 1000);
  assert.deepEqual(fc.check(afresh, { seed, path: counterexamplePath ?? '' }).counterexample, counterexample);
});

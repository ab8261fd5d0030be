import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decide } from '../../../src/core/decide.ts';
import { publicPart, readFixtures } from '../../harness/pods/fixtures.ts';

for (const { name, pod, rules, mesh, want } of readFixtures()) {
  test(`fixture ${name} is decided as its want.json says`, () => {
    assert.deepEqual(publicPart(decide(pod, rules, { mesh })), want);
  });
}

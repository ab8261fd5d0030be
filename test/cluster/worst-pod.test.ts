import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultRules } from '../../src/rules/shipped.ts';
import { describe, searchWorstPod } from '../harness/pods/worst-pod.ts';

// The long run of test/unit/core/worst-pod.test.ts, from a seed of its own each time. It needs no cluster.

const HILLS = 200;

test('no pod that a long search finds costs more than a decision may', (t) => {
  const seed = Number(process.env['WORST_POD_SEED'] ?? Date.now() % 2 ** 31);
  const { tried, mostSteps, mostTime, millisecondsAMillion, faults } = searchWorstPod(defaultRules(), seed, HILLS);
  t.diagnostic(`${tried} pods, seed ${seed}; a million steps take ${millisecondsAMillion.toFixed(1)} ms of CPU`);
  t.diagnostic(`most steps: ${describe(mostSteps)}`);
  t.diagnostic(`most time: ${describe(mostTime)}`);
  assert.deepEqual(faults, []);
});

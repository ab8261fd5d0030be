import assert from 'node:assert/strict';
import test from 'node:test';
import { Registry } from '@prometheus-io/client';
import { startCount } from '../../../src/sample/count.ts';

test('three steps are 0.3, without rounding errors', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const registry = new Registry();
  const count = startCount(registry, () => 250);
  t.mock.timers.tick(250);
  t.mock.timers.tick(250);
  t.mock.timers.tick(250);
  assert.equal(count.value(), 0.3);
  assert.match(await registry.metrics(), /^count_total 0\.3$/m);
  count.stop();
});

test('pauses are random and shorter than a second', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const count = startCount(new Registry());
  const pauses = new Set<number>();
  for (let now = 0, value = 0, last = 0; now < 20_000; now += 1) {
    t.mock.timers.tick(1);
    if (count.value() === value) continue;
    pauses.add(now - last);
    value = count.value();
    last = now;
  }
  count.stop();
  assert.ok(pauses.size > 10, `${pauses.size} different pauses`);
  assert.ok(Math.max(...pauses) <= 1000);
});

test('a stopped counter no longer grows', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const count = startCount(new Registry(), () => 100);
  t.mock.timers.tick(100);
  count.stop();
  t.mock.timers.tick(10_000);
  assert.equal(count.value(), 0.1);
});

import assert from 'node:assert/strict';
import test from 'node:test';
import { createBell } from '../../src/reconcile/bell.ts';
import { createPace } from '../../src/reconcile/pace.ts';
import { createBackoff } from '../../src/reconcile/pause.ts';
import { createQueue } from '../../src/reconcile/queue.ts';

const { signal } = new AbortController();

test('the queue gives each pod once, first come, first served, and says when nothing waits', async () => {
  const queue = createQueue();
  assert.equal(queue.isEmpty(), true);
  for (const key of ['a', 'b', 'a']) queue.add(key, 0);
  assert.deepEqual([await queue.next(signal), await queue.next(signal)], ['a', 'b']);
  assert.equal(queue.isEmpty(), true);
});

test('a pod that waits for its next try keeps its time, whatever happens to it meanwhile', async () => {
  const queue = createQueue();
  queue.add('late', 30);
  queue.add('late', 0);
  queue.add('now', 0);
  assert.equal(await queue.next(signal), 'now');
  assert.equal(queue.isEmpty(), false);
  assert.equal(await queue.next(signal), 'late');
});

test('who waits at an empty queue is let go by the signal', async () => {
  const stop = new AbortController();
  const waiting = createQueue().next(stop.signal);
  stop.abort();
  assert.equal(await waiting, undefined);
});

test('a bell that rang while nobody waited lets the next one through at once', async () => {
  const bell = createBell();
  bell.ring();
  await bell.wait(60_000, signal);
  let isOver = false;
  const waiting = bell.wait(60_000, signal).then(() => {
    isOver = true;
  });
  await Promise.resolve();
  assert.equal(isOver, false, 'one ring is for one wait');
  bell.ring();
  await waiting;
});

test('turns are spaced evenly, and unused ones are not saved up', async () => {
  let now = 0;
  const waits: number[] = [];
  const pace = createPace(
    10,
    () => now,
    async (milliseconds) => {
      waits.push(milliseconds);
      now += milliseconds;
    },
  );
  for (let turn = 0; turn < 3; turn += 1) await pace.turn(signal);
  now += 10_000;
  for (let turn = 0; turn < 2; turn += 1) await pace.turn(signal);
  pace.hold(5000);
  await pace.turn(signal);
  assert.deepEqual(waits, [100, 100, 100, 5000]);
});

test('waiting times double, up to the longest, a third shorter at most, and begin anew after a success', () => {
  const backoff = createBackoff(100, 1000);
  for (const whole of [100, 200, 400, 800, 1000, 1000]) {
    const time = backoff.next();
    assert.ok(time <= whole && time >= (whole * 2) / 3, `${time} of ${whole}`);
  }
  backoff.reset();
  assert.ok(backoff.next() <= 100);
});

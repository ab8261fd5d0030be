import assert from 'node:assert/strict';
import test from 'node:test';
import { createWakeUp } from '../../../src/kube/wake-up.ts';
import { createRateLimiter } from '../../../src/kube/rate-limiter.ts';
import { createBackoff } from '../../../src/kube/retry.ts';
import { createSemaphore } from '../../../src/kube/semaphore.ts';
import { createWorkQueue } from '../../../src/kube/work-queue.ts';
import type { WorkQueue } from '../../../src/kube/work-queue.ts';

const { signal } = new AbortController();

/** Takes everything that can be taken, as `group/name`. */
function takeAll(queue: WorkQueue): string[] {
  const taken: string[] = [];
  for (let item = queue.take(); item !== undefined; item = queue.take()) taken.push(`${item.group}/${item.name}`);
  return taken;
}

function add(queue: WorkQueue, group: string, names: readonly string[], isRetry = false): void {
  for (const name of names) queue.add({ group, name, isRetry });
}

test('each item is taken once, and groups take turns', () => {
  const queue = createWorkQueue();
  add(queue, 'a', ['1', '2', '3', '2']);
  add(queue, 'b', ['1']);
  add(queue, 'c', ['1', '2']);
  assert.deepEqual(takeAll(queue), ['a/1', 'b/1', 'c/1', 'a/2', 'c/2', 'a/3']);
  add(queue, 'a', ['1']);
  assert.deepEqual(takeAll(queue), ['a/1']);
});

test('a first attempt waits for at most one item of each group with first attempts, however many retries wait', () => {
  const queue = createWorkQueue();
  const many = Array.from({ length: 1000 }, (_, index) => String(index));
  add(queue, 'refused', many, true);
  add(queue, 'large', many);
  for (let turn = 0; turn < 500; turn += 1) queue.take();
  add(queue, 'new', ['pod']);
  const taken = takeAll(queue);
  assert.ok(taken.indexOf('new/pod') <= 1, `turn ${taken.indexOf('new/pod')}`);
  assert.equal(taken.length, 1501);
  assert.ok(taken.slice(501).every((item) => item.startsWith('refused/')));
});

test('an item is not added a second time, neither as a retry nor as a first attempt', () => {
  const queue = createWorkQueue();
  add(queue, 'a', ['1']);
  add(queue, 'a', ['1'], true);
  assert.equal(queue.hasFirstAttempts(), true);
  assert.deepEqual(takeAll(queue), ['a/1']);
  add(queue, 'a', ['1'], true);
  add(queue, 'a', ['1']);
  assert.equal(queue.hasFirstAttempts(), false);
  assert.deepEqual(takeAll(queue), ['a/1']);
});

test('an item with a delay keeps its time when it is added again', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const queue = createWorkQueue();
  queue.addLater('a', 'late', 30);
  queue.addLater('a', 'late', 10);
  add(queue, 'a', ['late', 'now']);
  assert.deepEqual(takeAll(queue), ['a/now']);
  t.mock.timers.tick(29);
  assert.deepEqual(takeAll(queue), []);
  t.mock.timers.tick(1);
  assert.deepEqual(queue.take(), { group: 'a', name: 'late', isRetry: true });
});

test('a paused group keeps its items back, and others go on', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const queue = createWorkQueue();
  add(queue, 'a', ['1', '2']);
  add(queue, 'b', ['1']);
  queue.pause('a', 50);
  assert.deepEqual(takeAll(queue), ['b/1']);
  assert.equal(queue.hasFirstAttempts(), true);
  let isReady = false;
  const waiting = queue.wait(signal).then(() => {
    isReady = true;
  });
  await Promise.resolve();
  assert.equal(isReady, false);
  t.mock.timers.tick(50);
  await waiting;
  assert.deepEqual(takeAll(queue), ['a/1', 'a/2']);
});

test('a dropped group has no items, delays or pauses left', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const queue = createWorkQueue();
  add(queue, 'a', ['1']);
  add(queue, 'a', ['2'], true);
  queue.addLater('a', '3', 10);
  queue.pause('a', 60_000);
  queue.drop('a');
  t.mock.timers.tick(10);
  assert.deepEqual([takeAll(queue), queue.hasFirstAttempts()], [[], false]);
  add(queue, 'a', ['4']);
  assert.deepEqual(takeAll(queue), ['a/4']);
});

test('the signal ends a wait on an empty queue', async () => {
  const stop = new AbortController();
  const waiting = createWorkQueue().wait(stop.signal);
  stop.abort();
  await waiting;
});

test('a semaphore limits how many run at a time, in order, also after failures', async () => {
  const semaphore = createSemaphore(2);
  const ends: (() => void)[] = [];
  const started: number[] = [];
  const work = (index: number) =>
    semaphore.run(async () => {
      started.push(index);
      await new Promise<void>((resolve) => ends.push(resolve));
      if (index === 0) throw new Error('failed');
    });
  const all = Promise.allSettled([0, 1, 2, 3].map(work));
  assert.deepEqual(started, [0, 1]);
  ends[0]?.();
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(started, [0, 1, 2]);
  for (let index = 1; index < 4; index += 1) {
    ends[index]?.();
    await new Promise((resolve) => setImmediate(resolve));
  }
  await all;
  assert.deepEqual(started, [0, 1, 2, 3]);
});

test('a wake-up before the wait ends the next wait at once', async () => {
  const wakeUp = createWakeUp();
  wakeUp.wake();
  await wakeUp.wait(60_000, signal);
  let isOver = false;
  const waiting = wakeUp.wait(60_000, signal).then(() => {
    isOver = true;
  });
  await Promise.resolve();
  assert.equal(isOver, false, 'one wake-up ends one wait');
  wakeUp.wake();
  await waiting;
});

test('a rate limiter spaces requests evenly, does not save up unused turns, and pauses', async () => {
  let now = 0;
  const waits: number[] = [];
  const limiter = createRateLimiter(
    10,
    () => now,
    async (milliseconds) => {
      waits.push(milliseconds);
      now += milliseconds;
    },
  );
  for (let turn = 0; turn < 3; turn += 1) await limiter.wait(signal);
  now += 10_000;
  for (let turn = 0; turn < 2; turn += 1) await limiter.wait(signal);
  limiter.pauseFor(5000);
  await limiter.wait(signal);
  assert.deepEqual(waits, [100, 100, 100, 5000]);
});

test('backoff delays double up to the longest, are up to a third shorter, and start again after a reset', () => {
  const backoff = createBackoff(100, 1000);
  for (const whole of [100, 200, 400, 800, 1000, 1000]) {
    const time = backoff.next();
    assert.ok(time <= whole && time >= (whole * 2) / 3, `${time} of ${whole}`);
  }
  backoff.reset();
  assert.ok(backoff.next() <= 100);
});

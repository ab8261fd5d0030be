import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PortAsked } from '../../../src/ask/ask-port.ts';
import type { Verdict } from '../../../src/core/ask/verdict.ts';
import { createAskMemory } from '../../../src/reconcile/remembered-answers.ts';
import type { AskMemory, AskMemoryLimits, Workload } from '../../../src/reconcile/remembered-answers.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

const METRICS: Verdict = { key: 'metrics', format: 'text', series: 10, beyondRuntime: true, sure: true };
const RUNTIME: Verdict = { ...METRICS, beyondRuntime: false };
const HTML: Verdict = { key: 'html' };
const REFUSED: Verdict = { key: 'refused' };
const EMPTY: Verdict = { key: 'metrics_empty', sure: false };

interface Running {
  readonly memory: AskMemory;
  readonly full: string[];
  now: number;
}

function memoryOf(limits?: AskMemoryLimits): Running {
  const running = { full: [] as string[], now: 1_000_000 };
  const memory = createAskMemory({
    now: () => running.now,
    onFull: (namespace) => running.full.push(namespace),
    ...(limits !== undefined && { limits }),
  });
  return Object.assign(running, { memory });
}

function join({ memory, now }: Running, key: string, { namespace = 'shop', name = `pod-of-${key}` } = {}) {
  return memory.join({ namespace, key, name, from: now, isOld: false });
}

function joined(running: Running, key: string, where: { namespace?: string; name?: string } = {}): Workload {
  return join(running, key, where) ?? assert.fail('no room');
}

function answer(running: Running, workload: Workload, verdicts: Record<number, Verdict>, owner?: string): void {
  const answers = Object.entries(verdicts).map(([port, verdict]): PortAsked => {
    const path = '/metrics';
    return { port: Number(port), path, verdict, requests: [{ path, verdict }] };
  });
  const planned = answers.map(({ port }, rank) => ({
    port,
    paths: ['/metrics'],
    container: 'app',
    declared: true,
    rank,
  }));
  running.memory.record(workload, [...workload.pods.keys()][0] ?? '', owner, { answers, planned });
}

test('of several ports that answer, the first one with more than runtime metrics is the endpoint', () => {
  const running = memoryOf();
  const workload = joined(running, 'a');
  answer(running, workload, { 8080: HTML, 8081: RUNTIME, 8082: METRICS });
  assert.deepEqual([workload.result, workload.endpoint], ['metrics', { port: 8082, path: '/metrics' }]);
  assert.equal(workload.dueAt, Infinity);
});

test('an empty page without a version is an endpoint when it is seen for the second time', () => {
  const running = memoryOf();
  const workload = joined(running, 'a');
  answer(running, workload, { 8080: EMPTY });
  assert.deepEqual([workload.result, workload.endpoint], ['waiting', undefined]);
  assert.equal(workload.dueAt, running.now + 10 * MINUTE);
  answer(running, workload, { 8080: EMPTY });
  assert.equal(workload.result, 'metrics');
});

test('the most telling port gives the result, and the first that is due is when to ask again', () => {
  for (const [verdicts, result, minutes] of [
    [{ 1: HTML, 2: REFUSED }, 'no_metrics', 1],
    [{ 1: HTML, 2: { key: 'needs_auth', status: 401 } as const }, 'unscrapable', 10],
    [{ 1: REFUSED, 2: { key: 'timeout' } as const }, 'not_answered', 1],
    [{ 1: { key: 'not_http' } as const }, 'not_answered', Infinity],
  ] as const) {
    const running = memoryOf();
    const workload = joined(running, 'a');
    answer(running, workload, verdicts);
    assert.deepEqual([workload.result, workload.dueAt - running.now], [result, minutes * MINUTE]);
  }
});

test('one more silence in a row is asked again later, and another kind of answer starts again', () => {
  const running = memoryOf();
  const workload = joined(running, 'a');
  const after = (verdict: Verdict): number => {
    answer(running, workload, { 8080: verdict });
    return (workload.dueAt - running.now) / MINUTE;
  };
  assert.deepEqual([after(REFUSED), after({ key: 'timeout' }), after(HTML), after(HTML)], [1, 5, 10, 60]);
  assert.deepEqual([after(REFUSED), after(HTML)], [1, 10]);
});

test('a namespace is unreachable while requests were sent and none was answered', () => {
  const running = memoryOf();
  const workload = joined(running, 'a');
  assert.equal(running.memory.isUnreachable('shop'), false);
  answer(running, workload, { 8080: { key: 'timeout' } });
  assert.equal(running.memory.isUnreachable('shop'), true);
  assert.equal(running.memory.isUnreachable('other'), false);
  answer(running, workload, { 8080: { key: 'server_error', status: 500 } });
  assert.equal(running.memory.isUnreachable('shop'), false);
});

test("an owner's endpoint is stored, and forgotten after a version without metrics, but not after a silence", () => {
  const running = memoryOf();
  const of = (): unknown => running.memory.ofOwner('shop', 'StatefulSet/db');
  answer(running, joined(running, 'v1'), { 8080: METRICS }, 'StatefulSet/db');
  assert.deepEqual(of(), { port: 8080, path: '/metrics', container: 'app', paths: ['/metrics'] });
  assert.equal(running.memory.ofOwner('other', 'StatefulSet/db'), undefined);
  answer(running, joined(running, 'v2'), { 8080: REFUSED }, 'StatefulSet/db');
  assert.ok(of());
  answer(running, joined(running, 'v3'), { 8080: HTML }, 'StatefulSet/db');
  assert.equal(of(), undefined);
  const endpoint = { port: 1, path: '/', container: 'app', paths: ['/'] };
  running.memory.seed({ namespace: 'shop', key: 'v1-again', owner: 'StatefulSet/db', isAnswered: true }, endpoint);
  assert.equal(of(), undefined);
});

test('a full namespace loses the oldest "no" first, keeps metrics and what waits, and is reported once', () => {
  const running = memoryOf({ perNamespace: 3, inAll: 100 });
  const [metrics, old, young] = ['metrics', 'old', 'young'].map((key) => joined(running, key));
  assert.ok(metrics && old && young);
  answer(running, metrics, { 1: METRICS });
  answer(running, old, { 1: HTML });
  running.now += 1000;
  answer(running, young, { 1: HTML });
  assert.equal(join(running, 'too-early'), undefined);
  running.now += HOUR;
  assert.ok(join(running, 'new'));
  assert.deepEqual(
    ['metrics', 'old', 'young', 'new'].map((key) => running.memory.find('shop', key) !== undefined),
    [true, false, true, true],
  );
  assert.ok(join(running, 'newer'));
  assert.equal(join(running, 'newest'), undefined);
  assert.ok(join(running, 'of-others', { namespace: 'other' }));
  assert.deepEqual(running.full, ['shop']);
});

test('a workload whose pods are gone makes room at once', () => {
  const running = memoryOf({ perNamespace: 2, inAll: 100 });
  const first = joined(running, 'first');
  joined(running, 'second');
  assert.equal(join(running, 'third'), undefined);
  running.memory.leave(first, 'pod-of-first');
  assert.ok(join(running, 'third'));
  assert.equal(running.memory.find('shop', 'first'), undefined);
});

test('a pod that changes its environment at each restart takes no room from other namespaces', () => {
  const running = memoryOf({ perNamespace: 500, inAll: 20_000 });
  const keep = joined(running, 'keep', { namespace: 'other' });
  for (let restart = 0; restart < 1000; restart += 1) {
    const workload = joined(running, String(restart), { name: 'flapping' });
    running.memory.leave(workload, 'flapping');
  }
  assert.equal(running.memory.namespaces().get('shop')?.size, 500);
  assert.equal(running.memory.find('other', 'keep'), keep);
});

test('there are no more workloads than the limit in all', () => {
  const running = memoryOf({ perNamespace: 10, inAll: 15 });
  for (let index = 0; index < 30; index += 1) join(running, String(index), { namespace: `n-${index % 3}` });
  const sizes = [...running.memory.namespaces().values()].map(({ size }) => size);
  assert.equal(
    sizes.reduce((sum, size) => sum + size, 0),
    15,
  );
});

test('where nothing can be removed, room is looked for once a second', () => {
  const running = memoryOf({ perNamespace: 10, inAll: 2 });
  const first = joined(running, 'first');
  joined(running, 'second');
  assert.equal(join(running, 'third'), undefined);
  running.memory.leave(first, 'pod-of-first');
  assert.equal(join(running, 'third'), undefined);
  running.now += 1000;
  assert.ok(join(running, 'third'));
});

test('a workload without pods is removed after a day, and not before', () => {
  const running = memoryOf();
  const workload = joined(running, 'a');
  running.memory.leave(workload, 'pod-of-a');
  running.now += 24 * HOUR;
  running.memory.sweep();
  assert.ok(running.memory.find('shop', 'a'));
  running.now += 2 * HOUR;
  running.memory.sweep();
  assert.equal(running.memory.find('shop', 'a'), undefined);
  assert.equal(running.memory.count().get('waiting'), 0);
});

test('a pod that may be asked sooner than those that were looked at is looked at again', () => {
  const running = memoryOf();
  const workload = joined(running, 'a');
  workload.readyFrom = running.now + HOUR;
  running.now += MINUTE;
  join(running, 'a', { name: 'sooner' });
  assert.equal(workload.readyFrom, running.now);
});

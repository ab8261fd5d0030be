import assert from 'node:assert/strict';
import test from 'node:test';
import type { Answer, Call, Kube } from '../../../src/kube/client.ts';
import { findNamespaces, pass } from '../../../src/reconcile/bulk.ts';
import type { PassReport } from '../../../src/reconcile/bulk.ts';
import { createPace } from '../../../src/kube/rate-limiter.ts';
import { annotatePlanner } from '../../../src/reconcile/plan.ts';
import { hasFailed } from '../../../src/reconcile/report.ts';
import { defaultRules } from '../../../src/rules/shipped.ts';
import { fakeKube, hang, listOf, optedIn, podNamed } from '../kube/fake-kube.ts';

const NAMESPACES = '/api/v1/namespaces';
const planner = annotatePlanner(defaultRules(), false);
const busy: Answer = { status: 429, body: { message: 'too many requests' }, retryAfter: 0.001 };

function passOver(kube: Kube, signal: AbortSignal, perSecond = 1000): Promise<PassReport> {
  return pass({
    kube,
    namespaces: ['shop', 'warehouse'].map((name) => ({ name, optedIn: true, mesh: false, terminating: false })),
    plannerFor: () => planner,
    isWanted: () => true,
    pace: createPace(perSecond),
    dryRun: false,
    onProgress: () => undefined,
    signal,
  });
}

function resultsOf({ pods }: PassReport): (string | undefined)[] {
  return pods.map(({ applied }) => applied?.result);
}

test('lists are made anew when the API server was busy or ill, or a page has expired, as long as it asks for', async () => {
  const failures = [busy, { ...busy, status: 503 }, { ...busy, status: 410 }];
  const queries: Call['query'][] = [];
  const kube = fakeKube((call) => {
    if (call.path !== `${NAMESPACES}/shop/pods`) {
      return call.path.endsWith('/pods') ? listOf(call, []) : { status: 200, body: {} };
    }
    queries.push(call.query);
    call.onItem?.(podNamed('a', { annotations: { 'prometheus.io/scrape': 'false' } }));
    return failures.shift() ?? listOf(call, []);
  });
  const report = await passOver(kube, new AbortController().signal);
  assert.equal(hasFailed(report), false);
  assert.deepEqual(resultsOf(report), [undefined], 'what an unfinished list brought is dropped');
  assert.equal(queries.length, 4);
});

test('lists are not made anew without end, nor for what will not pass', async () => {
  for (const [answer, want] of [
    [busy, 4],
    [{ ...busy, status: 403 }, 1],
  ] as const) {
    let lists = 0;
    const kube = fakeKube((call) => {
      if (call.path !== `${NAMESPACES}/shop/pods`) return listOf(call, []);
      lists += 1;
      return answer;
    });
    const report = await passOver(kube, new AbortController().signal);
    assert.deepEqual(report.problems, ['namespace shop: its pods could not be listed: too many requests']);
    assert.equal(lists, want);
  }
});

test('namespaces are read anew when the API server was busy, and at once there is none when nobody answers', async () => {
  const { signal } = new AbortController();
  for (const which of ['all', { name: 'shop' }] as const) {
    let calls = 0;
    const kube = fakeKube((call) => {
      calls += 1;
      if (calls === 1) return busy;
      return which === 'all' ? listOf(call, [optedIn('shop')]) : { status: 200, body: optedIn('shop') };
    });
    const found = await findNamespaces(kube, which, signal);
    assert.deepEqual(found.ok && found.namespaces.map(({ name }) => name), ['shop']);
    assert.equal(calls, 2);
  }
  let calls = 0;
  const away = fakeKube(() => {
    calls += 1;
    return Promise.reject(new Error('nobody there'));
  });
  assert.deepEqual(await findNamespaces(away, 'all', signal), {
    ok: false,
    failure: { status: 0, message: 'nobody there' },
  });
  assert.equal(calls, 1);
});

test('a pass that is told to stop finishes the pod in hand, and says what it has not done', async () => {
  const stop = new AbortController();
  const kube = fakeKube(async (call) => {
    if (call.path.endsWith('/pods'))
      return listOf(
        call,
        ['a', 'b', 'c'].map((name) => podNamed(name)),
      );
    if (call.method === 'GET') return { status: 200, body: optedIn('shop') };
    if (call.path.endsWith('/shop/pods/b')) stop.abort();
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.notEqual(call.signal?.aborted, true, 'its answer is waited for');
    return { status: 200, body: {} };
  });
  const report = await passOver(kube, stop.signal, 50);
  assert.deepEqual(resultsOf(report), ['done', 'done', 'stopped', 'stopped', 'stopped', 'stopped']);
  assert.equal(hasFailed(report), true);
});

test('a pass that is told to stop waits neither for a turn nor for a list', { timeout: 10_000 }, async () => {
  const late = new AbortController();
  const slow = fakeKube((call) =>
    call.path.endsWith('/pods') ? listOf(call, [podNamed('a')]) : { status: 200, body: {} },
  );
  setTimeout(() => late.abort(), 100);
  assert.deepEqual(resultsOf(await passOver(slow, late.signal, 0.01)), ['done', 'stopped']);

  const early = new AbortController();
  setTimeout(() => early.abort(), 100);
  const report = await passOver(fakeKube(hang), early.signal);
  assert.deepEqual([report.pods, report.problems], [[], ['stopped before every pod was looked at']]);
});

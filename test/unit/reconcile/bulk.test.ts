import assert from 'node:assert/strict';
import test from 'node:test';
import type { ApiRequest, ApiResponse, Kube } from '../../../src/kube/client.ts';
import { runBulk } from '../../../src/reconcile/bulk.ts';
import type { BulkReport } from '../../../src/reconcile/bulk.ts';
import { findNamespaces } from '../../../src/reconcile/namespace.ts';
import { createRateLimiter } from '../../../src/kube/rate-limiter.ts';
import { annotatePlanner } from '../../../src/reconcile/plan-annotate.ts';
import { hasFailed } from '../../../src/reconcile/report.ts';
import { defaultRules } from '../../../src/rules/shipped.ts';
import { fakeKube, hang, listOf, optedIn, podNamed } from '../kube/fake-kube.ts';

const NAMESPACES = '/api/v1/namespaces';
const planner = annotatePlanner(defaultRules(), false);
const busy: ApiResponse = { status: 429, body: { message: 'too many requests' }, retryAfter: 0.001 };

function runOver(kube: Kube, signal: AbortSignal, perSecond = 1000): Promise<BulkReport> {
  return runBulk({
    kube,
    namespaces: ['shop', 'warehouse'].map((name) => ({ name, optedIn: true, mesh: false, terminating: false })),
    plannerFor: () => planner,
    isWanted: () => true,
    rateLimiter: createRateLimiter(perSecond),
    dryRun: false,
    onProgress: () => undefined,
    signal,
    finishesPatch: true,
  });
}

function resultsOf({ pods }: BulkReport): (string | undefined)[] {
  return pods.map(({ applied }) => applied?.result);
}

test('a list is retried after 429, 503 and an expired page', async () => {
  const failures = [busy, { ...busy, status: 503 }, { ...busy, status: 410 }];
  const queries: ApiRequest['query'][] = [];
  const kube = fakeKube((request) => {
    if (request.path !== `${NAMESPACES}/shop/pods`) {
      return request.path.endsWith('/pods') ? listOf(request, []) : { status: 200, body: {} };
    }
    queries.push(request.query);
    request.onItem?.(podNamed('a', { annotations: { 'prometheus.io/scrape': 'false' } }));
    return failures.shift() ?? listOf(request, []);
  });
  const report = await runOver(kube, new AbortController().signal);
  assert.equal(hasFailed(report), false);
  assert.deepEqual(resultsOf(report), [undefined], 'the pods of an unfinished list are dropped');
  assert.equal(queries.length, 4);
});

test('a list is retried at most three times, and not after a refusal', async () => {
  for (const [answer, want] of [
    [busy, 4],
    [{ ...busy, status: 403 }, 1],
  ] as const) {
    let lists = 0;
    const kube = fakeKube((request) => {
      if (request.path !== `${NAMESPACES}/shop/pods`) return listOf(request, []);
      lists += 1;
      return answer;
    });
    const report = await runOver(kube, new AbortController().signal);
    assert.deepEqual(report.problems, ['namespace shop: its pods could not be listed: too many requests']);
    assert.equal(lists, want);
  }
});

test('reading namespaces is retried after 429, and not when there is no response', async () => {
  const { signal } = new AbortController();
  for (const which of ['all', { name: 'shop' }] as const) {
    let calls = 0;
    const kube = fakeKube((request) => {
      calls += 1;
      if (calls === 1) return busy;
      return which === 'all' ? listOf(request, [optedIn('shop')]) : { status: 200, body: optedIn('shop') };
    });
    const found = await findNamespaces(kube, which, signal);
    assert.deepEqual(found.ok && found.value.map(({ name }) => name), ['shop']);
    assert.equal(calls, 2);
  }
  let calls = 0;
  const away = fakeKube(() => {
    calls += 1;
    return Promise.reject(new Error('nobody there'));
  });
  assert.deepEqual(await findNamespaces(away, 'all', signal), {
    ok: false,
    error: { status: 0, message: 'nobody there' },
  });
  assert.equal(calls, 1);
});

test('a run that is stopped finishes the change in flight, and reports what it has not done', async () => {
  const stop = new AbortController();
  const kube = fakeKube(async (request) => {
    if (request.path.endsWith('/pods'))
      return listOf(
        request,
        ['a', 'b', 'c'].map((name) => podNamed(name)),
      );
    if (request.method === 'GET') return { status: 200, body: optedIn('shop') };
    if (request.path.endsWith('/shop/pods/b')) stop.abort();
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.notEqual(request.signal?.aborted, true, 'a request in flight is not aborted');
    return { status: 200, body: {} };
  });
  const report = await runOver(kube, stop.signal, 50);
  assert.deepEqual(resultsOf(report), ['done', 'done', 'stopped', 'stopped', 'stopped', 'stopped']);
  assert.equal(hasFailed(report), true);
});

test('a run that is stopped waits neither for the rate limiter nor for a list', { timeout: 10_000 }, async () => {
  const late = new AbortController();
  const slow = fakeKube((request) =>
    request.path.endsWith('/pods') ? listOf(request, [podNamed('a')]) : { status: 200, body: {} },
  );
  setTimeout(() => late.abort(), 100);
  assert.deepEqual(resultsOf(await runOver(slow, late.signal, 0.01)), ['done', 'stopped']);

  const early = new AbortController();
  setTimeout(() => early.abort(), 100);
  const report = await runOver(fakeKube(hang), early.signal);
  assert.deepEqual([report.pods, report.problems], [[], ['stopped before all pods were listed']]);
});

import assert from 'node:assert/strict';
import test from 'node:test';
import { toResult } from '../../../src/kube/client.ts';
import type { ApiRequest, ApiResponse, Kube } from '../../../src/kube/client.ts';
import { apply } from '../../../src/reconcile/patch-pod.ts';
import type { ApplyOptions } from '../../../src/reconcile/patch-pod.ts';
import type { ChangePlan } from '../../../src/reconcile/plan.ts';
import { createRateLimiter } from '../../../src/kube/rate-limiter.ts';
import type { RateLimiter } from '../../../src/kube/rate-limiter.ts';
import { applyAll } from '../../../src/reconcile/bulk.ts';
import { annotatePlanner } from '../../../src/reconcile/plan-annotate.ts';
import { defaultRules } from '../../../src/rules/shipped.ts';
import { fakeKube, hang } from '../kube/fake-kube.ts';

const planner = annotatePlanner(defaultRules(), false);
const { signal } = new AbortController();

function pod(resourceVersion: string, metadata: object = {}): object {
  return {
    metadata: { namespace: 'shop', name: 'cart', uid: 'u', resourceVersion, ...metadata },
    spec: { containers: [{ name: 'c', ports: [{ name: 'metrics', containerPort: 9464 }] }] },
  };
}

function planned(object: object): ChangePlan {
  const plan = planner(object);
  assert.ok(plan !== undefined && plan.action !== 'skip');
  return plan;
}

/** Returns a cluster that sends these responses one after another, and the requests that it got. */
function responding(responses: readonly ApiResponse[]): { kube: Kube; requests: ApiRequest[] } {
  const requests: ApiRequest[] = [];
  const kube: Kube = {
    server: 'https://fake',
    namespace: 'default',
    inCluster: false,
    async request(request) {
      const response = responses[requests.length];
      requests.push(request);
      return response === undefined ? { ok: false, error: { status: 0, message: 'no answer' } } : toResult(response);
    },
    watch: () => Promise.reject(new Error('not asked for')),
    open: () => Promise.reject(new Error('not asked for')),
    forward: () => Promise.reject(new Error('not asked for')),
    close: () => Promise.resolve(),
  };
  return { kube, requests };
}

/** Returns options with a rate limit that does not slow the test. */
function options(kube: Kube, others: Partial<ApplyOptions> = {}): ApplyOptions {
  return { kube, planner, rateLimiter: createRateLimiter(1000), isWanted: () => true, signal, ...others };
}

const refusal: ApiResponse = { status: 422, body: { message: 'the test failed' } };
const RIGHT_IS_MISSING =
  'pods "cart" is forbidden: User "x" cannot patch resource "pods" in API group "" in the namespace "shop"';
const CART = { namespace: 'shop', name: 'cart' };
const annotated = { annotations: { 'prometheus.io/scrape': 'false' } };

const cases: readonly [what: string, responses: readonly ApiResponse[], result: string, methods: readonly string[]][] =
  [
    ['it applies', [{ status: 200, body: pod('2') }], 'done', ['PATCH']],
    ['the pod is gone', [{ status: 404, body: {} }], 'gone', ['PATCH']],
    [
      'the pod has changed',
      [refusal, { status: 200, body: pod('2') }, { status: 200, body: pod('3') }],
      'done',
      ['PATCH', 'GET', 'PATCH'],
    ],
    [
      'it lost a race inside the API server',
      [
        { ...refusal, status: 409 },
        { status: 200, body: pod('1') },
        { status: 200, body: pod('3') },
      ],
      'done',
      ['PATCH', 'GET', 'PATCH'],
    ],
    [
      'the pod has changed, and now declines',
      [refusal, { status: 200, body: pod('2', annotated) }],
      'superseded',
      ['PATCH', 'GET'],
    ],
    ['the pod has changed and is gone', [refusal, { status: 404, body: {} }], 'gone', ['PATCH', 'GET']],
    [
      'another pod has its name',
      [refusal, { status: 200, body: pod('9', { uid: 'other' }) }],
      'gone',
      ['PATCH', 'GET'],
    ],
    ['the very version is refused', [refusal, { status: 200, body: pod('1') }], 'refused', ['PATCH', 'GET']],
    ['a right is missing', [{ status: 403, body: { message: RIGHT_IS_MISSING } }], 'failed', ['PATCH']],
    ['admission forbids it', [{ status: 403, body: { message: 'pods "a" is forbidden: no' } }], 'refused', ['PATCH']],
    ['the request is invalid', [{ status: 400, body: {} }], 'refused', ['PATCH']],
    ['rights to look again are missing', [refusal, { status: 403, body: {} }], 'failed', ['PATCH', 'GET']],
    ['there is no response', [], 'failed', ['PATCH']],
    [
      'the pod changes each time',
      [2, 3, 4, 5].flatMap((version) => [refusal, { status: 200, body: pod(String(version)) }]),
      'failed',
      ['PATCH', 'GET', 'PATCH', 'GET', 'PATCH', 'GET', 'PATCH'],
    ],
  ];
for (const [what, responses, result, methods] of cases) {
  test(`${what}: ${result}`, async () => {
    const { kube, requests } = responding(responses);
    assert.equal((await apply(CART, options(kube), planned(pod('1')))).result, result);
    assert.deepEqual(
      requests.map(({ method }) => method),
      methods,
    );
  });
}

test('without a plan the pod is read first, and the patch tests the version that was read', async () => {
  const { kube, requests } = responding([
    { status: 200, body: pod('7') },
    { status: 200, body: pod('8') },
  ]);
  assert.equal((await apply(CART, options(kube))).result, 'done');
  const [read, patch] = requests;
  assert.deepEqual([read?.method, patch?.method], ['GET', 'PATCH']);
  assert.ok(Array.isArray(patch?.body));
  assert.deepEqual(patch.body[0], { op: 'test', path: '/metadata/resourceVersion', value: '7' });
});

test('a signal during the read after a patch that was not accepted leaves the pod unchanged, which is known', async () => {
  const stop = new AbortController();
  const kube = fakeKube((request) => {
    if (request.method === 'PATCH') return refusal;
    const read = hang(request);
    stop.abort();
    return read;
  });
  const change = planned(pod('1'));
  assert.deepEqual(await apply(change, options(kube, { signal: stop.signal }), change), { result: 'unwanted' });
});

test('without a plan a missing pod is gone, and a pod that needs no change is superseded', async () => {
  for (const [answer, want] of [
    [{ status: 404, body: {} }, 'gone'],
    [{ status: 200, body: pod('2', annotated) }, 'superseded'],
  ] as const) {
    assert.equal((await apply(CART, options(responding([answer]).kube))).result, want);
  }
});

test('a second patch tests the version that was read again', async () => {
  const { kube, requests } = responding([refusal, { status: 200, body: pod('2') }, { status: 200, body: pod('3') }]);
  await apply(CART, options(kube), planned(pod('1')));
  const versions = requests.flatMap(({ body }) => (Array.isArray(body) ? [body[0]] : []));
  assert.deepEqual(
    versions,
    ['1', '2'].map((value) => ({ op: 'test', path: '/metadata/resourceVersion', value })),
  );
  assert.deepEqual(requests[0]?.query, { fieldManager: 'autoscrape' });
});

test('each further patch waits for the rate limiter, and is not sent when the namespace is no longer wanted', async () => {
  const changing = [2, 3, 4, 5].flatMap((version) => [refusal, { status: 200, body: pod(String(version)) }]);
  for (const [isWanted, want] of [
    [true, { result: 'failed', turns: 3, calls: 7 }],
    [false, { result: 'unwanted', turns: 1, calls: 2 }],
  ] as const) {
    const { kube, requests } = responding(changing);
    let turns = 0;
    const rateLimiter: RateLimiter = {
      async wait() {
        turns += 1;
      },
      pauseFor: () => undefined,
    };
    const { result } = await apply(CART, options(kube, { rateLimiter, isWanted: () => isWanted }), planned(pod('1')));
    assert.deepEqual({ result, turns, calls: requests.length }, want);
  }
});

test('a change is retried when the API server says when, at most three times', async () => {
  const busy: ApiResponse = { status: 429, body: {}, retryAfter: 0.001 };
  const runOver = async (responses: readonly ApiResponse[]) => {
    const { kube, requests } = responding(responses);
    const results: string[] = [];
    for await (const { applied } of applyAll([planned(pod('1'))], options(kube))) results.push(applied.result);
    return [results, requests.length];
  };
  assert.deepEqual(await runOver([busy, busy, { status: 200, body: pod('2') }]), [['done'], 3]);
  assert.deepEqual(await runOver(Array.from({ length: 9 }, () => busy)), [['failed'], 4]);
});

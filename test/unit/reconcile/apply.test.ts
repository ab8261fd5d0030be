import assert from 'node:assert/strict';
import test from 'node:test';
import type { Answer, Call, Kube } from '../../../src/kube/client.ts';
import { apply } from '../../../src/reconcile/apply.ts';
import type { ApplyOptions, ChangePlan } from '../../../src/reconcile/apply.ts';
import { createPace } from '../../../src/kube/rate-limiter.ts';
import type { Pace } from '../../../src/kube/rate-limiter.ts';
import { applyAll } from '../../../src/reconcile/apply-all.ts';
import { annotatePlanner } from '../../../src/reconcile/plan.ts';
import { defaultRules } from '../../../src/rules/shipped.ts';

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
  assert.ok(plan !== undefined && plan.action !== 'leave');
  return plan;
}

/** A cluster that gives the answers one after another, and the calls that it got. */
function answering(answers: readonly Answer[]): { kube: Kube; calls: Call[] } {
  const calls: Call[] = [];
  const kube: Kube = {
    server: 'https://fake',
    namespace: 'default',
    inCluster: false,
    async call(call) {
      const answer = answers[calls.length];
      calls.push(call);
      if (answer === undefined) throw new Error('no answer');
      return answer;
    },
    watch: () => Promise.reject(new Error('not asked for')),
    close: () => Promise.resolve(),
  };
  return { kube, calls };
}

/** How to carry out a change there, without haste being held back. */
function options(kube: Kube, others: Partial<ApplyOptions> = {}): ApplyOptions {
  return { kube, planner, pace: createPace(1000), isWanted: () => true, signal, ...others };
}

const refusal: Answer = { status: 422, body: { message: 'the test failed' } };
const RIGHT_IS_MISSING =
  'pods "cart" is forbidden: User "x" cannot patch resource "pods" in API group "" in the namespace "shop"';
const CART = { namespace: 'shop', name: 'cart' };
const annotated = { annotations: { 'prometheus.io/scrape': 'false' } };

const cases: readonly [what: string, answers: readonly Answer[], result: string, methods: readonly string[]][] = [
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
    'the pod has changed, and now says no',
    [refusal, { status: 200, body: pod('2', annotated) }],
    'superseded',
    ['PATCH', 'GET'],
  ],
  ['the pod has changed and is gone', [refusal, { status: 404, body: {} }], 'gone', ['PATCH', 'GET']],
  ['another pod has its name', [refusal, { status: 200, body: pod('9', { uid: 'other' }) }], 'gone', ['PATCH', 'GET']],
  ['the very version is refused', [refusal, { status: 200, body: pod('1') }], 'refused', ['PATCH', 'GET']],
  ['a right is missing', [{ status: 403, body: { message: RIGHT_IS_MISSING } }], 'failed', ['PATCH']],
  ['admission forbids it', [{ status: 403, body: { message: 'pods "a" is forbidden: no' } }], 'refused', ['PATCH']],
  ['the request is refused as such', [{ status: 400, body: {} }], 'refused', ['PATCH']],
  ['rights to look again are missing', [refusal, { status: 403, body: {} }], 'failed', ['PATCH', 'GET']],
  ['nobody answers', [], 'failed', ['PATCH']],
  [
    'the pod changes each time',
    [2, 3, 4, 5].flatMap((version) => [refusal, { status: 200, body: pod(String(version)) }]),
    'failed',
    ['PATCH', 'GET', 'PATCH', 'GET', 'PATCH', 'GET', 'PATCH'],
  ],
];
for (const [what, answers, result, methods] of cases) {
  test(`${what}: ${result}`, async () => {
    const { kube, calls } = answering(answers);
    assert.equal((await apply(CART, options(kube), planned(pod('1')))).result, result);
    assert.deepEqual(
      calls.map(({ method }) => method),
      methods,
    );
  });
}

test('without a plan the pod is read first, and the patch is held to the version that was read', async () => {
  const { kube, calls } = answering([
    { status: 200, body: pod('7') },
    { status: 200, body: pod('8') },
  ]);
  assert.equal((await apply(CART, options(kube))).result, 'done');
  const [read, patch] = calls;
  assert.deepEqual([read?.method, patch?.method], ['GET', 'PATCH']);
  assert.ok(Array.isArray(patch?.body));
  assert.deepEqual(patch.body[0], { op: 'test', path: '/metadata/resourceVersion', value: '7' });
});

test('without a plan: a pod that is gone is gone, and one that has nothing to be done is left', async () => {
  for (const [answer, want] of [
    [{ status: 404, body: {} }, 'gone'],
    [{ status: 200, body: pod('2', annotated) }, 'superseded'],
  ] as const) {
    assert.equal((await apply(CART, options(answering([answer]).kube))).result, want);
  }
});

test('what is planned again is held to the version that was read', async () => {
  const { kube, calls } = answering([refusal, { status: 200, body: pod('2') }, { status: 200, body: pod('3') }]);
  await apply(CART, options(kube), planned(pod('1')));
  const versions = calls.flatMap(({ body }) => (Array.isArray(body) ? [body[0]] : []));
  assert.deepEqual(
    versions,
    ['1', '2'].map((value) => ({ op: 'test', path: '/metadata/resourceVersion', value })),
  );
  assert.deepEqual(calls[0]?.query, { fieldManager: 'autoscrape' });
});

test('each further patch of a pod takes a turn of its own, and none when the namespace is no longer wanted', async () => {
  const changing = [2, 3, 4, 5].flatMap((version) => [refusal, { status: 200, body: pod(String(version)) }]);
  for (const [isWanted, want] of [
    [true, { result: 'failed', turns: 3, calls: 7 }],
    [false, { result: 'unwanted', turns: 1, calls: 2 }],
  ] as const) {
    const { kube, calls } = answering(changing);
    let turns = 0;
    const pace: Pace = {
      async turn() {
        turns += 1;
      },
      hold: () => undefined,
    };
    const { result } = await apply(CART, options(kube, { pace, isWanted: () => isWanted }), planned(pod('1')));
    assert.deepEqual({ result, turns, calls: calls.length }, want);
  }
});

test('a pass comes again when the API server says when, and not without end', async () => {
  const busy: Answer = { status: 429, body: {}, retryAfter: 0.001 };
  const passOver = async (answers: readonly Answer[]) => {
    const { kube, calls } = answering(answers);
    const results: string[] = [];
    for await (const { applied } of applyAll([planned(pod('1'))], options(kube))) results.push(applied.result);
    return [results, calls.length];
  };
  assert.deepEqual(await passOver([busy, busy, { status: 200, body: pod('2') }]), [['done'], 3]);
  assert.deepEqual(await passOver(Array.from({ length: 9 }, () => busy)), [['failed'], 4]);
});

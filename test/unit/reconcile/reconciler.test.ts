import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { TestContext } from 'node:test';
import type { ApiRequest, ApiResponse, Kube } from '../../../src/kube/client.ts';
import { createLog } from '../../../src/process/log.ts';
import { createRegistry } from '../../../src/process/metrics.ts';
import { createFailureLog } from '../../../src/reconcile/failure-log.ts';
import { NOT_OPTED_IN, OR_ANOTHER } from '../../../src/reconcile/failure-scope.ts';
import { createReconcileMetrics } from '../../../src/reconcile/metrics.ts';
import { createRateLimiter } from '../../../src/kube/rate-limiter.ts';
import { createReconciler } from '../../../src/reconcile/reconciler.ts';
import type { Reconciler, ReconcilerOptions } from '../../../src/reconcile/reconciler.ts';
import { LABEL_LAG_MS } from '../../../src/reconcile/watch-pods.ts';
import { defaultRules } from '../../../src/rules/shipped.ts';
import { waitFor } from '../../harness/process/wait-for.ts';
import { fakeKube, FORBIDDEN, hang, listOf, optedIn, podNamed, RIGHT_IS_MISSING, silence } from '../kube/fake-kube.ts';
import { useVirtualClock } from '../kube/virtual-clock.ts';
import { denied, guardMessages } from './guard-messages.ts';

const NAMESPACES = '/api/v1/namespaces';
const PODS = `${NAMESPACES}/shop/pods`;

interface Running {
  readonly reconciler: Reconciler;
  /** The log lines about failures. */
  readonly failures: Line[];
}

interface Line {
  readonly what?: string;
  readonly namespace?: string;
  readonly code?: number;
  readonly reason?: string;
  readonly cause?: string;
  readonly remedy?: string;
  readonly msg: string;
}

interface Options extends Partial<ReconcilerOptions> {
  readonly onPass?: (unixSeconds: number) => void;
}

/** Runs a reconciler until the test ends. */
function start(t: TestContext, kube: Kube, { onPass = () => undefined, ...options }: Options = {}): Running {
  const failures: Line[] = [];
  const write = (text: string) => {
    const line: Line = JSON.parse(text);
    if (line.what !== undefined || line.reason !== undefined) failures.push(line);
  };
  const log = createLog('info', { write });
  const rules = defaultRules();
  const stop = new AbortController();
  const reconciler = createReconciler({
    kube,
    rules: () => rules,
    metrics: {
      ...createReconcileMetrics(createRegistry(), { namespaces: () => 0, pods: () => new Map() }),
      fullPass: onPass,
    },
    failureLog: createFailureLog(log),
    log,
    rateLimiter: createRateLimiter(200),
    excluded: new Set(),
    only: undefined,
    relistMs: 600_000,
    signal: stop.signal,
    ...options,
  });
  const running = reconciler.run();
  t.after(async () => {
    stop.abort();
    await running;
  });
  return { reconciler, failures };
}

suite('the reconciler', { concurrency: true }, () => {
  test('namespaces are opted in by "enabled" and by "true"; a value that means neither yes nor no is logged once', async (t) => {
    const labels = { yes: 'enabled', also: 'true', no: 'disabled', not: 'false', on: 'on', excluded: 'on' };
    const namespaces = Object.entries(labels).map(([name, value]) => optedIn(name, value));
    const requested = new Set<string>();
    const selectors = new Set<unknown>();
    const kube = fakeKube(
      (request) => {
        if (request.path === NAMESPACES) selectors.add(request.query?.['labelSelector']);
        else requested.add(request.path);
        return listOf(request, request.path === NAMESPACES ? namespaces : []);
      },
      (path, signal) => ({
        status: 200,
        lines: path === NAMESPACES ? changes(['on', 'on'], ['late', 'True'], ['late', 'enabled']) : silence(signal),
      }),
    );
    const { failures } = start(t, kube, { excluded: new Set(['excluded']) });
    await waitFor('the last change to be read', () => requested.has(`${NAMESPACES}/late/pods`));
    assert.deepEqual([...selectors], ['autoscrape.io/inject']);
    assert.deepEqual(
      [...requested].toSorted(),
      ['also', 'late', 'yes'].map((name) => `${NAMESPACES}/${name}/pods`),
    );
    assert.deepEqual(
      failures.map(({ namespace, reason }) => [namespace, reason]),
      [
        ['on', 'label autoscrape.io/inject is "on", which is read as no: write enabled or disabled'],
        ['late', 'label autoscrape.io/inject is "True", which is read as no: write enabled or disabled'],
      ],
    );
  });

  test('refused pods are attempted once, and a full pass is complete without them', async (t) => {
    const guarded = Array.from({ length: 20 }, (_, index) => podNamed(`guarded-${index}`));
    const other = Array.from({ length: 20 }, (_, index) => podNamed(`other-${index}`));
    const patched = new Map<string, number>();
    const kube = fakeKube((request) => {
      if (request.path === NAMESPACES) return listOf(request, [optedIn('shop')]);
      if (request.path === PODS) return listOf(request, [...guarded, ...other]);
      if (request.method === 'GET') return readPod(request);
      patched.set(request.path, (patched.get(request.path) ?? 0) + 1);
      return request.path.includes('/guarded-') ? FORBIDDEN : { status: 200, body: {} };
    });
    const passes: number[] = [];
    const { failures, reconciler } = start(t, kube, { onPass: (at) => passes.push(at) });
    await waitFor('a full pass', () => passes.length > 0);
    assert.deepEqual([patched.size, new Set(patched.values())], [40, new Set([1])]);
    assert.deepEqual(
      failures.map(({ code }) => code),
      [403],
    );
    assert.equal(reconciler.pods().get('refused'), 20);
  });

  test("a change refused by the chart's policy because others added to it is logged once with cause and remedy", async (t) => {
    const mutated = guardMessages().filter((message) => message.endsWith(OR_ANOTHER));
    assert.ok(mutated.length >= 6);
    const kube = fakeKube((request) => {
      if (request.path === NAMESPACES) return listOf(request, [optedIn('shop')]);
      if (request.path === PODS) {
        return listOf(
          request,
          mutated.map((_, index) => podNamed(String(index))),
        );
      }
      if (request.method === 'GET') return readPod(request);
      return { status: 422, body: { message: denied(mutated[Number(request.path.split('/').at(-1))]) } };
    });
    const passes: number[] = [];
    const { failures } = start(t, kube, { onPass: (at) => passes.push(at) });
    await waitFor('a full pass', () => passes.length > 0);
    assert.equal(failures.length, 1);
    assert.match(failures[0]?.cause ?? '', /on UPDATE/);
    assert.match(failures[0]?.remedy ?? '', /service account/);
  });

  test("a namespace whose label the chart's policy has not noticed yet is retried soon, and nothing is logged", async (t) => {
    const notOptedIn = guardMessages().find((message) => message.endsWith(NOT_OPTED_IN));
    let patches = 0;
    const kube = fakeKube((request) => {
      if (request.path === NAMESPACES) return listOf(request, [optedIn('shop')]);
      if (request.path === PODS) return listOf(request, [podNamed('a'), podNamed('b')]);
      if (request.method === 'GET') return readPod(request);
      patches += 1;
      return patches === 1 ? { status: 422, body: { message: denied(notOptedIn) } } : { status: 200, body: {} };
    });
    const passes: number[] = [];
    const { failures } = start(t, kube, { onPass: (at) => passes.push(at) });
    await waitFor('a full pass', () => passes.length > 0);
    assert.deepEqual([patches, failures], [3, []]);
  });

  test('a failing webhook pauses its namespace, and an unavailable API server pauses all patches', async (t) => {
    for (const [status, want] of [
      [500, false],
      [503, true],
    ] as const) {
      const patched: string[] = [];
      const kube = fakeKube((request) => {
        if (request.path === NAMESPACES) return listOf(request, [optedIn('shop')]);
        if (request.path === PODS) return listOf(request, [podNamed('a'), podNamed('b')]);
        if (request.method === 'GET') return readPod(request);
        patched.push(request.path);
        return patched.length === 1
          ? { status, body: { message: 'failed calling webhook' } }
          : { status: 200, body: {} };
      });
      const pauses: number[] = [];
      start(t, kube, { rateLimiter: { ...createRateLimiter(200), pauseFor: (ms) => pauses.push(ms) } });
      await waitFor('both pods', () => patched.length === 3);
      assert.deepEqual(
        patched.map((path) => path.at(-1)),
        ['a', 'b', 'a'],
      );
      assert.equal(pauses.length > 0, want);
    }
  });

  test('a refused watch is logged once, even while lists work', async (t) => {
    let watches = 0;
    const kube = fakeKube(
      (request) => listOf(request, request.path === NAMESPACES ? [optedIn('shop')] : []),
      () => {
        watches += 1;
        return { status: 403, lines: lines([{ code: 403, message: 'cannot watch' }]) };
      },
    );
    const { failures } = start(t, kube);
    await waitFor('the third try of both', () => watches >= 6);
    assert.deepEqual(failures.map(({ what, msg }) => `${what}: ${msg}`).toSorted(), [
      'watch of namespaces: API request failed, retrying',
      'watch of pods of shop: API request failed, retrying',
    ]);
  });

  test('reports the failure again after a namespace returns', async (t) => {
    const isGone = Promise.withResolvers<void>();
    const kube = fakeKube(
      (request) => (request.path === NAMESPACES ? listOf(request, [optedIn('shop')]) : FORBIDDEN),
      (path, signal) => {
        assert.equal(path, NAMESPACES);
        return { status: 200, lines: loseAndRegainLabel(isGone.promise, signal) };
      },
    );
    const { failures } = start(t, kube);
    await waitFor('the first failure', () => failures.length === 1);
    isGone.resolve();
    await waitFor('the second', () => failures.length === 2);
    assert.deepEqual(
      failures.map(({ what }) => what),
      ['pods of shop', 'pods of shop'],
    );
  });

  test('new rules list all pods again, and the reconciler stays ready', async (t) => {
    let lists = 0;
    const kube = fakeKube((request) => {
      if (request.path === NAMESPACES) return listOf(request, [optedIn('shop')]);
      lists += 1;
      return lists === 1 ? listOf(request, []) : hang(request);
    });
    const { reconciler } = start(t, kube);
    await waitFor('the first list', () => lists === 1);
    reconciler.reload();
    await waitFor('the second list', () => lists === 2);
    assert.equal(reconciler.hasStarted(), true);
  });

  test('a namespace that cannot be listed, or is not listed yet, does not make the reconciler unready', async (t) => {
    const requested = new Set<string>();
    const kube = fakeKube((request) => {
      if (request.path === NAMESPACES) return listOf(request, [optedIn('shop'), optedIn('forbidden'), optedIn('slow')]);
      requested.add(request.path);
      if (request.path === PODS) return listOf(request, []);
      return request.path.includes('forbidden') ? FORBIDDEN : hang(request);
    });
    const { reconciler } = start(t, kube);
    assert.equal(reconciler.hasStarted(), false);
    await waitFor('all three lists', () => requested.size === 3);
    await waitFor('it to be ready', () => reconciler.hasStarted());
  });

  test('logs one line per API error, without pod values', async (t) => {
    const invalid = 'Pod "a" is invalid: spec.containers[0].env: Invalid value: "secret"\n{"spec": "more"}';
    const kube = fakeKube((request) => {
      if (request.path === NAMESPACES) return listOf(request, [optedIn('shop')]);
      if (request.path === PODS) return listOf(request, [podNamed('a'), podNamed('b')]);
      if (request.method === 'GET') return readPod(request);
      if (request.path.endsWith('/a')) return { status: 422, body: { message: invalid } };
      return { status: 400, body: { message: `${'x'.repeat(300)}\nsecond line` } };
    });
    const { failures } = start(t, kube);
    await waitFor('both', () => failures.length >= 2);
    assert.deepEqual(
      failures.slice(0, 2).map(({ reason }) => reason),
      ['Pod "a" is invalid', `${'x'.repeat(255)}…`],
    );
  });
});

test('a missing right pauses its namespace, longer each time, is logged once, and delays no other namespace', async (t) => {
  const clock = useVirtualClock(t);
  const pods = Array.from({ length: 60 }, (_, index) => podNamed(`pod-${index}`));
  const patchedAt: number[] = [];
  const others = new Set<string>();
  const kube = fakeKube((request) => {
    if (request.path === NAMESPACES) return listOf(request, [optedIn('shop'), optedIn('other')]);
    if (request.path.endsWith('/pods')) return listOf(request, request.path === PODS ? pods : pods.map(elsewhere));
    if (request.method === 'GET') return readPod(request);
    if (request.path.startsWith(PODS)) {
      patchedAt.push(clock.now());
      return RIGHT_IS_MISSING;
    }
    others.add(request.path);
    return { status: 200, body: {} };
  });
  const pauses: number[] = [];
  const passes: number[] = [];
  const { failures } = start(t, kube, {
    rateLimiter: { ...createRateLimiter(200, () => clock.now()), pauseFor: (ms) => pauses.push(ms) },
    onPass: (at) => passes.push(at),
  });
  await clock.runUntil(() => patchedAt.length === 3, 10_000);
  const [first = 0, second = 0, third = 0] = patchedAt;
  assert.equal(others.size, 60);
  // Pauses of 1 s and 2 s, up to a third shorter; the clock moves in steps of 10 ms.
  for (const [pause, longest] of [
    [second - first, 1000],
    [third - second, 2000],
  ] as const) {
    assert.ok(pause > (longest * 2) / 3 - 20 && pause < longest + 50, JSON.stringify(patchedAt));
  }
  assert.deepEqual(
    failures.map(({ what }) => what),
    ['patch pods of shop'],
  );
  assert.deepEqual({ pauses, passes }, { pauses: [], passes: [] });
});

test('a pod that the webhook missed is counted and logged when it is annotated, and not while it is refused', async (t) => {
  let elapsed = 0;
  const now = performance.now.bind(performance);
  t.mock.method(performance, 'now', () => now() + elapsed);
  const isCreated = Promise.withResolvers<void>();
  const patched: string[] = [];
  const kube = fakeKube(
    (request) => {
      if (request.path === NAMESPACES) return listOf(request, [optedIn('shop')]);
      if (request.path === PODS) return listOf(request, [podNamed('older')]);
      if (request.method === 'GET') return readPod(request);
      patched.push(request.path);
      return request.path.endsWith('/excluded') ? FORBIDDEN : { status: 200, body: {} };
    },
    (path, signal) => ({
      status: 200,
      lines: path === PODS ? create(['missed', 'excluded'], isCreated.promise, signal) : silence(signal),
    }),
  );
  const results: string[] = [];
  let missed = 0;
  const metrics = {
    ...createReconcileMetrics(createRegistry(), { namespaces: () => 0, pods: () => new Map() }),
    applied: (result: string) => results.push(result),
    missed: () => (missed += 1),
  };
  const lines: { pod?: string; msg: string }[] = [];
  const log = createLog('info', { write: (text) => lines.push(JSON.parse(text)) });
  const { reconciler } = start(t, kube, { metrics, log });
  await waitFor('the older pod', () => results.length === 1);
  elapsed = LABEL_LAG_MS + 1;
  isCreated.resolve();
  await waitFor('the new pods', () => results.length === 3);
  assert.deepEqual([results, reconciler.pods().get('refused')], [['done', 'done', 'refused'], 1]);
  assert.deepEqual(patched.length, 3);
  assert.equal(missed, 1);
  assert.deepEqual(
    lines.filter(({ msg }) => msg === 'pod missed by the webhook').map(({ pod }) => pod),
    ['missed'],
  );
});

/** Yields the creation of pods once `isCreated` resolves. */
async function* create(
  names: readonly string[],
  isCreated: Promise<void>,
  signal: AbortSignal,
): AsyncGenerator<unknown, void> {
  await isCreated;
  for (const name of names) yield { type: 'ADDED', object: podNamed(name) };
  yield* silence(signal);
}

/** Returns the pod that is requested. */
function readPod({ path }: ApiRequest): ApiResponse {
  return { status: 200, body: podNamed(decodeURIComponent(path.split('/').at(-1) ?? '')) };
}

/** Returns the same pod in another namespace. */
function elsewhere(pod: object): object {
  return { ...pod, metadata: { ...('metadata' in pod && Object(pod.metadata)), namespace: 'other' } };
}

async function* lines(values: readonly unknown[]): AsyncGenerator<unknown, void> {
  yield* values;
}

/** Yields changes of namespaces: their names and the values of their labels. */
async function* changes(...namespaces: readonly (readonly [string, string])[]): AsyncGenerator<unknown, void> {
  for (const [name, value] of namespaces) yield { type: 'MODIFIED', object: optedIn(name, value) };
}

/**
 * Yields events in which the namespace loses its label, once `isGone` resolves, and gets it again.
 */
async function* loseAndRegainLabel(isGone: Promise<void>, signal: AbortSignal): AsyncGenerator<unknown, void> {
  await isGone;
  yield { type: 'DELETED', object: optedIn('shop') };
  yield { type: 'ADDED', object: optedIn('shop') };
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve));
}

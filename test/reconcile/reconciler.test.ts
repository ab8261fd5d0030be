import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { TestContext } from 'node:test';
import type { Kube } from '../../src/kube.ts';
import { createLog } from '../../src/log.ts';
import { createRegistry } from '../../src/metrics.ts';
import { createComplaints } from '../../src/reconcile/complaint.ts';
import { createReconcileMetrics } from '../../src/reconcile/metrics.ts';
import { createPace } from '../../src/reconcile/pace.ts';
import { createReconciler } from '../../src/reconcile/reconciler.ts';
import type { Reconciler, ReconcilerOptions } from '../../src/reconcile/reconciler.ts';
import { defaultRules } from '../../src/rules/shipped.ts';
import { waitFor } from '../cluster/wait-for.ts';
import { fakeKube, FORBIDDEN, hang, listOf, optedIn, podNamed } from './fake-kube.ts';

const NAMESPACES = '/api/v1/namespaces';
const PODS = `${NAMESPACES}/shop/pods`;

interface Running {
  readonly reconciler: Reconciler;
  /** What has been logged about failures. */
  readonly complaints: Line[];
}

interface Line {
  readonly what?: string;
  readonly reason?: string;
  readonly msg: string;
}

/** A reconciler at work, until the test ends. */
function start(t: TestContext, kube: Kube, options: Partial<ReconcilerOptions> = {}): Running {
  const complaints: Line[] = [];
  const write = (text: string) => {
    const line: Line = JSON.parse(text);
    if (line.what !== undefined || line.reason !== undefined) complaints.push(line);
  };
  const log = createLog('info', { write });
  const rules = defaultRules();
  const stop = new AbortController();
  const reconciler = createReconciler({
    kube,
    rules: () => rules,
    metrics: createReconcileMetrics(createRegistry(), { namespaces: () => 0, pods: () => new Map() }),
    complaints: createComplaints(log),
    log,
    pace: createPace(200),
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
  return { reconciler, complaints };
}

suite('the reconciler', { concurrency: true }, () => {
  test('pods that may not be patched are left in peace, longer each time, and that is told once', async (t) => {
    const pods = Array.from({ length: 60 }, (_, index) => podNamed(`pod-${index}`));
    let patches = 0;
    let clock = 0;
    // Waiting costs no time here: it moves the clock that the pace reads.
    const pace = createPace(
      200,
      () => clock,
      async (milliseconds) => void (clock += milliseconds),
    );
    const kube = fakeKube((call) => {
      if (call.path === NAMESPACES) return listOf(call, [optedIn('shop')]);
      if (call.path === PODS) return listOf(call, pods);
      if (clock > 60_000) return hang(call);
      patches += 1;
      return FORBIDDEN;
    });
    const { complaints } = start(t, kube, { pace });
    await waitFor('a minute of that clock', () => clock > 60_000);
    // After the fifth there are pauses of 1, 2, 4 … seconds, each up to a third shorter: six or seven of them make a minute.
    assert.ok(patches === 10 || patches === 11, `${patches} patches in a minute`);
    assert.deepEqual(
      complaints.map(({ what }) => what),
      ['patch pods'],
    );
  });

  test('the pods that one policy refuses hold up nobody', async (t) => {
    const guarded = Array.from({ length: 4 }, (_, index) => podNamed(`guarded-${index}`));
    const others = Array.from({ length: 20 }, (_, index) => podNamed(`other-${index}`));
    const patched = new Set<string>();
    const kube = fakeKube((call) => {
      if (call.path === NAMESPACES) return listOf(call, [optedIn('shop')]);
      if (call.path === PODS) return listOf(call, [...guarded, ...others]);
      if (call.path.includes('/guarded-')) return FORBIDDEN;
      patched.add(call.path);
      return { status: 200, body: {} };
    });
    const pace = createPace(200);
    const holds: number[] = [];
    start(t, kube, { pace: { ...pace, hold: (milliseconds) => holds.push(milliseconds) } });
    await waitFor('the others', () => patched.size === others.length);
    assert.deepEqual(holds, []);
  });

  test('a watch that is refused is told once, however well the lists work', async (t) => {
    let watches = 0;
    const kube = fakeKube(
      (call) => listOf(call, call.path === NAMESPACES ? [optedIn('shop')] : []),
      () => {
        watches += 1;
        return { status: 403, lines: lines([{ code: 403, message: 'cannot watch' }]) };
      },
    );
    const { complaints } = start(t, kube);
    await waitFor('the third try of both', () => watches >= 6);
    assert.deepEqual(complaints.map(({ what, msg }) => `${what}: ${msg.replace(/.*; /, '')}`).toSorted(), [
      'watch of namespaces: trying again',
      'watch of pods of shop: trying again',
    ]);
  });

  test('of a namespace that is left and comes again it is told again that it fails', async (t) => {
    const bell = Promise.withResolvers<void>();
    const kube = fakeKube(
      (call) => (call.path === NAMESPACES ? listOf(call, [optedIn('shop')]) : FORBIDDEN),
      (path, signal) => {
        assert.equal(path, NAMESPACES);
        return { status: 200, lines: comeAndGo(bell.promise, signal) };
      },
    );
    const { complaints } = start(t, kube);
    await waitFor('the first complaint', () => complaints.length === 1);
    bell.resolve();
    await waitFor('the second', () => complaints.length === 2);
    assert.deepEqual(
      complaints.map(({ what }) => what),
      ['pods of shop', 'pods of shop'],
    );
  });

  test('new rules list all pods again, and it stays ready meanwhile', async (t) => {
    let lists = 0;
    const kube = fakeKube((call) => {
      if (call.path === NAMESPACES) return listOf(call, [optedIn('shop')]);
      lists += 1;
      return lists === 1 ? listOf(call, []) : hang(call);
    });
    const { reconciler } = start(t, kube);
    await waitFor('the first list', () => lists === 1);
    reconciler.reload();
    await waitFor('the second list', () => lists === 2);
    assert.equal(reconciler.hasStarted(), true);
  });

  test('a namespace that cannot be listed, or is not yet listed, does not make it unready', async (t) => {
    const asked = new Set<string>();
    const kube = fakeKube((call) => {
      if (call.path === NAMESPACES) return listOf(call, [optedIn('shop'), optedIn('forbidden'), optedIn('slow')]);
      asked.add(call.path);
      if (call.path === PODS) return listOf(call, []);
      return call.path.includes('forbidden') ? FORBIDDEN : hang(call);
    });
    const { reconciler } = start(t, kube);
    assert.equal(reconciler.hasStarted(), false);
    await waitFor('all three lists', () => asked.size === 3);
    await waitFor('it to be ready', () => reconciler.hasStarted());
  });

  test('of what the API server says one line is logged, and no value of a pod', async (t) => {
    const invalid = 'Pod "a" is invalid: spec.containers[0].env: Invalid value: "secret"\n{"spec": "more"}';
    const kube = fakeKube((call) => {
      if (call.path === NAMESPACES) return listOf(call, [optedIn('shop')]);
      if (call.path === PODS) return listOf(call, [podNamed('a'), podNamed('b')]);
      if (call.method === 'GET') return { status: 200, body: podNamed('a') };
      if (call.path.endsWith('/a')) return { status: 422, body: { message: invalid } };
      return { status: 400, body: { message: `${'x'.repeat(300)}\nsecond line` } };
    });
    const { complaints } = start(t, kube);
    await waitFor('both', () => complaints.length >= 2);
    assert.deepEqual(
      complaints.slice(0, 2).map(({ reason }) => reason),
      ['Pod "a" is invalid', `${'x'.repeat(255)}…`],
    );
  });
});

async function* lines(values: readonly unknown[]): AsyncGenerator<unknown, void> {
  yield* values;
}

/** The namespace loses its label once it is rung for, and gets it again. */
async function* comeAndGo(rung: Promise<void>, signal: AbortSignal): AsyncGenerator<unknown, void> {
  await rung;
  yield { type: 'DELETED', object: optedIn('shop') };
  yield { type: 'ADDED', object: optedIn('shop') };
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve));
}

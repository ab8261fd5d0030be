import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { suite, test } from 'node:test';
import type { TestContext } from 'node:test';
import type { Answer, Call, Kube } from '../../../src/kube/client.ts';
import { createLog } from '../../../src/process/log.ts';
import { createRegistry } from '../../../src/process/metrics.ts';
import { createComplaints } from '../../../src/reconcile/failure-log.ts';
import { createReconcileMetrics } from '../../../src/reconcile/metrics.ts';
import { createPace } from '../../../src/kube/rate-limiter.ts';
import { createReconciler } from '../../../src/reconcile/reconciler.ts';
import type { Reconciler, ReconcilerOptions } from '../../../src/reconcile/reconciler.ts';
import { defaultRules } from '../../../src/rules/shipped.ts';
import { waitFor } from '../../harness/process/wait-for.ts';
import { fakeKube, FORBIDDEN, hang, listOf, optedIn, podNamed, RIGHT_IS_MISSING, silence } from '../kube/fake-kube.ts';

const NAMESPACES = '/api/v1/namespaces';
const PODS = `${NAMESPACES}/shop/pods`;

interface Running {
  readonly reconciler: Reconciler;
  /** What has been logged about failures. */
  readonly complaints: Line[];
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

/** A reconciler at work, until the test ends. */
function start(t: TestContext, kube: Kube, { onPass = () => undefined, ...options }: Options = {}): Running {
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
    metrics: {
      ...createReconcileMetrics(createRegistry(), { namespaces: () => 0, pods: () => new Map() }),
      fullPass: onPass,
    },
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
  test('namespaces are opted in by "enabled" and by "true"; a value that means neither yes nor no is logged once', async (t) => {
    const labels = { yes: 'enabled', also: 'true', no: 'disabled', not: 'false', on: 'on', excluded: 'on' };
    const namespaces = Object.entries(labels).map(([name, value]) => optedIn(name, value));
    const asked = new Set<string>();
    const selectors = new Set<unknown>();
    const kube = fakeKube(
      (call) => {
        if (call.path === NAMESPACES) selectors.add(call.query?.['labelSelector']);
        else asked.add(call.path);
        return listOf(call, call.path === NAMESPACES ? namespaces : []);
      },
      (path, signal) => ({
        status: 200,
        lines: path === NAMESPACES ? changes(['on', 'on'], ['late', 'True'], ['late', 'enabled']) : silence(signal),
      }),
    );
    const { complaints } = start(t, kube, { excluded: new Set(['excluded']) });
    await waitFor('the last change to be read', () => asked.has(`${NAMESPACES}/late/pods`));
    assert.deepEqual([...selectors], ['autoscrape.io/inject']);
    assert.deepEqual(
      [...asked].toSorted(),
      ['also', 'late', 'yes'].map((name) => `${NAMESPACES}/${name}/pods`),
    );
    assert.deepEqual(
      complaints.map(({ namespace, reason }) => [namespace, reason]),
      [
        ['on', 'label autoscrape.io/inject is "on", which is read as no: write enabled or disabled'],
        ['late', 'label autoscrape.io/inject is "True", which is read as no: write enabled or disabled'],
      ],
    );
  });

  test('a missing right pauses its namespace, longer each time, is logged once, and stops no other namespace', async (t) => {
    const pods = Array.from({ length: 60 }, (_, index) => podNamed(`pod-${index}`));
    const patchedAt: number[] = [];
    const others = new Set<string>();
    const kube = fakeKube((call) => {
      if (call.path === NAMESPACES) return listOf(call, [optedIn('shop'), optedIn('other')]);
      if (call.path.endsWith('/pods')) return listOf(call, call.path === PODS ? pods : pods.map(elsewhere));
      if (call.method === 'GET') return readPod(call);
      if (call.path.startsWith(PODS)) {
        patchedAt.push(performance.now());
        return RIGHT_IS_MISSING;
      }
      others.add(call.path);
      return { status: 200, body: {} };
    });
    const holds: number[] = [];
    const pace = createPace(200);
    const passes: number[] = [];
    const { complaints } = start(t, kube, {
      pace: { ...pace, hold: (ms) => holds.push(ms) },
      onPass: (at) => passes.push(at),
    });
    await waitFor('the third try', () => patchedAt.length === 3);
    const [first = 0, second = 0, third = 0] = patchedAt;
    // 1 s and 2 s, up to a third shorter. A timer is never early.
    assert.ok(second - first > 660 && third - second > 1320, JSON.stringify(patchedAt));
    assert.deepEqual(
      complaints.map(({ what }) => what),
      ['patch pods of shop'],
    );
    assert.equal(others.size, 60);
    assert.deepEqual({ holds, passes }, { holds: [], passes: [] });
  });

  test('the pods that a policy refuses are tried once, and a full pass is complete without them', async (t) => {
    const guarded = Array.from({ length: 20 }, (_, index) => podNamed(`guarded-${index}`));
    const other = Array.from({ length: 20 }, (_, index) => podNamed(`other-${index}`));
    const patched = new Map<string, number>();
    const kube = fakeKube((call) => {
      if (call.path === NAMESPACES) return listOf(call, [optedIn('shop')]);
      if (call.path === PODS) return listOf(call, [...guarded, ...other]);
      if (call.method === 'GET') return readPod(call);
      patched.set(call.path, (patched.get(call.path) ?? 0) + 1);
      return call.path.includes('/guarded-') ? FORBIDDEN : { status: 200, body: {} };
    });
    const passes: number[] = [];
    const { complaints, reconciler } = start(t, kube, { onPass: (at) => passes.push(at) });
    await waitFor('a full pass', () => passes.length > 0);
    assert.deepEqual([patched.size, new Set(patched.values())], [40, new Set([1])]);
    assert.deepEqual(
      complaints.map(({ code }) => code),
      [403],
    );
    assert.equal(reconciler.pods().get('refused'), 20);
  });

  test("what others add to a change, so that the chart's policy refuses it, is logged once with cause and remedy", async (t) => {
    const { messages, orAnother } = readGuard();
    const mutated = messages.filter((message) => message.endsWith(orAnother));
    assert.ok(mutated.length >= 6);
    const kube = fakeKube((call) => {
      if (call.path === NAMESPACES) return listOf(call, [optedIn('shop')]);
      if (call.path === PODS) {
        return listOf(
          call,
          mutated.map((_, index) => podNamed(String(index))),
        );
      }
      if (call.method === 'GET') return readPod(call);
      return { status: 422, body: { message: denied(mutated[Number(call.path.split('/').at(-1))]) } };
    });
    const passes: number[] = [];
    const { complaints } = start(t, kube, { onPass: (at) => passes.push(at) });
    await waitFor('a full pass', () => passes.length > 0);
    assert.equal(complaints.length, 1);
    assert.match(complaints[0]?.cause ?? '', /on UPDATE/);
    assert.match(complaints[0]?.remedy ?? '', /service account/);
  });

  test("a namespace whose label the chart's policy has not noticed yet is tried again soon, and nothing is logged", async (t) => {
    const notOptedIn = readGuard().messages.find((message) => message.includes('not opted in'));
    let patches = 0;
    const kube = fakeKube((call) => {
      if (call.path === NAMESPACES) return listOf(call, [optedIn('shop')]);
      if (call.path === PODS) return listOf(call, [podNamed('a'), podNamed('b')]);
      if (call.method === 'GET') return readPod(call);
      patches += 1;
      return patches === 1 ? { status: 422, body: { message: denied(notOptedIn) } } : { status: 200, body: {} };
    });
    const passes: number[] = [];
    const { complaints } = start(t, kube, { onPass: (at) => passes.push(at) });
    await waitFor('a full pass', () => passes.length > 0);
    assert.deepEqual([patches, complaints], [3, []]);
  });

  test('a webhook that fails pauses its namespace, and an API server that is away everything', async (t) => {
    for (const [status, want] of [
      [500, false],
      [503, true],
    ] as const) {
      const patched: string[] = [];
      const kube = fakeKube((call) => {
        if (call.path === NAMESPACES) return listOf(call, [optedIn('shop')]);
        if (call.path === PODS) return listOf(call, [podNamed('a'), podNamed('b')]);
        if (call.method === 'GET') return readPod(call);
        patched.push(call.path);
        return patched.length === 1
          ? { status, body: { message: 'failed calling webhook' } }
          : { status: 200, body: {} };
      });
      const holds: number[] = [];
      const pace = createPace(200);
      start(t, kube, { pace: { ...pace, hold: (ms) => holds.push(ms) } });
      await waitFor('both pods', () => patched.length === 3);
      assert.deepEqual(
        patched.map((path) => path.at(-1)),
        ['a', 'b', 'a'],
      );
      assert.equal(holds.length > 0, want);
    }
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
    assert.deepEqual(complaints.map(({ what, msg }) => `${what}: ${msg}`).toSorted(), [
      'watch of namespaces: API request failed, retrying',
      'watch of pods of shop: API request failed, retrying',
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
      if (call.method === 'GET') return readPod(call);
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

/** What the chart's policy for the reconciler says, and how a message ends that may be another's fault. */
function readGuard(): { readonly messages: readonly string[]; readonly orAnother: string } {
  const template = readFileSync(new URL('../../../chart/templates/reconciler/guard.yaml', import.meta.url), 'utf8');
  const orAnother = /\$orAnother := "(.*?)"/.exec(template)?.[1] ?? assert.fail('the sentence is not there');
  const messages = [...template.matchAll(/^ *message: (.*)$/gm)].map(([, message = '']) => message);
  return { messages: messages.map((message) => message.replace('{{ $orAnother }}', orAnother)), orAnother };
}

/** What the API server says when that policy refuses a change. */
function denied(message: string | undefined): string {
  return `pods "x" is forbidden: ValidatingAdmissionPolicy 'autoscrape-reconciler' with binding 'b' denied request: ${message}`;
}

/** The pod that a call asks for. */
function readPod({ path }: Call): Answer {
  return { status: 200, body: podNamed(decodeURIComponent(path.split('/').at(-1) ?? '')) };
}

/** The same pod in another namespace. */
function elsewhere(pod: object): object {
  return { ...pod, metadata: { ...('metadata' in pod && Object(pod.metadata)), namespace: 'other' } };
}

async function* lines(values: readonly unknown[]): AsyncGenerator<unknown, void> {
  yield* values;
}

/** Namespaces that change, one after the other: their names and the values of their labels. */
async function* changes(...namespaces: readonly (readonly [string, string])[]): AsyncGenerator<unknown, void> {
  for (const [name, value] of namespaces) yield { type: 'MODIFIED', object: optedIn(name, value) };
}

/** The namespace loses its label once it is rung for, and gets it again. */
async function* comeAndGo(rung: Promise<void>, signal: AbortSignal): AsyncGenerator<unknown, void> {
  await rung;
  yield { type: 'DELETED', object: optedIn('shop') };
  yield { type: 'ADDED', object: optedIn('shop') };
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve));
}

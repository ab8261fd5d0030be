import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { createRateLimiter } from '../../../src/kube/rate-limiter.ts';
import { createAskOnce } from '../../../src/reconcile/ask-once.ts';
import type { AskOnceOptions } from '../../../src/reconcile/ask-once.ts';
import { runBulk } from '../../../src/reconcile/bulk.ts';
import type { BulkReport } from '../../../src/reconcile/bulk.ts';
import { annotatePlanner } from '../../../src/reconcile/plan-annotate.ts';
import { renderReport } from '../../../src/reconcile/report.ts';
import { defaultRules } from '../../../src/rules/shipped.ts';
import { fakeKube, listOf } from '../kube/fake-kube.ts';
import { createAskingClock } from './asking-clock.ts';
import type { AskingClock } from './asking-clock.ts';
import { HTML, METRICS, patch, runningPod, serve } from './running-pods.ts';
import type { Pod } from './running-pods.ts';

const MINUTE = 60_000;
const rules = defaultRules();

/** As `autoscrape reconcile --once --ask` does, over the namespaces of these pods. */
async function once(
  clock: AskingClock,
  pods: readonly Pod[],
  dryRun: boolean,
  options: Partial<AskOnceOptions> = {},
): Promise<BulkReport> {
  const known = new Map(pods.map((pod) => [pod.metadata.name, pod]));
  const kube = fakeKube((request) => {
    if (request.path === '/api/v1/services') return listOf(request, []);
    const [, , , , namespace = '', kind, name = ''] = request.path.split('/');
    if (kind === undefined) return { status: 200, body: { metadata: { name: namespace } } };
    if (name === '') {
      return listOf(
        request,
        pods.filter(({ metadata }) => metadata.namespace === namespace),
      );
    }
    const pod = known.get(name);
    assert.ok(pod);
    return { status: 200, body: request.method === 'PATCH' ? patch(pod, request) : pod };
  });
  const namespaces = [...new Set(pods.map(({ metadata }) => metadata.namespace))].map((name) => ({
    name,
    optedIn: true,
    mesh: false,
    terminating: false,
  }));
  const { signal } = new AbortController();
  const made = await createAskOnce({
    kube,
    rules,
    namespaces,
    settings: { ports: 'likely', annotatedServices: 'leave' },
    version: '0.0.0',
    onProgress: () => undefined,
    clock,
    refusing: () => () => false,
    signal,
    ...options,
  });
  assert.ok(made.ok);
  const asking = made.value;
  const planned = await asking.prepare();
  const requests = dryRun ? planned : await moving(clock, asking.ask());
  const report = await runBulk({
    kube,
    namespaces,
    plannerFor: (namespace) => annotatePlanner(rules, namespace.mesh, asking.inNamespace(namespace)),
    isWanted: () => true,
    rateLimiter: createRateLimiter(1000),
    dryRun,
    onProgress: () => undefined,
    signal,
    finishesPatch: true,
  });
  return { ...report, requests, problems: [...asking.problems, ...report.problems] };
}

/** Moves time until the promise is fulfilled. */
async function moving<T>(clock: AskingClock, promise: Promise<T>): Promise<T> {
  let isDone = false;
  const done = promise.finally(() => (isDone = true));
  await clock.runUntil('the end', () => isDone, 60 * MINUTE);
  return done;
}

async function shop(t: TestContext): Promise<{ clock: AskingClock; pods: Pod[]; port: number; asked: () => number }> {
  const clock = createAskingClock();
  const server = await serve(t, { '/metrics': METRICS }, '127.0.0.2');
  const silent = await serve(t, { '/metrics': HTML }, '127.0.0.3');
  const { port } = server;
  const pods = [
    runningPod('orders-1', clock, { address: '127.0.0.2', port }),
    runningPod('orders-2', clock, { address: '127.0.0.2', port }),
    runningPod('website', clock, { namespace: 'web', address: '127.0.0.3', port: silent.port }),
  ];
  await clock.run(5 * MINUTE);
  pods.push(runningPod('young', clock, { address: '127.0.0.2', port, env: 'young' }));
  return { clock, pods, port, asked: () => server.connections() + silent.connections() };
}

test('one pod of each workload is asked, and all of its pods are annotated', async (t) => {
  const { clock, pods, asked } = await shop(t);
  const report = await once(clock, pods, false);
  assert.deepEqual(
    report.pods.map(({ plan, applied }) => [plan.name, applied?.result ?? (plan.action === 'skip' && plan.reason)]),
    [
      ['orders-1', 'done'],
      ['orders-2', 'done'],
      ['young', 'to_be_asked'],
      ['website', 'asked_no_metrics'],
    ],
  );
  assert.equal(asked(), 2);
  assert.deepEqual(report.requests?.map(({ verdict }) => verdict?.key).toSorted(), ['html', 'metrics']);
  assert.deepEqual(report.problems, []);
  const website = report.pods.find(({ plan }) => plan.name === 'website')?.plan;
  assert.match((website?.action === 'skip' && website.detail) || '', /^port \d+: html$/);
  assert.match(renderReport(report, 'text'), /asked_no_metrics: port \d+: html\n/);
});

test('the Services are listed once, and not watched', async (t) => {
  const asked: string[] = [];
  const kube = fakeKube(
    (request) => {
      asked.push(`${request.method} ${request.path}`);
      return listOf(request, []);
    },
    (path) => assert.fail(`a watch of ${path}`),
  );
  const made = await createAskOnce({
    kube,
    rules,
    namespaces: [],
    settings: { ports: 'likely', annotatedServices: 'leave' },
    version: '0.0.0',
    onProgress: () => undefined,
    signal: t.signal,
  });
  assert.ok(made.ok);
  assert.deepEqual(asked, ['GET /api/v1/services']);
});

test('a second run asks only what is new, and pods without metrics', async (t) => {
  const { clock, pods, port, asked } = await shop(t);
  await once(clock, pods, false);
  pods.unshift(runningPod('orders-3', clock, { address: '127.0.0.2', port }));
  await clock.run(5 * MINUTE);
  const report = await once(clock, pods, false);
  assert.deepEqual(report.requests?.map(({ pod }) => pod).toSorted(), ['website', 'young']);
  assert.ok('autoscrape.io/injected' in (pods[0]?.metadata.annotations ?? {}));
  assert.equal(asked(), 4);
});

test('a dry run names every request in text, JSON and YAML, and sends none', async (t) => {
  const { clock, pods, port, asked } = await shop(t);
  const report = await once(clock, pods, true);
  const url = `http://127.0.0.2:${port}/metrics`;
  const text = renderReport(report, 'text');
  assert.match(text, /^At most 2 requests to 2 pods would be sent, besides those that an answer leads to:\n/);
  assert.ok(text.includes(`  shop/orders-1  GET ${url}\n`), text);
  const json: { requests: object[] } = JSON.parse(renderReport(report, 'json'));
  assert.deepEqual(json.requests[0], { namespace: 'shop', pod: 'orders-1', url });
  assert.ok(renderReport(report, 'yaml').includes(`url: ${url}`));
  assert.equal(asked(), 0);
});

function refusing(): (address: string) => boolean {
  return (address) => address === '127.0.0.2';
}

test('a pod on an address that must not be asked is not named, and not asked', async (t) => {
  const { clock, pods, asked } = await shop(t);
  assert.equal((await once(clock, pods, true, { refusing })).requests?.length, 1);
  await once(clock, pods, false, { refusing });
  assert.equal(asked(), 1);
});

test("the API server's own host is among the addresses that must not be asked", async (t) => {
  const { clock, pods } = await shop(t);
  const hosts: string[] = [];
  const record = (further: Iterable<string> = []): (() => boolean) => {
    hosts.push(...further);
    return () => false;
  };
  await once(clock, pods, true, { refusing: record });
  assert.ok(hosts.includes('fake'), hosts.join(' '));
});

test('a rule that only hints decides without an answer where the pod is older than ten minutes', async () => {
  const clock = createAskingClock();
  const spring = { livenessProbe: { httpGet: { path: '/actuator/health', port: 1 } } };
  const pod = runningPod('a', clock, { port: 1, container: spring });
  await clock.run(5 * MINUTE);
  const other = runningPod('b', clock, { port: 1, container: spring, namespace: 'other' });
  await clock.run(6 * MINUTE);
  const dry = await once(clock, [pod, other], true);
  assert.deepEqual(
    dry.pods.map(({ plan }) => plan.action === 'skip' && plan.reason),
    ['to_be_asked', 'to_be_asked'],
  );
  const report = await once(clock, [pod, other], false);
  assert.deepEqual(
    report.pods.map(({ plan }) => (plan.action === 'skip' ? plan.reason : plan.rule)),
    ['spring-boot', 'spring-boot'],
  );
});

test('a namespace with more workloads than are asked is named in the report', async () => {
  const clock = createAskingClock();
  const pods = Array.from({ length: 510 }, (_, index) => runningPod(`a-${index}`, clock, { env: String(index) }));
  await clock.run(5 * MINUTE);
  const report = await once(clock, pods, true);
  assert.equal(report.requests?.length, 500);
  assert.deepEqual(report.problems, ['namespace shop: has more workloads than are asked in one run']);
});

test('without the right to list Services nothing is asked, and the failure says so', async () => {
  const made = await createAskOnce({
    kube: fakeKube(() => ({ status: 403, body: { message: 'services is forbidden' } })),
    rules,
    namespaces: [],
    settings: { ports: 'likely', annotatedServices: 'leave' },
    version: '0.0.0',
    onProgress: () => undefined,
    signal: new AbortController().signal,
  });
  assert.deepEqual(made, { ok: false, error: { status: 403, message: 'services is forbidden' } });
});

import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { TestContext } from 'node:test';
import { refusedAddresses } from '../../../src/ask/refused-address.ts';
import { createLog } from '../../../src/process/log.ts';
import { createRegistry } from '../../../src/process/metrics.ts';
import { createAskMemory } from '../../../src/reconcile/remembered-answers.ts';
import { createFailureLog } from '../../../src/reconcile/failure-log.ts';
import type { AskOptions } from '../../../src/reconcile/live-asking.ts';
import { createReconcileMetrics } from '../../../src/reconcile/metrics.ts';
import { createReconciler } from '../../../src/reconcile/reconciler.ts';
import type { Reconciler } from '../../../src/reconcile/reconciler.ts';
import { parseRules } from '../../../src/core/rules/parse.ts';
import type { Rules } from '../../../src/core/rules/parse.ts';
import { defaultRules, readShipped } from '../../../src/rules/shipped.ts';
import { startRawServer } from '../../harness/asking/raw-server.ts';
import { fakeKube, listOf } from '../kube/fake-kube.ts';
import { createAskingClock } from './asking-clock.ts';
import type { AskingClock } from './asking-clock.ts';
import { HTML, METRICS, nextVersion, patch, runningPod, serve } from './running-pods.ts';
import type { Pod, PodOptions } from './running-pods.ts';

const MINUTE = 60_000;

/** Before any pod has been ready for long enough to be asked. */
const SOON = 20_000;

/** What runs in a test: a cluster that holds these pods, and the reconciler that asks them. */
interface Running {
  readonly clock: AskingClock;
  readonly reconciler: Reconciler;
  readonly pods: Map<string, Pod>;
  readonly lines: Record<string, unknown>[];
  readonly missed: () => number;
  readonly passes: () => number;
  readonly changeService: (type: 'ADDED' | 'MODIFIED' | 'DELETED', service: object) => void;
  readonly relabel: (namespace: string, labels: Record<string, string>) => void;
  readonly add: (pod: Pod) => void;
  readonly remove: (pod: Pod) => void;
  readonly stop: () => Promise<void>;
}

interface StartOptions extends Partial<AskOptions> {
  readonly namespaces?: readonly string[];
  readonly labels?: Record<string, string>;
  readonly services?: readonly object[];
  readonly rules?: string;
  readonly servicesStatus?: number;
  readonly servicesListed?: Promise<void>;
}

/** Runs a reconciler that asks, until the test ends. */
function start(t: TestContext, clock: AskingClock, pods: readonly Pod[], options: StartOptions = {}): Running {
  const {
    namespaces = ['shop'],
    services = [],
    labels = {},
    rules: file,
    servicesStatus = 200,
    servicesListed,
    ...ask
  } = options;
  const known = new Map(pods.map((pod) => [pod.metadata.name, pod]));
  const watchers = new Map<string, (event: object) => void>();
  const kube = fakeKube(
    (request) => {
      if (request.path === '/api/v1/namespaces') {
        const items = namespaces.map((name) => ({
          metadata: { name, labels: { 'autoscrape.io/inject': 'enabled', ...labels } },
        }));
        return listOf(request, items);
      }
      if (request.path === '/api/v1/services') {
        if (servicesListed !== undefined) return servicesListed.then(() => listOf(request, services));
        return servicesStatus === 200 ? listOf(request, services) : { status: servicesStatus, body: {} };
      }
      if (request.path.endsWith('/pods')) {
        return listOf(
          request,
          [...known.values()].filter(({ metadata }) => request.path.includes(`/${metadata.namespace}/`)),
        );
      }
      const pod = known.get(request.path.split('/').at(-1) ?? '');
      if (pod === undefined) return { status: 404, body: {} };
      return { status: 200, body: request.method === 'PATCH' ? patch(pod, request) : pod };
    },
    (path, signal) => ({ status: 200, lines: events(path, watchers, signal) }),
  );
  const lines: Record<string, unknown>[] = [];
  const log = createLog('info', { write: (text: string) => void lines.push(JSON.parse(text)) });
  const rules = file === undefined ? defaultRules() : readRules(file);
  let missed = 0;
  let passes = 0;
  const stop = new AbortController();
  const reconciler = createReconciler({
    kube,
    rules: () => rules,
    metrics: {
      ...createReconcileMetrics(createRegistry(), { namespaces: () => 0, pods: () => new Map() }),
      missed: () => (missed += 1),
      fullPass: () => (passes += 1),
    },
    failureLog: createFailureLog(log),
    log,
    rateLimiter: { wait: () => Promise.resolve(), pauseFor: () => undefined },
    excluded: new Set(),
    only: undefined,
    relistMs: 600_000,
    signal: stop.signal,
    ask: {
      ports: 'likely',
      annotatedServices: 'leave',
      version: '0.0.0',
      wasAsked: false,
      memory: createAskMemory({ now: clock.now, onFull: () => undefined }),
      clock,
      refusing: () => () => false,
      ...ask,
    },
  });
  const running = reconciler.run();
  const end = async (): Promise<void> => {
    stop.abort();
    await running;
  };
  t.after(end);
  const change = (type: string, pod: Pod): void => {
    watchers.get(`/api/v1/namespaces/${pod.metadata.namespace}/pods`)?.({ type, object: pod });
  };
  return {
    clock,
    reconciler,
    pods: known,
    lines,
    missed: () => missed,
    passes: () => passes,
    changeService: (type, service) => watchers.get('/api/v1/services')?.({ type, object: service }),
    relabel(name, changed) {
      const object = { metadata: { name, labels: { 'autoscrape.io/inject': 'enabled', ...changed } } };
      watchers.get('/api/v1/namespaces')?.({ type: 'MODIFIED', object });
    },
    add(pod) {
      known.set(pod.metadata.name, pod);
      change('ADDED', pod);
    },
    remove(pod) {
      known.delete(pod.metadata.name);
      change('DELETED', { ...pod, metadata: { ...pod.metadata, resourceVersion: nextVersion() } });
    },
    stop: end,
  };
}

function readRules(file: string): Rules {
  const parsed = parseRules(file, readShipped());
  assert.ok(parsed.ok);
  return parsed.value.rules;
}

async function* events(
  path: string,
  watchers: Map<string, (event: object) => void>,
  signal: AbortSignal,
): AsyncGenerator<unknown, void> {
  const queue: object[] = [];
  let wake: (() => void) | undefined;
  watchers.set(path, (event) => {
    queue.push(event);
    wake?.();
  });
  signal.addEventListener('abort', () => wake?.());
  while (!signal.aborted) {
    yield* queue.splice(0);
    await new Promise<void>((resolve) => (wake = resolve));
  }
}

function annotationsOf(running: Running, name: string): Record<string, string> {
  return running.pods.get(name)?.metadata.annotations ?? {};
}

function isAnnotated(running: Running, name: string): boolean {
  return 'autoscrape.io/injected' in annotationsOf(running, name);
}

function asked(running: Running): Record<string, unknown>[] {
  return running.lines.filter(({ msg }) => msg === 'pod asked');
}

function askLabel(value: string | undefined): Record<string, string> {
  return value === undefined ? {} : { 'autoscrape.io/ask': value };
}

/** Refuses only the addresses of the cluster, so that servers on the loopback interface can be asked. */
function refusingOnly(addresses: Iterable<string> = []): (address: string) => boolean {
  const known = new Set(addresses);
  return (address) => known.has(address);
}

/** Returns the status after a restart of the container. */
function restarted(status: Pod['status']): Pod['status'] {
  const text = JSON.stringify(status).replaceAll('"restartCount":0', '"restartCount":1');
  return JSON.parse(text);
}

/** Resolves when the reconciler has listed the pods. */
async function listed(running: Running, count: number): Promise<void> {
  const known = (): number => [...running.reconciler.pods().values()].reduce((sum, pods) => sum + pods, 0);
  await running.clock.runUntil('the list', () => known() === count, MINUTE);
}

suite('the reconciler that asks', { concurrency: 4 }, () => {
  test('a pod that answers with metrics is annotated with the rule "asked", and was not missed', async (t) => {
    const clock = createAskingClock();
    const server = await serve(t, { '/metrics': METRICS });
    const running = start(t, clock, [runningPod('a', clock, { port: server.port })]);
    await clock.runUntil('the annotation', () => isAnnotated(running, 'a'), 2 * MINUTE);
    const { 'autoscrape.io/injected': marker = '', ...annotations } = annotationsOf(running, 'a');
    assert.deepEqual(annotations, {
      'prometheus.io/scrape': 'true',
      'prometheus.io/port': String(server.port),
      'prometheus.io/path': '/metrics',
    });
    assert.equal(JSON.parse(marker).rule, 'asked');
    assert.equal(server.connections(), 1);
    assert.equal(running.missed(), 0);
  });

  test('no pod is asked before it has been ready for half a minute, nor without the flag', async (t) => {
    const clock = createAskingClock();
    const server = await serve(t, { '/metrics': METRICS });
    const running = start(t, clock, [runningPod('a', clock, { port: server.port })]);
    await listed(running, 1);
    await clock.run(29_000);
    assert.equal(server.connections(), 0);
    assert.deepEqual([...running.reconciler.pods()], [['to_be_asked', 1]]);
    await clock.run(MINUTE);
    assert.equal(server.connections(), 1);
  });

  test('a hundred replicas are asked once, and all are annotated', async (t) => {
    const clock = createAskingClock();
    const server = await serve(t, { '/metrics': METRICS });
    const names = Array.from({ length: 100 }, (_, index) => `a-${index}`);
    const running = start(
      t,
      clock,
      names.map((name) => runningPod(name, clock, { port: server.port })),
    );
    await clock.runUntil('all annotations', () => names.every((name) => isAnnotated(running, name)), 5 * MINUTE);
    assert.equal(server.connections(), 1);
    const later = runningPod('later', clock, { port: server.port });
    running.add(later);
    await clock.runUntil('the new replica', () => isAnnotated(running, 'later'), MINUTE);
    assert.equal(server.connections(), 1);
  });

  test('"no" is asked again after 10 minutes, 1 hour and 1 day, each time at another replica', async (t) => {
    const clock = createAskingClock();
    const servers = [await serve(t, { '/metrics': HTML }, '127.0.0.2')];
    const port = servers[0]?.port ?? 0;
    const running = start(t, clock, [
      runningPod('a', clock, { port, address: '127.0.0.2' }),
      runningPod('b', clock, { port, address: '127.0.0.2' }),
    ]);
    const times = (): number => asked(running).length;
    await clock.runUntil('the first request', () => times() === 1, 2 * MINUTE);
    const since = clock.now();
    assert.deepEqual([...running.reconciler.pods()], [['asked_no_metrics', 2]]);
    await clock.run(9 * MINUTE);
    assert.equal(times(), 1);
    await clock.runUntil('the second', () => times() === 2, 2 * MINUTE);
    await clock.runUntil('the third', () => times() === 3, 62 * MINUTE);
    assert.ok(clock.now() - since > 69 * MINUTE);
    assert.notEqual(asked(running)[0]?.['pod'], asked(running)[1]?.['pod']);
    assert.notEqual(asked(running)[1]?.['pod'], asked(running)[2]?.['pod']);
  });

  test('a silent port is asked again after a minute, also where other ports of its pod are due before', async (t) => {
    const clock = createAskingClock();
    const server = await serve(t, {});
    const closed = await startRawServer((socket) => socket.destroy());
    await closed.close();
    // Each of the open ports takes three requests, so twelve are not enough for all.
    const suggesting = { command: ['--server.servlet.context-path=/a', '--management.endpoints.web.base-path=/b'] };
    const servers = await Promise.all(['1', '2', '3', '4'].map(() => serve(t, {})));
    const ports = [closed, server, ...servers].map(({ port }, index) => ({
      name: `web${index}`,
      containerPort: port,
    }));
    const running = start(t, clock, [runningPod('a', clock, { container: { ...suggesting, ports } })]);
    const last = servers[3]?.port;
    await clock.runUntil('the last port', () => asked(running).some(({ port }) => port === last), 5 * MINUTE);
    assert.equal(asked(running).filter(({ port }) => port === closed.port).length, 1);
  });

  test('a port that asks for credentials is not annotated, and the log says what to change', async (t) => {
    const clock = createAskingClock();
    const server = await serve(t, { '/metrics': 'HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n' });
    const running = start(t, clock, [runningPod('a', clock, { port: server.port })]);
    await clock.runUntil('the request', () => asked(running).length === 1, 2 * MINUTE);
    assert.deepEqual([...running.reconciler.pods()], [['asked_unscrapable', 1]]);
    assert.match(String(asked(running)[0]?.['remedy']), /without credentials/);
  });

  test('nothing that a server writes reaches the log or the annotations', async (t) => {
    const clock = createAskingClock();
    const answer = `HTTP/1.1 418 EVIL\r\nContent-Type: EVIL\r\nLocation: http://EVIL/EVIL\r\nX: EVIL\r\n\r\nEVIL{EVIL="EVIL"} 1\n`;
    const server = await serve(t, { '/metrics': answer });
    const running = start(t, clock, [runningPod('a', clock, { port: server.port })]);
    await clock.runUntil('the request', () => asked(running).length === 1, 2 * MINUTE);
    assert.doesNotMatch(JSON.stringify(running.lines), /EVIL/);
    assert.deepEqual(annotationsOf(running, 'a'), {});
  });

  test('no port of a pod is asked that its label or its namespace excludes', async (t) => {
    for (const [ofNamespace, ofPod, expected] of [
      ['disabled', undefined, 0],
      [undefined, 'false', 0],
      [undefined, 'perhaps', 0],
      ['disabled', 'enabled', 1],
    ] as const) {
      const clock = createAskingClock();
      const server = await serve(t, { '/metrics': METRICS });
      const pod = runningPod('a', clock, { port: server.port, labels: askLabel(ofPod) });
      const running = start(t, clock, [pod], { labels: askLabel(ofNamespace) });
      await listed(running, 1);
      await clock.run(2 * MINUTE);
      assert.equal(server.connections(), expected, `${ofNamespace} ${ofPod}`);
      if (expected === 0) assert.deepEqual([...running.reconciler.pods()], [['no_candidate', 1]]);
    }
  });

  test('a namespace whose label autoscrape.io/ask is unknown is not asked, and logged', async (t) => {
    const clock = createAskingClock();
    const running = start(t, clock, [runningPod('a', clock)], { labels: { 'autoscrape.io/ask': 'perhaps' } });
    await listed(running, 1);
    const [line] = running.lines.filter(({ msg }) => msg === 'namespace is not asked');
    assert.match(String(line?.['reason']), /"perhaps", which is read as no/);
  });

  test('a namespace that is switched off later is not asked any more, and its pods are planned again', async (t) => {
    const clock = createAskingClock();
    const server = await serve(t, { '/metrics': METRICS });
    const running = start(t, clock, [runningPod('a', clock, { port: server.port })]);
    await listed(running, 1);
    await clock.run(25_000);
    running.relabel('shop', { 'autoscrape.io/ask': 'disabled' });
    await clock.run(5 * MINUTE);
    assert.equal(server.connections(), 0);
    assert.deepEqual([...running.reconciler.pods()], [['no_candidate', 1]]);
    running.relabel('shop', {});
    await clock.runUntil('the annotation', () => isAnnotated(running, 'a'), MINUTE);
  });

  test('an answer does not count where the namespace was switched off meanwhile', async (t) => {
    const clock = createAskingClock();
    let onRequest: (() => void) | undefined;
    const server = await startRawServer((socket) => {
      onRequest?.();
      setTimeout(() => socket.end(METRICS), 20); // the watch is read meanwhile
    });
    t.after(() => server.close());
    const running = start(t, clock, [runningPod('a', clock, { port: server.port })]);
    onRequest = () => running.relabel('shop', { 'autoscrape.io/ask': 'disabled' });
    await clock.runUntil('the request', () => asked(running).length === 1, 2 * MINUTE);
    onRequest = undefined;
    running.relabel('shop', {});
    await clock.runUntil('the annotation', () => isAnnotated(running, 'a'), 2 * MINUTE);
    assert.equal(server.connections(), 2);
  });

  test('a full pass does not wait for answers', async (t) => {
    const clock = createAskingClock();
    const server = await serve(t, { '/metrics': METRICS });
    const running = start(t, clock, [runningPod('a', clock, { port: server.port })]);
    await clock.runUntil('a full pass', () => running.passes() > 0, SOON);
    assert.deepEqual([...running.reconciler.pods()], [['to_be_asked', 1]]);
    assert.equal(server.connections(), 0);
  });

  test('the same image in two namespaces, or with another variable, is asked for itself', async (t) => {
    const clock = createAskingClock();
    const mine = await serve(t, { '/metrics': METRICS }, '127.0.0.2');
    const { port } = mine;
    const theirs = await startRawServer((socket) => socket.end(HTML), { address: '127.0.0.3', port });
    t.after(() => theirs.close());
    const running = start(
      t,
      clock,
      [
        runningPod('mine', clock, { port, address: '127.0.0.2' }),
        runningPod('theirs', clock, { port, address: '127.0.0.3', namespace: 'other' }),
        runningPod('switched', clock, { port, address: '127.0.0.3', env: 'off' }),
      ],
      { namespaces: ['shop', 'other'] },
    );
    await clock.runUntil('three requests', () => asked(running).length === 3, 3 * MINUTE);
    await clock.run(MINUTE);
    assert.deepEqual(
      ['mine', 'theirs', 'switched'].map((name) => isAnnotated(running, name)),
      [true, false, false],
    );
  });

  test('no more than five requests are sent in a second', async (t) => {
    const clock = createAskingClock();
    const at: number[] = [];
    const server = await startRawServer((socket) => {
      at.push(clock.now());
      socket.end(HTML);
    });
    t.after(() => server.close());
    const namespaces = Array.from({ length: 30 }, (_, index) => `shop-${index}`);
    const container = { readinessProbe: { httpGet: { path: '/base/health', port: server.port } } };
    const pods = namespaces.map((namespace) =>
      runningPod(`of-${namespace}`, clock, { namespace, port: server.port, container }),
    );
    const running = start(t, clock, pods, { namespaces });
    await clock.runUntil('all requests', () => asked(running).length === 60, 3 * MINUTE);
    for (const [index, time] of at.entries()) assert.ok((at[index + 5] ?? Infinity) - time >= 1000);
  });

  test('a pod is asked by one request at a time, and so are a namespace and a node', async (t) => {
    const clock = createAskingClock();
    let open = 0;
    let most = 0;
    const server = await startRawServer((socket) => {
      open += 1;
      most = Math.max(most, open);
      clock.after(3000, () => {
        open -= 1;
        socket.end(HTML);
      });
    });
    t.after(() => server.close());
    clock.isHasty = true;
    for (const [what, options] of [
      ['one namespace', [{}, { env: 'b' }, { env: 'c' }]],
      ['one node', ['a', 'b', 'c'].map((namespace) => ({ namespace, node: 'one' }))],
    ] as const) {
      most = 0;
      const pods = options.map((option, index) => runningPod(`p-${index}`, clock, { port: server.port, ...option }));
      const running = start(t, clock, pods, { namespaces: ['shop', 'a', 'b', 'c'] });
      await clock.runUntil('all requests', () => asked(running).length >= 3, 5 * MINUTE);
      assert.equal(most, 1, what);
      await running.stop();
    }
  });

  test('a namespace whose pods never answer does not keep another one waiting', async (t) => {
    const clock = createAskingClock();
    const slow = await startRawServer(() => undefined);
    t.after(() => slow.close());
    const server = await serve(t, { '/metrics': METRICS });
    const pods = Array.from({ length: 20 }, (_, index) =>
      runningPod(`slow-${index}`, clock, { namespace: 'slow', port: slow.port, env: String(index) }),
    );
    const running = start(t, clock, pods, { namespaces: ['slow', 'shop'] });
    await listed(running, 20);
    clock.isHasty = true;
    await clock.runUntil('the first', () => slow.connections() > 0, 2 * MINUTE);
    running.add(runningPod('a', clock, { port: server.port }));
    await clock.runUntil('the annotation', () => isAnnotated(running, 'a'), 2 * MINUTE);
    assert.ok(slow.connections() < 20);
  });

  test('slow pods of one namespace do not take a node in turn', async (t) => {
    const clock = createAskingClock();
    const slow = await Promise.all(['1', '2', '3'].map(() => startRawServer(() => undefined)));
    for (const each of slow) t.after(() => each.close());
    const server = await serve(t, { '/metrics': METRICS });
    const ports = slow.map(({ port }, index) => ({ name: `web${index}`, containerPort: port }));
    const pods = Array.from({ length: 6 }, (_, index) =>
      runningPod(`slow-${index}`, clock, { namespace: 'a', node: 'n', env: String(index), container: { ports } }),
    );
    const pod = runningPod('a', clock, { node: 'n', port: server.port });
    // In this order: the slow namespace comes first whenever both are due.
    const running = start(t, clock, [...pods, pod], { namespaces: ['a', 'shop'], random: () => 0.99 });
    await listed(running, 7);
    clock.isHasty = true;
    await clock.runUntil('the annotation', () => isAnnotated(running, 'a'), 3 * MINUTE);
    assert.ok((slow[0]?.connections() ?? 0) <= 2);
  });

  test('requests end at once when leadership is lost, and nothing follows from them', async (t) => {
    const clock = createAskingClock();
    const closed = Promise.withResolvers<void>();
    const server = await startRawServer((socket) => void socket.on('close', () => closed.resolve()));
    t.after(() => server.close());
    const running = start(t, clock, [runningPod('a', clock, { port: server.port })]);
    await listed(running, 1);
    clock.isHasty = true;
    await clock.runUntil('the request', () => server.requests.length === 1, 2 * MINUTE);
    const since = clock.now();
    await running.stop();
    await closed.promise;
    assert.equal(clock.now(), since);
    assert.deepEqual(asked(running), []);
  });

  test('an answer counts only for the pod that was asked: not where another one has its name by then', async (t) => {
    const clock = createAskingClock();
    let replace: (() => void) | undefined;
    const server = await startRawServer((socket) => {
      replace?.();
      socket.end(METRICS);
    });
    t.after(() => server.close());
    const running = start(t, clock, [runningPod('a', clock, { port: server.port })]);
    replace = () => {
      replace = undefined;
      running.pods.set('a', runningPod('a', clock, { port: server.port, env: 'other' }));
    };
    await clock.runUntil('the request', () => asked(running).length === 1, 2 * MINUTE);
    await clock.run(20_000);
    assert.equal(isAnnotated(running, 'a'), false);
  });

  test('no further request goes to the address of a pod that is deleted or fails while it is asked', async (t) => {
    for (const end of ['deleted', 'terminating', 'failed'] as const) {
      const clock = createAskingClock();
      const next = await serve(t, {});
      const first = await startRawServer((socket) => {
        const pod = running.pods.get('a') ?? assert.fail();
        const metadata = { ...pod.metadata, resourceVersion: nextVersion() };
        if (end === 'deleted') running.remove(pod);
        else if (end === 'failed') running.add({ ...pod, metadata, status: { ...pod.status, phase: 'Failed' } });
        else running.add({ ...pod, metadata: Object.assign(metadata, { deletionTimestamp: '2026-01-01T00:01:00Z' }) });
        socket.end('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n');
      });
      t.after(() => first.close());
      const ports = [first, next].map(({ port }, index) => ({ name: `web${index}`, containerPort: port }));
      const running = start(t, clock, [runningPod('a', clock, { container: { ports } })]);
      await clock.runUntil('the first request', () => first.connections() > 0, 2 * MINUTE);
      await clock.run(10_000);
      assert.deepEqual([first.connections(), next.connections()], [1, 0], end);
      await running.stop();
    }
  });

  test('a pod that ends at each request is asked less and less often, and never annotated', async (t) => {
    const clock = createAskingClock();
    let restart: (() => void) | undefined;
    const server = await startRawServer((socket) => {
      restart?.();
      socket.end(METRICS);
    });
    t.after(() => server.close());
    const pod = runningPod('a', clock, { port: server.port });
    const running = start(t, clock, [pod], { perSecond: 0.125 });
    restart = () => {
      const { metadata, status } = runningPod('a', clock, { port: server.port });
      running.add({ ...pod, metadata: { ...metadata, uid: pod.metadata.uid }, status: restarted(status) });
    };
    await listed(running, 1);
    await clock.run(24 * 60 * MINUTE);
    // After 5 minutes twice, for the restart; then after 30 minutes, 6 hours, and a day.
    assert.equal(server.connections(), 5);
    assert.equal(isAnnotated(running, 'a'), false);
  });

  test('addresses of nodes, of Services and of the loopback interface are never asked', async (t) => {
    const clock = createAskingClock();
    const server = await serve(t, { '/metrics': METRICS });
    const services = [
      {
        metadata: { namespace: 'other', name: 's' },
        spec: { clusterIP: '127.0.0.1', selector: { app: 's' }, ports: [] },
      },
    ];
    for (const options of [{ refusing: refusedAddresses }, { services }, {}]) {
      const pod = runningPod('a', clock, { port: server.port });
      const other = runningPod('other', clock, {
        hostIP: 'services' in options || 'refusing' in options ? '' : '127.0.0.1',
      });
      const running = start(t, clock, [pod, other], { refusing: refusingOnly, ...options });
      await listed(running, 2);
      await clock.run(5 * MINUTE);
      assert.equal(server.connections(), 0, JSON.stringify(Object.keys(options)));
      assert.equal(running.reconciler.pods().get('could_not_ask'), 2);
      await running.stop();
    }
  });

  test('an address is asked again two hours after the last pod on a node that had it', async (t) => {
    const clock = createAskingClock();
    const server = await serve(t, { '/metrics': METRICS });
    const other = runningPod('other', clock, { hostIP: '127.0.0.1', annotations: { 'prometheus.io/scrape': 'false' } });
    // So slow only that hours pass quickly.
    const running = start(t, clock, [other], { refusing: refusingOnly, perSecond: 0.05 });
    await listed(running, 1);
    running.remove(other);
    await clock.run(118 * MINUTE);
    running.add(runningPod('a', clock, { port: server.port }));
    await clock.runUntil('the refusal', () => running.reconciler.pods().get('could_not_ask') === 1, 2 * MINUTE);
    await clock.runUntil('the annotation', () => isAnnotated(running, 'a'), 40 * MINUTE);
  });

  test('a port that only a Service names is asked; pods of an annotated Service are left, unless they are to be asked', async (t) => {
    for (const [annotatedServices, scrape, expected] of [
      ['leave', 'false', 1],
      ['leave', 'true', 0],
      ['ask', 'true', 1],
    ] as const) {
      const clock = createAskingClock();
      const server = await serve(t, { '/metrics': METRICS });
      const services = [
        {
          metadata: { namespace: 'shop', name: 's', annotations: { 'prometheus.io/scrape': scrape } },
          spec: {
            clusterIP: '10.0.0.9',
            selector: { app: 'a' },
            ports: [{ name: 'http', port: 80, targetPort: server.port }],
          },
        },
      ];
      const pod = runningPod('a', clock, { container: { ports: [] } });
      const running = start(t, clock, [pod], { services, annotatedServices });
      await listed(running, 1);
      await clock.run(2 * MINUTE);
      assert.equal(server.connections(), expected, `${annotatedServices} ${scrape}`);
      assert.equal(isAnnotated(running, 'a'), expected === 1);
      if (expected === 1) continue;
      assert.deepEqual([...running.reconciler.pods()], [['service_annotated', 1]]);
      const named = running.lines.filter(({ service }) => service === 's');
      assert.equal(named.length, 1);
    }
  });

  test('pods are planned again when the Services are listed late', async (t) => {
    const clock = createAskingClock();
    const server = await serve(t, { '/metrics': METRICS });
    const pod = runningPod('a', clock, { container: { ports: [] } });
    const ports = [{ name: 'http', port: 80, targetPort: server.port }];
    const services = [{ metadata: { namespace: 'shop', name: 's' }, spec: { selector: { app: 'a' }, ports } }];
    const servicesListed = Promise.withResolvers<void>();
    const running = start(t, clock, [pod], { services, servicesListed: servicesListed.promise });
    await listed(running, 1);
    await clock.run(2 * MINUTE);
    assert.deepEqual([...running.reconciler.pods()], [['no_candidate', 1]]);
    servicesListed.resolve();
    await clock.runUntil('the annotation', () => isAnnotated(running, 'a'), 2 * MINUTE);
  });

  test('a Service that comes, or is annotated, after its pods is seen at once', async (t) => {
    const clock = createAskingClock();
    const server = await serve(t, { '/metrics': METRICS });
    const pods = [
      runningPod('a', clock, { container: { ports: [] } }),
      runningPod('b', clock, { labels: { at: 'b' } }),
    ];
    const running = start(t, clock, pods);
    await listed(running, 2);
    const ports = [{ name: 'http', port: 80, targetPort: server.port }];
    const named = { metadata: { namespace: 'shop', name: 's' }, spec: { selector: { app: 'a' }, ports } };
    await clock.run(1000);
    running.changeService('ADDED', named);
    const annotations = { 'prometheus.io/scrape': 'true' };
    const scraped = { metadata: { namespace: 'shop', name: 't', annotations }, spec: { selector: { at: 'b' } } };
    running.changeService('ADDED', scraped);
    await clock.runUntil('the plan', () => running.reconciler.pods().get('service_annotated') === 1, SOON);
    await clock.runUntil('the annotation', () => isAnnotated(running, 'a'), 2 * MINUTE);
    running.changeService('DELETED', scraped);
    await clock.runUntil(
      'the next plan',
      () => running.reconciler.pods().get('service_annotated') === undefined,
      MINUTE,
    );
  });

  test('nothing is asked while the Services cannot be listed, and pods that rules find are annotated all the same', async (t) => {
    const clock = createAskingClock();
    const server = await serve(t, { '/metrics': METRICS });
    const pods = [
      runningPod('a', clock, { port: server.port }),
      runningPod('b', clock, { container: { ports: [{ name: 'metrics', containerPort: 9464 }] } }),
    ];
    const running = start(t, clock, pods, { servicesStatus: 403 });
    await listed(running, 2);
    await clock.runUntil('the annotation', () => isAnnotated(running, 'b'), MINUTE);
    await clock.run(2 * MINUTE);
    assert.equal(server.connections(), 0);
    assert.equal(running.reconciler.pods().get('to_be_asked'), 1);
  });
});

/** A pod that a rule with `confirm: true` finds at `/actuator/prometheus`. */
function springPod(name: string, clock: AskingClock, options: PodOptions & { readonly port: number }): Pod {
  const probe = { httpGet: { path: '/actuator/health', port: options.port } };
  return runningPod(name, clock, { ...options, container: { livenessProbe: probe } });
}

function ruleOf(running: Running, name: string): string | undefined {
  const marker = annotationsOf(running, name)['autoscrape.io/injected'];
  return marker === undefined ? undefined : JSON.parse(marker).rule;
}

suite('a rule that only hints', { concurrency: 4 }, () => {
  test('is asked first at its own endpoint, and gives its name where that answers', async (t) => {
    const clock = createAskingClock();
    const server = await serve(t, { '/actuator/prometheus': METRICS, '/metrics': METRICS });
    const running = start(t, clock, [springPod('a', clock, { port: server.port })]);
    await clock.runUntil('the annotation', () => isAnnotated(running, 'a'), 2 * MINUTE);
    assert.equal(ruleOf(running, 'a'), 'spring-boot');
    assert.equal(annotationsOf(running, 'a')['prometheus.io/path'], '/actuator/prometheus');
    assert.equal(server.connections(), 1);
    assert.equal(running.missed(), 0);
  });

  test('is corrected where another path answers', async (t) => {
    const clock = createAskingClock();
    const server = await serve(t, { '/metrics': METRICS });
    const running = start(t, clock, [springPod('a', clock, { port: server.port })]);
    await clock.runUntil('the annotation', () => isAnnotated(running, 'a'), 2 * MINUTE);
    assert.equal(ruleOf(running, 'a'), 'asked');
    assert.equal(annotationsOf(running, 'a')['prometheus.io/path'], '/metrics');
  });

  test('is refuted where the port has no metrics', async (t) => {
    const clock = createAskingClock();
    const server = await serve(t, {});
    const running = start(t, clock, [springPod('a', clock, { port: server.port })]);
    await listed(running, 1);
    await clock.run(30 * MINUTE);
    assert.equal(isAnnotated(running, 'a'), false);
    assert.deepEqual([...running.reconciler.pods()], [['asked_no_metrics', 1]]);
  });

  test('decides without an answer where no request in the namespace was ever answered', async (t) => {
    const clock = createAskingClock();
    const running = start(t, clock, [springPod('a', clock, { port: 1 })]);
    await clock.runUntil('the annotation', () => isAnnotated(running, 'a'), 2 * MINUTE);
    assert.equal(ruleOf(running, 'a'), 'spring-boot');
    assert.equal(running.missed(), 0);
  });

  test('decides without an answer also where it has done so before a restart', async (t) => {
    const clock = createAskingClock();
    const annotations = {
      'prometheus.io/scrape': 'true',
      'prometheus.io/port': '1',
      'prometheus.io/path': '/actuator/prometheus',
    };
    const marker = JSON.stringify({ rule: 'spring-boot', added: annotations });
    const before = springPod('before', clock, { port: 1, env: 'before' });
    before.metadata.annotations = { ...annotations, 'autoscrape.io/injected': marker };
    const running = start(t, clock, [before, springPod('a', clock, { port: 1 })], { wasAsked: true });
    await clock.runUntil('the annotation', () => isAnnotated(running, 'a'), 2 * MINUTE);
    assert.equal(ruleOf(running, 'a'), 'spring-boot');
  });

  test('decides after ten minutes without an answer where others have answered', async (t) => {
    const clock = createAskingClock();
    const server = await serve(t, { '/metrics': METRICS });
    const running = start(t, clock, [runningPod('other', clock, { port: server.port })]);
    await clock.runUntil('the answer of another', () => isAnnotated(running, 'other'), 2 * MINUTE);
    running.add(springPod('a', clock, { port: 1 }));
    await clock.run(9 * MINUTE);
    assert.equal(isAnnotated(running, 'a'), false);
    await clock.runUntil('the annotation', () => isAnnotated(running, 'a'), 2 * MINUTE);
    assert.equal(ruleOf(running, 'a'), 'spring-boot');
  });

  test('decides after ten minutes for a pod that never becomes ready', async (t) => {
    const clock = createAskingClock();
    const pod = springPod('a', clock, { port: 1 });
    const running = start(t, clock, [{ ...pod, status: { phase: 'Pending' } }]);
    await listed(running, 1);
    await clock.run(9 * MINUTE);
    assert.equal(isAnnotated(running, 'a'), false);
    await clock.runUntil('the annotation', () => isAnnotated(running, 'a'), 2 * MINUTE);
  });

  test('decides at once where the pod must not be asked', async (t) => {
    for (const [options, ask, rules] of [
      [{ hostNetwork: true }, undefined, undefined],
      [{ labels: { 'autoscrape.io/ask': 'disabled' } }, undefined, undefined],
      [{}, { 'autoscrape.io/ask': 'disabled' }, undefined],
      [{}, undefined, 'ask: { never: [8080] }'],
      [{}, { 'istio-injection': 'enabled' }, undefined],
    ] as const) {
      const clock = createAskingClock();
      const running = start(t, clock, [springPod('a', clock, { port: 8080, ...options })], {
        ...(ask !== undefined && { labels: ask }),
        ...(rules !== undefined && { rules }),
      });
      await clock.runUntil('the annotation', () => isAnnotated(running, 'a'), SOON);
      assert.equal(ruleOf(running, 'a'), 'spring-boot');
    }
  });
});

suite('a workload that answered', { concurrency: 4 }, () => {
  test('keeps its target in a rollout: the new pod is annotated when it is seen, and asked afterwards', async (t) => {
    const clock = createAskingClock();
    const server = await serve(t, { '/metrics': METRICS });
    const { port } = server;
    const running = start(t, clock, [runningPod('v1', clock, { port, owner: 'shop' })]);
    await clock.runUntil('the first version', () => isAnnotated(running, 'v1'), 2 * MINUTE);
    const next = runningPod('v2', clock, { port, owner: 'shop', env: '2' });
    running.add({ ...next, status: { phase: 'Pending' } });
    await clock.runUntil('the second version', () => isAnnotated(running, 'v2'), SOON);
    assert.equal(ruleOf(running, 'v2'), 'asked');
    assert.equal(server.connections(), 1);
    const { metadata } = running.pods.get('v2') ?? assert.fail();
    running.add({ ...next, metadata: { ...metadata, resourceVersion: nextVersion() } });
    await clock.run(2 * MINUTE);
    assert.equal(server.connections(), 2);
    assert.equal(running.missed(), 0);
  });

  test('is asked first where its endpoint is in another container, or not one that would be asked', async (t) => {
    const clock = createAskingClock();
    const server = await serve(t, { '/metrics': METRICS });
    const { port } = server;
    const running = start(t, clock, [runningPod('v1', clock, { port, owner: 'shop' })]);
    await clock.runUntil('the first version', () => isAnnotated(running, 'v1'), 2 * MINUTE);
    running.add(runningPod('moved', clock, { port, owner: 'shop', container: { name: 'other' } }));
    const ports = [
      { name: 'grpc', containerPort: port },
      { name: 'http', containerPort: 1 },
    ];
    running.add(runningPod('renamed', clock, { port, owner: 'shop', container: { ports } }));
    await clock.run(SOON);
    assert.deepEqual(
      ['moved', 'renamed'].map((name) => isAnnotated(running, name)),
      [false, false],
    );
  });

  test('is asked first where its former path is not one that the new version suggests', async (t) => {
    const clock = createAskingClock();
    const server = await serve(t, { '/old/actuator/prometheus': METRICS, '/new/actuator/prometheus': METRICS });
    const below = (path: string): PodOptions => ({
      port: server.port,
      owner: 'shop',
      container: { env: [{ name: 'SERVER_SERVLET_CONTEXT_PATH', value: path }] },
    });
    const running = start(t, clock, [runningPod('v1', clock, below('/old'))]);
    await clock.runUntil('the first version', () => isAnnotated(running, 'v1'), 2 * MINUTE);
    running.add(runningPod('v2', clock, below('/new')));
    await clock.run(SOON);
    assert.equal(isAnnotated(running, 'v2'), false);
    await clock.runUntil('the second version', () => isAnnotated(running, 'v2'), 2 * MINUTE);
    assert.equal(annotationsOf(running, 'v2')['prometheus.io/path'], '/new/actuator/prometheus');
  });

  test('keeps its target in a rollout also at a path that only an answer has suggested', async (t) => {
    const clock = createAskingClock();
    const redirect = 'HTTP/1.1 307 Temporary Redirect\r\nLocation: /metrics/\r\nContent-Length: 0\r\n\r\n';
    const { port } = await serve(t, { '/metrics': redirect, '/metrics/': METRICS });
    const running = start(t, clock, [runningPod('v1', clock, { port, owner: 'shop' })]);
    await clock.runUntil('the first version', () => isAnnotated(running, 'v1'), 2 * MINUTE);
    running.add(runningPod('v2', clock, { port, owner: 'shop', env: '2' }));
    await clock.runUntil('the second version', () => isAnnotated(running, 'v2'), SOON);
    assert.equal(annotationsOf(running, 'v2')['prometheus.io/path'], '/metrics/');
  });

  test('is not learned from a marker whose path must not be annotated', async (t) => {
    for (const [path, expected] of [
      ['/metrics', true],
      ['/metrics?secret=1', false],
      ['//elsewhere.example/metrics', false],
    ] as const) {
      const clock = createAskingClock();
      const added = { 'prometheus.io/scrape': 'true', 'prometheus.io/port': '8080', 'prometheus.io/path': path };
      const marker = JSON.stringify({ rule: 'asked', added });
      const forged = runningPod('forged', clock, { annotations: { ...added, 'autoscrape.io/injected': marker } });
      const running = start(t, clock, [forged, runningPod('a', clock)]);
      await listed(running, 2);
      await clock.run(SOON);
      assert.equal(isAnnotated(running, 'a'), expected, path);
    }
  });

  test('is not believed any more after a version without metrics, which stays annotated', async (t) => {
    const clock = createAskingClock();
    const answers: Record<string, string> = { '/metrics': METRICS };
    const server = await serve(t, answers);
    const { port } = server;
    const running = start(t, clock, [runningPod('v1', clock, { port, owner: 'shop' })]);
    await clock.runUntil('the first version', () => isAnnotated(running, 'v1'), 2 * MINUTE);
    answers['/metrics'] = HTML;
    running.add(runningPod('v2', clock, { port, owner: 'shop', env: '2' }));
    await clock.runUntil('the second request', () => server.connections() === 2, 2 * MINUTE);
    await clock.run(1000);
    running.add(runningPod('v3', clock, { port, owner: 'shop', env: '3' }));
    await clock.run(2 * MINUTE);
    assert.deepEqual(
      ['v1', 'v2', 'v3'].map((name) => isAnnotated(running, name)),
      [true, true, false],
    );
  });

  test('is not asked again by the next leader, which annotates its new replicas at once', async (t) => {
    const clock = createAskingClock();
    const server = await serve(t, { '/metrics': METRICS });
    const { port } = server;
    const first = start(t, clock, [runningPod('a', clock, { port, owner: 'shop' })]);
    await clock.runUntil('the annotation', () => isAnnotated(first, 'a'), 2 * MINUTE);
    await first.stop();
    const replica = runningPod('before', clock, { port });
    const second = start(t, clock, [replica, ...first.pods.values()], { wasAsked: true });
    await listed(second, 2);
    await clock.runUntil('the replica that is listed first', () => isAnnotated(second, 'before'), SOON);
    second.add(runningPod('b', clock, { port, owner: 'shop' }));
    await clock.runUntil('the new replica', () => isAnnotated(second, 'b'), SOON);
    await clock.run(10 * MINUTE);
    assert.equal(server.connections(), 1);
  });

  test('is not annotated again where somebody has removed the annotations', async (t) => {
    const clock = createAskingClock();
    const server = await serve(t, { '/metrics': METRICS });
    const running = start(t, clock, [runningPod('a', clock, { port: server.port })]);
    await clock.runUntil('the annotation', () => isAnnotated(running, 'a'), 2 * MINUTE);
    const pod = running.pods.get('a') ?? assert.fail();
    const marker = pod.metadata.annotations['autoscrape.io/injected'] ?? assert.fail();
    const annotations = { 'autoscrape.io/injected': marker };
    running.add({ ...pod, metadata: { ...pod.metadata, resourceVersion: nextVersion(), annotations } });
    await clock.run(2 * MINUTE);
    assert.deepEqual([...running.reconciler.pods()], [['changed_since', 1]]);
    assert.equal(server.connections(), 1);
  });
});

test('a silent workload is not asked again in the next term of the same process', async (t) => {
  const clock = createAskingClock();
  const server = await serve(t, { '/metrics': HTML });
  const memory = createAskMemory({ now: clock.now, onFull: () => undefined });
  const first = start(t, clock, [runningPod('a', clock, { port: server.port })], { memory });
  await clock.runUntil('the request', () => asked(first).length === 1, 2 * MINUTE);
  await first.stop();
  const second = start(t, clock, [...first.pods.values()], { memory });
  await listed(second, 1);
  assert.deepEqual([...second.reconciler.pods()], [['asked_no_metrics', 1]]);
  await clock.run(5 * MINUTE);
  assert.equal(server.connections(), 1);
  await clock.runUntil('the second request', () => server.connections() === 2, 6 * MINUTE);
});

test('silent workloads are asked slowly after a restart also where the Services are listed late', async (t) => {
  const clock = createAskingClock();
  const { port } = await serve(t, { '/metrics': HTML });
  const servicesListed = Promise.withResolvers<void>();
  const running = start(t, clock, [runningPod('a', clock, { port })], {
    wasAsked: true,
    servicesListed: servicesListed.promise,
  });
  await listed(running, 1);
  await clock.run(MINUTE);
  servicesListed.resolve();
  await clock.runUntil('the request', () => asked(running).length === 1, 2 * MINUTE);
  assert.equal(asked(running)[0]?.['known'], true);
});

test('silent workloads that were there before a restart are asked at a tenth of the rate, new ones before them', async (t) => {
  const clock = createAskingClock();
  const server = await serve(t, { '/metrics': HTML });
  const namespaces = Array.from({ length: 20 }, (_, index) => `shop-${index}`);
  const pods = namespaces.map((namespace) => runningPod(`of-${namespace}`, clock, { namespace, port: server.port }));
  const running = start(t, clock, pods, { namespaces, wasAsked: true });
  await listed(running, 20);
  await clock.run(MINUTE);
  const before = asked(running).length;
  await clock.run(10_000);
  const rate = (asked(running).length - before) / 10;
  assert.ok(rate > 0.3 && rate < 0.7, String(rate));
  running.add(runningPod('new', clock, { namespace: 'shop-0', port: server.port, env: 'new' }));
  await clock.runUntil('the new one', () => asked(running).some(({ pod }) => pod === 'new'), MINUTE + 5000);
  assert.equal(asked(running).find(({ pod }) => pod === 'new')?.['known'], false);
});

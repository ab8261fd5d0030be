import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { TestContext } from 'node:test';
import type { ApiRequest } from '../../../src/kube/client.ts';
import { createRateLimiter } from '../../../src/kube/rate-limiter.ts';
import { createLog } from '../../../src/process/log.ts';
import { createRegistry } from '../../../src/process/metrics.ts';
import { createFailureLog } from '../../../src/reconcile/failure-log.ts';
import type { AskOptions } from '../../../src/reconcile/live-asking.ts';
import { createReconcileMetrics } from '../../../src/reconcile/metrics.ts';
import { createReconciler } from '../../../src/reconcile/reconciler.ts';
import type { Reconciler } from '../../../src/reconcile/reconciler.ts';
import { parseRules } from '../../../src/core/rules/parse.ts';
import type { Rules } from '../../../src/core/rules/parse.ts';
import { defaultRules, readShipped } from '../../../src/rules/shipped.ts';
import { startRawServer } from '../../harness/asking/raw-server.ts';
import type { RawServer } from '../../harness/asking/raw-server.ts';
import { fakeKube, listOf } from '../kube/fake-kube.ts';
import { createAskingClock } from './asking-clock.ts';
import type { AskingClock } from './asking-clock.ts';

const MINUTE = 60_000;

/** A pod as the stand-in keeps it. */
interface Pod {
  metadata: {
    namespace: string;
    name: string;
    uid: string;
    resourceVersion: string;
    labels: Record<string, string>;
    annotations: Record<string, string>;
    ownerReferences?: object[];
  };
  spec: { nodeName: string; hostNetwork?: boolean; containers: object[] };
  status: object;
}

interface PodOptions {
  readonly namespace?: string;
  readonly address?: string;
  readonly port?: number;
  readonly node?: string;
  readonly env?: string;
  readonly owner?: string;
  readonly hostNetwork?: boolean;
  readonly annotations?: Record<string, string>;
  readonly labels?: Record<string, string>;
  readonly container?: object;
}

/** What runs in a test: a cluster that holds these pods, and the reconciler that asks them. */
interface Running {
  readonly clock: AskingClock;
  readonly reconciler: Reconciler;
  readonly pods: Map<string, Pod>;
  readonly lines: Record<string, unknown>[];
  readonly missed: () => number;
  readonly add: (pod: Pod) => void;
  readonly remove: (pod: Pod) => void;
  readonly stop: () => Promise<void>;
}

let versions = 100;

function podNamed(name: string, clock: AskingClock, options: PodOptions = {}): Pod {
  const { namespace = 'shop', address = '127.0.0.1', port = 8080, owner, env = '' } = options;
  const since = new Date(clock.now()).toISOString();
  versions += 1;
  return {
    metadata: {
      namespace,
      name,
      uid: `uid-${name}-${versions}`,
      resourceVersion: String(versions),
      labels: { app: name, ...options.labels },
      annotations: { ...options.annotations },
      ...(owner !== undefined && { ownerReferences: [{ kind: 'StatefulSet', name: owner, controller: true }] }),
    },
    spec: {
      nodeName: options.node ?? `node-of-${name}`,
      hostNetwork: options.hostNetwork ?? false,
      containers: [
        {
          name: 'app',
          image: 'example.com/shop:1',
          env: [{ name: 'MODE', value: env }],
          ports: [{ name: 'http', containerPort: port }],
          ...options.container,
        },
      ],
    },
    status: {
      phase: 'Running',
      podIP: address,
      hostIP: '10.0.0.1',
      conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: since }],
      containerStatuses: [
        { name: 'app', imageID: 'sha256:1', restartCount: 0, state: { running: { startedAt: since } } },
      ],
    },
  };
}

interface StartOptions extends Partial<AskOptions> {
  readonly namespaces?: readonly string[];
  readonly labels?: Record<string, string>;
  readonly services?: readonly object[];
  readonly rules?: string;
  readonly servicesStatus?: number;
}

/** Runs a reconciler that asks, until the test ends. */
function start(t: TestContext, clock: AskingClock, pods: readonly Pod[], options: StartOptions = {}): Running {
  const { namespaces = ['shop'], services = [], labels = {}, rules: file, servicesStatus = 200, ...ask } = options;
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
  const stop = new AbortController();
  const reconciler = createReconciler({
    kube,
    rules: () => rules,
    metrics: {
      ...createReconcileMetrics(createRegistry(), { namespaces: () => 0, pods: () => new Map() }),
      missed: () => (missed += 1),
    },
    failureLog: createFailureLog(log),
    log,
    rateLimiter: createRateLimiter(1000),
    excluded: new Set(),
    only: undefined,
    relistMs: 600_000,
    signal: stop.signal,
    ask: {
      ports: 'likely',
      annotatedServices: 'leave',
      version: '0.0.0',
      wasAsked: false,
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
    add(pod) {
      known.set(pod.metadata.name, pod);
      change('ADDED', pod);
    },
    remove(pod) {
      known.delete(pod.metadata.name);
      versions += 1;
      change('DELETED', { ...pod, metadata: { ...pod.metadata, resourceVersion: String(versions) } });
    },
    stop: end,
  };
}

function readRules(file: string): Rules {
  const parsed = parseRules(file, readShipped());
  assert.ok(parsed.ok);
  return parsed.value.rules;
}

function patch(pod: Pod, { body }: ApiRequest): Pod {
  assert.ok(Array.isArray(body));
  for (const { op, path, value } of body) {
    if (op === 'test') assert.equal(value, pod.metadata.resourceVersion);
    else if (path === '/metadata/annotations') pod.metadata.annotations = value;
    else pod.metadata.annotations[path.split('/').at(-1).replaceAll('~1', '/')] = value;
  }
  versions += 1;
  pod.metadata.resourceVersion = String(versions);
  return pod;
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

function page(body: string, type = 'text/plain; version=0.0.4'): string {
  return `HTTP/1.1 200 OK\r\nContent-Type: ${type}\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
}

const METRICS = page('# TYPE orders_total counter\norders_total 1\n');
const HTML = page('<!doctype html><html><body>Hello</body></html>', 'text/html');
const NOT_FOUND = 'HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n';

/** Starts a server that answers at these paths, and with 404 elsewhere. */
async function serve(t: TestContext, answers: Record<string, string>, address = '127.0.0.1'): Promise<RawServer> {
  const server = await startRawServer((socket, path) => socket.end(answers[path] ?? NOT_FOUND), { address });
  t.after(() => server.close());
  return server;
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

/** Resolves when the reconciler has listed the pods. */
async function listed(running: Running, count: number): Promise<void> {
  const known = (): number => [...running.reconciler.pods().values()].reduce((sum, pods) => sum + pods, 0);
  await running.clock.runUntil('the list', () => known() === count, MINUTE);
}

suite('the reconciler that asks', { concurrency: 4 }, () => {
  test('a pod that answers with metrics is annotated with the rule "asked", and was not missed', async (t) => {
    const clock = createAskingClock();
    const server = await serve(t, { '/metrics': METRICS });
    const running = start(t, clock, [podNamed('a', clock, { port: server.port })]);
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
    const running = start(t, clock, [podNamed('a', clock, { port: server.port })]);
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
      names.map((name) => podNamed(name, clock, { port: server.port })),
    );
    await clock.runUntil('all annotations', () => names.every((name) => isAnnotated(running, name)), 5 * MINUTE);
    assert.equal(server.connections(), 1);
    const later = podNamed('later', clock, { port: server.port });
    running.add(later);
    await clock.runUntil('the new replica', () => isAnnotated(running, 'later'), MINUTE);
    assert.equal(server.connections(), 1);
  });

  test('"no" is asked again after 10 minutes, 1 hour and 1 day, each time at another replica', async (t) => {
    const clock = createAskingClock();
    const servers = [await serve(t, { '/metrics': HTML }, '127.0.0.2')];
    const port = servers[0]?.port ?? 0;
    const running = start(t, clock, [
      podNamed('a', clock, { port, address: '127.0.0.2' }),
      podNamed('b', clock, { port, address: '127.0.0.2' }),
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
});

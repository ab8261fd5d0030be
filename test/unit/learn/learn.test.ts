import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Result } from '../../../src/core/result.ts';
import type { Failure } from '../../../src/kube/client.ts';
import { learn } from '../../../src/learn/learn.ts';
import { renderLearned } from '../../../src/learn/learned-rule.ts';
import type { LearnedRule } from '../../../src/learn/learned-rule.ts';
import { defaultRules, readShipped } from '../../../src/rules/shipped.ts';
import { askTools } from '../../harness/asking/ask-tools.ts';
import { startRawServer } from '../../harness/asking/raw-server.ts';

const PAGE = '# TYPE orders counter\norders 3\n';
const OK = [
  'HTTP/1.1 200 OK',
  'Content-Type: text/plain; version=0.0.4',
  `Content-Length: ${PAGE.length}`,
  '',
  PAGE,
].join('\r\n');

const NOT_FOUND = 'HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n';

/** Learns from one pod at a real server, as within the cluster; `now` is the pod after it was asked. */
async function learnDirectly(page: string, now: (pod: object) => object = (pod) => pod) {
  const server = await startRawServer((socket, path) => socket.end(path === '/metrics' ? page : NOT_FOUND));
  const pod = {
    metadata: { name: 'orders', uid: 'u1', labels: { app: 'orders' } },
    spec: { containers: [{ name: 'app', ports: [{ name: 'http', containerPort: server.port }] }] },
    status: {
      phase: 'Running',
      podIP: server.address,
      conditions: [{ type: 'Ready', status: 'True' }],
      containerStatuses: [{ name: 'app', state: { running: {} } }],
    },
  };
  const notes: string[] = [];
  const learned = await learn({
    kube: {
      request: (): Promise<Result<unknown, Failure>> => Promise.resolve({ ok: true, value: now(pod) }),
    },
    namespace: 'shop',
    mesh: false,
    askLabel: undefined,
    rules: defaultRules(),
    shipped: readShipped(),
    settings: { ports: 'likely', annotatedServices: 'leave' },
    pods: [pod],
    services: [],
    toolsFor: () => askTools(),
    onProgress: () => undefined,
    onNote: (note) => notes.push(note),
    signal: new AbortController().signal,
  });
  await server.close();
  return { rules: learned.rules, notes, port: server.port };
}

test('within the cluster a pod is asked at its address', async () => {
  const { rules, notes, port } = await learnDirectly(OK);
  assert.deepEqual(notes, []);
  assert.deepEqual(
    rules.map(({ when, scrape }) => [when.portNumber, scrape]),
    [[port, { path: '/metrics' }]],
  );
});

test('the answer of a pod that was replaced meanwhile is worth nothing', async () => {
  for (const changed of [{ metadata: { uid: 'u2' } }, { status: { podIP: '10.9.9.9' } }]) {
    const { rules, notes } = await learnDirectly(OK, (pod) => ({ ...pod, ...changed }));
    assert.deepEqual(rules, []);
    assert.match(notes.join(), /^Pod orders: no rule: its pod was replaced while it was asked: run this again$/);
  }
});

test('an empty page without a version may be no metrics, and gives no rule', async () => {
  const { rules, notes } = await learnDirectly(
    'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 0\r\n\r\n',
  );
  assert.deepEqual(rules, []);
  assert.match(notes.join(), /an empty page, which may be no metrics: run this again later$/);
});

test('more rules than a rules file can have are an error that says so', () => {
  const rules = Array.from({ length: 1000 }, (_, i): LearnedRule => ({
    name: `learned-${i}`,
    when: { namespace: 'shop', podLabels: { matchLabels: { app: `a${i}` } } },
    exclude: true,
  }));
  const rendered = renderLearned(rules, [], readShipped());
  assert.ok(!rendered.ok);
  assert.match(rendered.error, /the learned rules:1:1: the file has \d+ KiB/);
});

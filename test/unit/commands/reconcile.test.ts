// A process of its own: it starts processes, and waits for them.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once as event } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, test } from 'node:test';
import type { TestContext } from 'node:test';
import { reconcile } from '../../../src/commands/reconcile.ts';
import type { ReconcileOptions } from '../../../src/commands/reconcile.ts';
import { uninject } from '../../../src/commands/uninject.ts';
import type { UninjectOptions } from '../../../src/commands/uninject.ts';
import { UserError } from '../../../src/process/user-error.ts';
import { MAIN, runAutoscrape } from '../../harness/autoscrape/run-autoscrape.ts';
import type { Finished } from '../../harness/autoscrape/run-autoscrape.ts';
import { listenOnLoopback } from '../../harness/process/listen.ts';

const folder = mkdtempSync(join(tmpdir(), 'autoscrape-reconcile-'));
after(() => rmSync(folder, { recursive: true }));

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

function kubeconfig(name: string, server: string): string {
  return file(
    name,
    JSON.stringify({
      clusters: [{ name: 'c', cluster: { server, 'insecure-skip-tls-verify': true } }],
      users: [{ name: 'u', user: { token: 't' } }],
      contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
      'current-context': 'x',
    }),
  );
}

// Nothing listens on port 1.
const away = kubeconfig('away', 'https://127.0.0.1:1');
const invalidRules = file('rules.yaml', 'rulez: []\n');

const once: ReconcileOptions = {
  once: true,
  dryRun: false,
  output: 'text',
  patchesPerSecond: 20,
  leaseName: 'autoscrape-reconciler',
  healthPort: 0,
  logLevel: 'info',
  ask: false,
  askPorts: 'likely',
  askAnnotatedServices: 'leave',
};
const undo: UninjectOptions = { allNamespaces: false, dryRun: false, output: 'text', patchesPerSecond: 20 };

// In this process, because loading the Kubernetes client takes longer than everything else in these tests.
const failures: readonly [what: string, run: () => Promise<number>, message: RegExp][] = [
  ['a kubeconfig that does not exist', () => reconcile({ ...once, kubeconfig: '/nowhere' }), /Cannot read \/nowhere/],
  ['a context that does not exist', () => reconcile({ ...once, kubeconfig: away, context: 'y' }), /No context "y"/],
  [
    'an unreachable API server',
    () => reconcile({ ...once, kubeconfig: away }),
    /namespaces can't be read: no answer from https:\/\/127\.0\.0\.1:1: /,
  ],
  ['invalid rules', () => reconcile({ ...once, kubeconfig: away, rules: invalidRules }), /rules\.yaml:1:1.*rulez/s],
  [
    'an unreachable API server, for uninject',
    () => uninject({ ...undo, kubeconfig: away }),
    /namespaces can't be read/,
  ],
];
for (const [what, run, message] of failures) {
  test(`${what} is an error with a message for the user`, async () => {
    await assert.rejects(run, (error) => {
      assert.ok(error instanceof UserError);
      assert.match(error.message, message);
      return true;
    });
  });
}

const misuses: readonly [args: readonly string[], message: RegExp][] = [
  [['reconcile', '--patches-per-second', '0'], /whole number from 1 to 1000/],
  [['reconcile', '--once', '-o', 'table'], /text, json, yaml/],
  [['uninject', '--once'], /unknown option '--once'/],
];
for (const [args, message] of misuses) {
  test(`${args.join(' ')}: usage, and exit code 2`, async () => {
    const { code, stdout, stderr } = await runAutoscrape(args);
    assert.match(stderr, message);
    assert.deepEqual([code, stdout], [2, '']);
  });
}

const pods = ['a', 'b', 'c'].map((name) => ({
  metadata: { namespace: 'shop', name, uid: name, resourceVersion: '1' },
  spec: { containers: [{ name: 'c', ports: [{ name: 'metrics', containerPort: 9464 }] }] },
}));

const added = { 'prometheus.io/scrape': 'true', 'prometheus.io/port': '9464' };
const annotations = { ...added, 'autoscrape.io/injected': JSON.stringify({ rule: 'metrics-port', added }) };

/**
 * Starts a cluster with three pods in each namespace, annotated already in `annotated`, and returns its kubeconfig. `onPatch`
 * responds to patches.
 */
async function startCluster(t: TestContext, onPatch: (response: ServerResponse) => void): Promise<string> {
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '', 'http://here');
    const name = pathname.split('/')[4] ?? '';
    request.resume();
    if (request.method === 'PATCH') onPatch(response);
    else if (pathname.endsWith('/pods')) {
      const isAnnotated = name === 'annotated';
      const items = pods.map((pod) =>
        isAnnotated ? { ...pod, metadata: { ...pod.metadata, namespace: name, annotations } } : pod,
      );
      response.end(JSON.stringify({ metadata: {}, items }));
    } else {
      const metadata = { name, labels: { 'autoscrape.io/inject': name === 'unclear' ? 'on' : 'enabled' } };
      const deletionTimestamp = name === 'leaving' ? '2026-01-01T00:00:00Z' : undefined;
      response.end(JSON.stringify({ metadata: { ...metadata, deletionTimestamp } }));
    }
  });
  const port = await listenOnLoopback(t, server);
  return kubeconfig(`cluster-${port}`, `http://127.0.0.1:${port}`);
}

test('an opt-in label that means neither yes nor no is named, with what to write instead', async (t) => {
  const config = await startCluster(t, (response) => response.end('{}'));
  const { code, stderr } = await runAutoscrape(['reconcile', '--once', '-n', 'unclear', `--kubeconfig=${config}`]);
  assert.deepEqual(
    [code, stderr],
    [
      0,
      'The namespace unclear is not opted in: label autoscrape.io/inject is "on", which is read as no: write enabled or disabled\n',
    ],
  );
});

/** What interrupts a command: a signal once the first patch has come, to which `answer` responds. */
interface Interruption {
  readonly command: readonly string[];
  readonly signal: NodeJS.Signals;
  /** Whether signals go on until the command ends: two that come while it is busy may be one for it. */
  readonly isRepeated?: boolean;
  readonly answer?: (response: ServerResponse) => void;
}

/** Runs a command, interrupts it, and returns what it came to. */
async function interrupt(t: TestContext, { command, signal, isRepeated, answer }: Interruption): Promise<Finished> {
  let patches = 0;
  let timer: NodeJS.Timeout | undefined;
  const config = await startCluster(t, (response) => {
    patches += 1;
    if (patches > 1) return;
    answer?.(response);
    child.kill(signal);
    if (isRepeated === true) timer = setInterval(() => child.kill(signal), 300);
  });
  const child = spawn(process.execPath, [MAIN, ...command, `--kubeconfig=${config}`]);
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), event(child, 'exit')]);
  clearInterval(timer);
  assert.equal(patches, 1);
  return { code: Number(code), stdout, stderr };
}

const ONCE = ['reconcile', '--once', '-n', 'shop'];

test('a signal ends reconcile --once after the patch in flight, with a report of what was done and what was not', async (t) => {
  const { code, stdout } = await interrupt(t, {
    command: ONCE,
    signal: 'SIGTERM',
    answer: (response) => setTimeout(() => response.end('{}'), 500),
  });
  assert.match(
    stdout,
    /^shop\/a {2}annotated .*\nshop\/b {2}not done .*\nshop\/c {2}not done .*\n\n3 pods in 1 namespace: /,
  );
  assert.equal(code, 1);
});

test('a second signal ends it at once, without a report', async (t) => {
  const { code, stdout } = await interrupt(t, { command: ONCE, signal: 'SIGINT', isRepeated: true });
  assert.deepEqual([code, stdout], [130, '']);
});

test('a signal ends uninject at once, though the API server has not answered, with a report that says so', async (t) => {
  const { code, stdout } = await interrupt(t, { command: ['uninject', '-n', 'annotated'], signal: 'SIGINT' });
  assert.match(
    stdout,
    /^annotated\/a {2}interrupted {2}the API server may have changed it: run the command again\nannotated\/b {2}not done /,
  );
  assert.equal(code, 1);
});

for (const [command, namespace, want] of [
  ['uninject', 'kube-system', 'The namespace kube-system is always skipped.\n'],
  ['uninject', 'leaving', 'The namespace leaving is being deleted.\n'],
  ['reconcile --once', 'leaving', 'The namespace leaving is being deleted.\n'],
] as const) {
  test(`${command} of ${namespace} says why it does nothing`, async (t) => {
    const config = await startCluster(t, () => assert.fail('nothing must be changed'));
    const run = await runAutoscrape([...command.split(' '), '-n', namespace, `--kubeconfig=${config}`]);
    assert.deepEqual(run, { code: 0, stdout: '0 pods in 0 namespaces.\n', stderr: want });
  });
}

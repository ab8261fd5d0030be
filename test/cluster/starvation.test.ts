import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { connect } from '../../src/kube/client.ts';
import { createLog } from '../../src/process/log.ts';
import { createRegistry } from '../../src/process/metrics.ts';
import { createFailureLog } from '../../src/reconcile/failure-log.ts';
import { createReconcileMetrics } from '../../src/reconcile/metrics.ts';
import { createRateLimiter } from '../../src/kube/rate-limiter.ts';
import { createReconciler } from '../../src/reconcile/reconciler.ts';
import { defaultRules } from '../../src/rules/shipped.ts';
import { waitFor } from '../harness/process/wait-for.ts';
import { startStandIn } from '../harness/control-plane/stand-in-api-server.ts';

const REFUSED = 1200;
const QUIET = 299;

/** Patches in two seconds at the shipped rate of 20 a second. */
const TWO_SECONDS = 40;

test(`${REFUSED} refused pods and ${QUIET + 1} broken connections do not delay a new pod`, async (t) => {
  const quiet = Array.from({ length: QUIET }, (_, index) => [`quiet-${index}`, 1] as const);
  const server = await startStandIn({
    namespaces: new Map([['refusing', REFUSED], ...quiet]),
    isAnnotated: (namespace) => namespace !== 'refusing',
    refusing: new Set(['refusing']),
    spec: { containers: [{ name: 'c', ports: [{ name: 'metrics', containerPort: 9464 }] }] },
  });
  const folder = mkdtempSync(join(tmpdir(), 'autoscrape-starvation-'));
  writeFileSync(join(folder, 'kubeconfig'), server.kubeconfig);
  const connection = await connect({ kubeconfig: join(folder, 'kubeconfig') });
  assert.ok(connection.ok);
  const kube = connection.value;
  const warnings: { msg: string }[] = [];
  const log = createLog('warn', { write: (line) => void warnings.push(JSON.parse(line)) });
  let fullPasses = 0;
  const metrics = createReconcileMetrics(createRegistry(), { namespaces: () => 0, pods: () => new Map() });
  const rules = defaultRules();
  const stop = new AbortController();
  const reconciler = createReconciler({
    kube,
    rules: () => rules,
    metrics: { ...metrics, fullPass: () => void (fullPasses += 1) },
    failureLog: createFailureLog(log),
    log,
    rateLimiter: createRateLimiter(1000),
    excluded: new Set(),
    only: undefined,
    relistMs: 600_000,
    signal: stop.signal,
  });
  const running = reconciler.run();
  t.after(async () => {
    stop.abort();
    await running;
    await kube.close();
    server.close();
    rmSync(folder, { recursive: true });
  });
  const counted = (call: string) => server.calls.get(call) ?? 0;

  await waitFor('a full pass', () => fullPasses > 0, { seconds: 60 });
  await waitFor('every watch', () => server.openWatches() === QUIET + 1, { seconds: 60 });
  assert.equal(counted('patch pods'), REFUSED, 'each was attempted once');
  assert.equal(reconciler.pods().get('refused'), REFUSED);
  assert.deepEqual(
    warnings.map(({ msg }) => msg),
    ['pod change refused, retrying when the pod changes'],
  );

  const lists = counted('list pods');
  assert.equal(server.cutWatches(), QUIET + 1);
  server.createPod('quiet-7', 'new');
  const isDone = Promise.withResolvers<void>();
  server.onPatch = (pod) => pod === 'quiet-7/new' && isDone.resolve();
  await isDone.promise;
  assert.equal(counted('patch pods'), REFUSED + 1, 'it was the first to be patched');
  await waitFor('every watch again', () => server.openWatches() === QUIET + 1, { seconds: 60 });
  assert.equal(counted('list pods'), lists, 'watches resume without a list');
  assert.equal(warnings.length, 1, 'nothing is logged');

  // All refused pods change, so that they are retried. A new pod is created meanwhile.
  server.touchPods('refusing');
  await waitFor('the retries', () => counted('patch pods') > REFUSED + 100, { seconds: 60 });
  const before = counted('patch pods');
  const again = Promise.withResolvers<number>();
  server.onPatch = (pod) => pod === 'quiet-8/new' && again.resolve(counted('patch pods'));
  server.createPod('quiet-8', 'new');
  const turns = (await again.promise) - before;
  assert.ok(turns <= TWO_SECONDS, `${turns} patches before it`);
  assert.ok(before < REFUSED * 2 - TWO_SECONDS, 'others were waiting');
});

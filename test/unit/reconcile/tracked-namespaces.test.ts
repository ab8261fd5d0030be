import assert from 'node:assert/strict';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { test } from 'node:test';
import type { ApiResponse } from '../../../src/kube/client.ts';
import { createLog } from '../../../src/process/log.ts';
import { createRegistry } from '../../../src/process/metrics.ts';
import { createFailureLog } from '../../../src/reconcile/failure-log.ts';
import { createReconcileMetrics } from '../../../src/reconcile/metrics.ts';
import { createTrackedNamespaces } from '../../../src/reconcile/tracked-namespaces.ts';
import { defaultRules } from '../../../src/rules/shipped.ts';
import { fakeKube, listOf, optedIn } from '../kube/fake-kube.ts';

/** Lets everything run that does not wait for a response. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await nextTurn();
}

test('pods of at most 8 namespaces are listed at the same time, at the start and at a reload, until all are listed', async (t) => {
  const namespaces = Array.from({ length: 100 }, (_, i) => optedIn(`shop-${i}`));
  /** Lists of pods that were requested and have no response. */
  const open: (() => void)[] = [];
  let listed = 0;
  const kube = fakeKube((request) => {
    if (request.path === '/api/v1/namespaces') return listOf(request, namespaces);
    return new Promise<ApiResponse>((resolve) => open.push(() => resolve(listOf(request, []))));
  });
  const stop = new AbortController();
  const log = createLog('error', { write: () => undefined });
  const tracked = createTrackedNamespaces({
    kube,
    rules: () => rules,
    metrics: createReconcileMetrics(createRegistry(), { namespaces: () => 0, pods: () => new Map() }),
    failureLog: createFailureLog(log),
    log,
    excluded: new Set(),
    only: undefined,
    relistMs: 600_000,
    signal: stop.signal,
    onPending: () => undefined,
    onListed: (namespace) => (listed += namespace === undefined ? 0 : 1),
    onStopped: () => undefined,
  });
  const rules = defaultRules();
  const running = tracked.run();
  t.after(async () => {
    stop.abort();
    for (const respond of open) respond();
    await running;
  });

  for (const start of [() => undefined, () => tracked.reload()]) {
    listed = 0;
    start();
    await settle();
    assert.equal(tracked.size(), 100);
    assert.equal(open.length, 8);
    for (let responses = 0; responses < 100; responses++) {
      assert.equal(open.length, Math.min(8, 100 - responses));
      assert.equal(listed, responses);
      open.shift()?.();
      await settle();
    }
    assert.equal(listed, 100);
    assert.ok(tracked.listedAt() !== undefined);
  }
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createChangedServices } from '../../../src/reconcile/changed-services.ts';
import type { ChangedServices } from '../../../src/reconcile/changed-services.ts';
import { fakeKube, listOf } from '../kube/fake-kube.ts';

const MINUTE = 60_000;

interface Running {
  readonly changed: ChangedServices;
  /** Namespace and label selector of each list. */
  readonly lists: string[];
  readonly planned: unknown[];
  readonly failed: number[];
  now: number;
}

/** Returns what plans the pods of `shop` and `other`, of which each list holds one. */
function running(status = 200): Running {
  const state = { lists: [] as string[], planned: [] as unknown[], failed: [] as number[], now: 0 };
  const kube = fakeKube((request) => {
    state.lists.push(`${request.path.split('/')[4]} ${request.query?.labelSelector ?? 'all'}`);
    return status === 200 ? listOf(request, [{ metadata: { name: 'a' } }]) : { status, body: {} };
  });
  const changed = createChangedServices({
    kube,
    podsOf: (name) =>
      name === 'shop' || name === 'other' ? { planAgain: (pod) => void state.planned.push(pod) } : undefined,
    onFailure: (failure) => state.failed.push(failure.status),
    now: () => state.now,
    signal: new AbortController().signal,
  });
  return Object.assign(state, { changed });
}

test('the pods that a changed Service selects are planned again, each selector once', async () => {
  const run = running();
  for (const selector of ['app=a', 'app=b', 'app=a']) run.changed.changed('shop', selector);
  run.changed.changed('untracked', 'app=c');
  await run.changed.planPods();
  assert.deepEqual(run.lists, ['shop app=a', 'shop app=b']);
  assert.equal(run.planned.length, 2);
  await run.changed.planPods();
  assert.equal(run.lists.length, 2);
});

test('a namespace whose Services change all the time is listed once a minute, and keeps no other waiting', async () => {
  const run = running();
  for (let second = 0; second < 120; second += 10) {
    run.now = second * 1000;
    for (let index = 0; index < 1000; index += 1) run.changed.changed('shop', `app=${index}`);
    if (second === 30) run.changed.changed('other', 'app=a');
    await run.changed.planPods();
  }
  assert.deepEqual(run.lists, ['shop all', 'other app=a', 'shop all']);
});

test('a list that fails is counted, and the next change is planned', async () => {
  const run = running(500);
  run.changed.changed('shop', 'app=a');
  await run.changed.planPods();
  assert.deepEqual(run.failed, [500]);
  run.now = MINUTE;
  run.changed.changed('shop', 'app=b');
  await run.changed.planPods();
  assert.deepEqual(run.lists, ['shop app=a', 'shop app=b']);
});

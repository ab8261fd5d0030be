import assert from 'node:assert/strict';
import test from 'node:test';
import type { SuspectKind } from '../../../src/core/suspect-annotations.ts';
import { annotatePlanner } from '../../../src/reconcile/plan-annotate.ts';
import { createPodStore } from '../../../src/reconcile/pod-store.ts';
import type { PendingPod } from '../../../src/reconcile/pod-store.ts';
import { defaultRules } from '../../../src/rules/shipped.ts';

const rules = defaultRules();

function pod(name: string, resourceVersion: string, annotations = {}, uid = `uid-${name}`): object {
  return {
    metadata: { namespace: 'shop', name, uid, resourceVersion, annotations },
    spec: { containers: [{ name: 'c', ports: [{ name: 'metrics', containerPort: 9464 }] }] },
  };
}

function setUp() {
  const seen: PendingPod[] = [];
  const watch = { isOn: false };
  const pods = createPodStore(
    annotatePlanner(rules, false),
    () => watch.isOn,
    (one) => seen.push(one),
  );
  const counts = () => {
    const into = new Map<string, number>();
    pods.count(into);
    return Object.fromEntries(into);
  };
  return { pods, seen, counts, watch };
}

test('a pod was missed when it is new under the watch and has to be annotated; this is said once', () => {
  const { pods, watch } = setUp();
  pods.upsert(pod('older', '1'));
  watch.isOn = true;
  pods.upsert(pod('older', '2'));
  pods.upsert(pod('declined', '3', { 'prometheus.io/scrape': 'false' }));
  pods.upsert(pod('declined', '4'));
  pods.upsert(pod('a', '5'));
  pods.upsert(pod('a', '6'));
  pods.refuse('a', '6');
  pods.release('all');
  const names = ['older', 'declined', 'a', 'a', 'unknown'];
  assert.deepEqual(
    names.map((name) => pods.takeMissed(name)),
    [false, false, true, false, false],
  );
});

test('pods whose own annotations are suspect are counted by what is suspect, until they change or go', () => {
  const { pods } = setUp();
  const counted = (): object => {
    const into = new Map<SuspectKind, number>();
    pods.countSuspects(into);
    return Object.fromEntries(into);
  };
  const scrape = { 'prometheus.io/scrape': 'true' };
  pods.upsert(pod('undeclared', '1', { ...scrape, 'prometheus.io/port': '80' }));
  pods.upsert(pod('named', '2', { ...scrape, 'prometheus.io/port': 'metrics', 'prometheus.io/scheme': 'tcp' }));
  pods.upsert(pod('fine', '3', { ...scrape, 'prometheus.io/port': '9464' }));
  assert.deepEqual(counted(), { undeclared_port: 1, port_name: 1, bad_scheme: 1 });
  pods.upsert(pod('undeclared', '4', { ...scrape, 'prometheus.io/port': '9464' }));
  assert.deepEqual(counted(), { port_name: 1, bad_scheme: 1 });
  pods.delete(pod('named', '5'));
  assert.deepEqual(counted(), {});
});

test('a missed pod is forgotten when it is gone, and a later one with its name counts again', () => {
  const { pods, watch } = setUp();
  watch.isOn = true;
  pods.upsert(pod('a', '1'));
  pods.upsert(pod('b', '1'));
  pods.delete(pod('a', '2'));
  pods.beginList().finish();
  assert.deepEqual([pods.takeMissed('a'), pods.takeMissed('b')], [false, false]);
  pods.upsert(pod('a', '3', {}, 'another'));
  assert.equal(pods.takeMissed('a'), true);
});

test('an older version changes nothing, because the response to a patch overtakes events', () => {
  const { pods, seen } = setUp();
  const declined = { 'prometheus.io/scrape': 'false' };
  pods.upsert(pod('a', '100', declined));
  pods.upsert(pod('a', '99'));
  pods.upsert(pod('a', '100'));
  assert.equal(seen.length, 0);
  assert.equal(pods.isPending('a'), false);
  pods.upsert(pod('a', '101'));
  assert.deepEqual([pods.isPending('a'), pods.version('a')], [true, '101']);
});

test('a list removes the pods that it does not hold, at its end', () => {
  const { pods, counts } = setUp();
  for (const name of ['a', 'b']) pods.upsert(pod(name, '1'));
  const list = pods.beginList();
  list.add(pod('b', '1'));
  list.add(pod('c', '5', { 'prometheus.io/scrape': 'false' }));
  assert.deepEqual(counts(), { annotate: 2, declined: 1 });
  list.finish();
  assert.deepEqual(counts(), { annotate: 1, declined: 1 });
});

test('a list replaces a higher version, because a restored etcd counts versions from the start', () => {
  const { pods } = setUp();
  pods.upsert(pod('a', '900', { 'prometheus.io/scrape': 'false' }));
  const list = pods.beginList();
  list.add(pod('a', '700'));
  list.finish();
  assert.deepEqual([pods.isPending('a'), pods.version('a')], [true, '700']);
  pods.upsert(pod('a', '701', { 'prometheus.io/scrape': 'false' }));
  assert.equal(pods.isPending('a'), false);
});

test('a list does not replace versions that became known after it began', () => {
  const { pods, seen } = setUp();
  pods.upsert(pod('a', '5'));
  const list = pods.beginList();
  pods.upsert(pod('a', '6', { 'prometheus.io/scrape': 'false' }));
  list.add(pod('a', '5'));
  list.finish();
  assert.equal(pods.isPending('a'), false);
  assert.equal(seen.length, 1);
});

test('the deletion of a pod does not remove a later one that has its name', () => {
  const { pods } = setUp();
  pods.upsert(pod('a', '9', {}, 'new'));
  pods.delete(pod('a', '8', {}, 'old'));
  assert.equal(pods.isPending('a'), true);
  pods.delete(pod('a', '10', {}, 'new'));
  assert.equal(pods.isPending('a'), false);
});

test('a refused pod waits until its version changes', () => {
  const { pods, seen, counts } = setUp();
  pods.upsert(pod('a', '1'));
  pods.refuse('a', '2'); // read again by its turn, and the watch is late
  assert.deepEqual([pods.isPending('a'), pods.refused(), counts()], [false, 1, { refused: 1 }]);
  pods.upsert(pod('a', '2'));
  assert.equal(pods.isPending('a'), false);
  const list = pods.beginList();
  list.add(pod('a', '2'));
  list.finish();
  assert.equal(pods.isPending('a'), false);
  pods.upsert(pod('a', '3'));
  assert.deepEqual([pods.isPending('a'), pods.refused(), seen.at(-1)?.wasRefused], [true, 0, true]);
  pods.refuse('a', '2');
  assert.equal(pods.isPending('a'), true, 'the refused version is older than the known one');
});

test('refused pods are released one by one or all at once, and removed with their pod', () => {
  const { pods } = setUp();
  for (const name of ['a', 'b', 'c', 'd']) {
    pods.upsert(pod(name, '1'));
    pods.refuse(name, '1');
  }
  assert.deepEqual(pods.release('one'), ['a']);
  pods.refuse('a', '1');
  assert.deepEqual(pods.release('one'), ['b']);
  pods.delete(pod('c', '2'));
  assert.deepEqual(pods.release('all'), ['d', 'a']);
  assert.deepEqual([pods.refused(), pods.isPending('a'), pods.isPending('c')], [0, true, false]);
});

test('attempts are counted while there is a pod of that name', () => {
  const { pods, seen } = setUp();
  pods.upsert(pod('a', '1'));
  assert.equal(pods.recordAttempt('a'), 1);
  pods.upsert(pod('a', '2'));
  pods.delete(pod('a', '3'));
  pods.upsert(pod('a', '4'));
  assert.deepEqual(
    seen.map(({ attempts }) => attempts),
    [0, 1, 0],
  );
});

test('a pod that the webhook leaves to the reconciler was not missed', () => {
  for (const isLeftToAsking of [true, false]) {
    const planner = annotatePlanner(rules, false);
    const pods = createPodStore(
      (object) => {
        const plan = planner(object);
        return plan?.action === 'annotate' ? { ...plan, isLeftToAsking } : plan;
      },
      () => true,
      () => undefined,
    );
    pods.upsert(pod('a', '1'));
    assert.equal(pods.takeMissed('a'), !isLeftToAsking);
  }
});

test("the nodes of all pods are seen at each list, so that a node's address is known while a pod is there", () => {
  const seen: unknown[] = [];
  const asking = { seen: (object: unknown) => seen.push(object), planned: () => undefined, removed: () => undefined };
  const pods = createPodStore(
    annotatePlanner(rules, false),
    () => false,
    () => undefined,
    asking,
  );
  for (let list = 0; list < 3; list += 1) {
    const receiver = pods.beginList();
    receiver.add(pod('a', '1'));
    receiver.finish();
  }
  assert.equal(seen.length, 3);
});

test('a pod that is not known is not planned again: it is gone by now', () => {
  const { pods, counts } = setUp();
  pods.planAgain(pod('gone', '1'));
  assert.deepEqual(counts(), {});
});

test('an answer changes only pods that are asked', () => {
  const { pods, seen, counts } = setUp();
  pods.upsert(pod('declined', '1', { 'prometheus.io/scrape': 'false' }));
  pods.settle(['declined', 'unknown'], 'annotate');
  assert.deepEqual([seen, counts()], [[], { declined: 1 }]);
});

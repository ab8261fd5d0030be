import assert from 'node:assert/strict';
import test from 'node:test';
import { annotatePlanner } from '../../src/reconcile/plan.ts';
import { createPods } from '../../src/reconcile/pods.ts';
import type { Seen } from '../../src/reconcile/pods.ts';
import { defaultRules } from '../../src/rules/shipped.ts';

const rules = defaultRules();

function pod(name: string, resourceVersion: string, annotations = {}, uid = `uid-${name}`): object {
  return {
    metadata: { namespace: 'shop', name, uid, resourceVersion, annotations },
    spec: { containers: [{ name: 'c', ports: [{ name: 'metrics', containerPort: 9464 }] }] },
  };
}

function setUp() {
  const seen: Seen[] = [];
  const pods = createPods(annotatePlanner(rules, false), (one) => seen.push(one));
  const counts = () => {
    const into = new Map<string, number>();
    pods.count(into);
    return Object.fromEntries(into);
  };
  return { pods, seen, counts };
}

test('a pod is new once, by its UID', () => {
  const { pods, seen } = setUp();
  pods.see(pod('a', '1'));
  pods.see(pod('a', '2'));
  pods.see(pod('a', '3', {}, 'another'));
  assert.deepEqual(
    seen.map(({ isNew }) => isNew),
    [true, false, true],
  );
});

test('what is older than what is known changes nothing: our own answer overtakes events', () => {
  const { pods, seen } = setUp();
  const declined = { 'prometheus.io/scrape': 'false' };
  pods.see(pod('a', '100', declined));
  pods.see(pod('a', '99'));
  pods.see(pod('a', '100'));
  assert.equal(seen.length, 1);
  assert.equal(pods.waiting('a'), undefined);
  pods.see(pod('a', '101'));
  assert.equal(pods.waiting('a')?.change.resourceVersion, '101');
});

test('a list forgets the pods that it does not hold, and only at its end', () => {
  const { pods, counts } = setUp();
  for (const name of ['a', 'b']) pods.see(pod(name, '1'));
  const list = pods.list();
  list.object(pod('b', '1'));
  list.object(pod('c', '5', { 'prometheus.io/scrape': 'false' }));
  assert.deepEqual(counts(), { annotate: 2, declined: 1 });
  list.done();
  assert.deepEqual(counts(), { annotate: 1, declined: 1 });
});

test('a list is the truth even where its versions are lower: a restored etcd counts them anew', () => {
  const { pods } = setUp();
  pods.see(pod('a', '900', { 'prometheus.io/scrape': 'false' }));
  const list = pods.list();
  list.object(pod('a', '700'));
  list.done();
  assert.equal(pods.waiting('a')?.change.resourceVersion, '700');
  pods.see(pod('a', '701', { 'prometheus.io/scrape': 'false' }));
  assert.equal(pods.waiting('a'), undefined);
});

test('a list does not take back what has become known since it began', () => {
  const { pods, seen } = setUp();
  pods.see(pod('a', '5'));
  const list = pods.list();
  pods.see(pod('a', '6', { 'prometheus.io/scrape': 'false' }));
  list.object(pod('a', '5'));
  list.done();
  assert.equal(pods.waiting('a'), undefined);
  assert.equal(seen.length, 2);
});

test('the end of a pod does not take along another one that has its name now', () => {
  const { pods } = setUp();
  pods.see(pod('a', '7', {}, 'new'));
  pods.forget(pod('a', '8', {}, 'old'));
  assert.ok(pods.waiting('a'));
  pods.forget(pod('a', '9', {}, 'new'));
  assert.equal(pods.waiting('a'), undefined);
});

test('tries are counted for as long as it is the same pod', () => {
  const { pods } = setUp();
  pods.see(pod('a', '1'));
  pods.tried('a');
  pods.see(pod('a', '2'));
  assert.equal(pods.waiting('a')?.tries, 1);
  pods.see(pod('a', '3', {}, 'another'));
  assert.equal(pods.waiting('a')?.tries, 0);
});

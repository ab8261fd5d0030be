import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { Workload } from '../../../src/reconcile/remembered-answers.ts';
import { nextToAsk } from '../../../src/reconcile/next-to-ask.ts';

const NOW = 1_000_000_000_000;

function workload(parts: Partial<Workload> = {}): Workload {
  return {
    namespace: 'shop',
    key: 'k',
    isOld: false,
    pods: new Map([['a', NOW / 1000 - 1]]),
    ports: new Map(),
    result: 'waiting',
    endpoint: undefined,
    dueAt: 0,
    readyFrom: 0,
    answeredAt: 0,
    lastPod: undefined,
    unusedSince: undefined,
    ...parts,
  };
}

function next(workloads: readonly Workload[], parts: { busy?: string[]; mayAskOld?: boolean } = {}) {
  const namespaces = new Map<string, Map<string, Workload>>();
  for (const [index, each] of workloads.entries()) {
    const known = namespaces.get(each.namespace) ?? new Map<string, Workload>();
    namespaces.set(each.namespace, known.set(String(index), each));
  }
  const { busy = [], mayAskOld = true } = parts;
  return nextToAsk({ now: NOW, namespaces, busy: new Set(busy), mayAskOld, random: Math.random });
}

const anyWorkload = fc
  .record({
    namespace: fc.constantFrom('a', 'b', 'c'),
    isOld: fc.boolean(),
    dueAt: fc.constantFrom(0, NOW, NOW + 1, Infinity),
    pods: fc.dictionary(fc.constantFrom('p', 'q', 'r'), fc.constantFrom(NOW / 1000 - 5, NOW / 1000, NOW / 1000 + 1)),
    lastPod: fc.constantFrom(undefined, 'p'),
  })
  .map(({ pods, ...parts }) => workload({ ...parts, pods: new Map(Object.entries(pods)) }));

test('a pod is next only where it is ready, its workload is due and its namespace is not busy', () => {
  fc.assert(
    fc.property(
      fc.array(anyWorkload, { maxLength: 8 }),
      fc.subarray(['a', 'b', 'c']),
      fc.boolean(),
      (workloads, busy, mayAskOld) => {
        const found = next(workloads, { busy, mayAskOld });
        const ready = workloads.filter(
          ({ namespace, isOld, dueAt, pods }) =>
            !busy.includes(namespace) &&
            (mayAskOld || !isOld) &&
            dueAt <= NOW &&
            [...pods.values()].some((from) => from * 1000 <= NOW),
        );
        if (found === undefined) return assert.equal(ready.length, 0);
        assert.ok(ready.includes(found.workload));
        assert.ok((found.workload.pods.get(found.pod) ?? Infinity) * 1000 <= NOW);
        // A workload that nobody has asked comes before one that another leader has asked.
        assert.equal(found.workload.isOld && ready.some(({ isOld }) => !isOld), false);
      },
    ),
  );
});

test('another replica is asked than the last time, and the same one where it is alone', () => {
  const two = new Map([
    ['a', 0],
    ['b', 0],
  ]);
  for (let time = 0; time < 20; time += 1) assert.equal(next([workload({ pods: two, lastPod: 'a' })])?.pod, 'b');
  assert.equal(next([workload({ lastPod: 'a' })])?.pod, 'a');
});

test('the order is random: each pod and each namespace is first sometimes', () => {
  const pods = new Map(['a', 'b', 'c'].map((name) => [name, 0]));
  const workloads = ['x', 'y', 'z'].map((namespace) => workload({ namespace, pods }));
  const seen = new Set<string>();
  for (let time = 0; time < 300; time += 1) {
    const found = next(workloads);
    seen.add(`${found?.workload.namespace}/${found?.pod}`);
  }
  assert.equal(seen.size, 9);
});

test('pods that are not ready yet are read once, and again when the first of them is', () => {
  let reads = 0;
  const pods = new Map([
    ['a', NOW / 1000 + 20],
    ['b', NOW / 1000 + 10],
  ]);
  const { [Symbol.iterator]: iterate } = Map.prototype;
  const counted = Object.assign(pods, {
    [Symbol.iterator]() {
      reads += 1;
      return iterate.call(pods);
    },
  });
  const waiting = workload({ pods: counted });
  const at = (now: number) =>
    nextToAsk({
      now,
      namespaces: new Map([['shop', new Map([['0', waiting]])]]),
      busy: new Set(),
      mayAskOld: true,
      random: Math.random,
    });
  for (let time = 0; time < 50; time += 1) assert.equal(at(NOW + time * 100), undefined);
  assert.equal(reads, 1);
  assert.equal(at(NOW + 10_000)?.pod, 'b');
});

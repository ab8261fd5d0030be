import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import type { Kube } from '../../../src/kube/client.ts';
import { runAsLeader } from '../../../src/kube/leader-election.ts';
import type { LeaderElectionOptions } from '../../../src/kube/leader-election.ts';
import { fakeKube, hang, listOf } from './fake-kube.ts';
import { useVirtualClock } from './virtual-clock.ts';

/** How long a lease of these tests is valid, in milliseconds. */
const DURATION_MS = 1500;

/** Returns a candidate for the lease of these tests. */
function candidate(kube: Kube, signal: AbortSignal, now: () => number): LeaderElectionOptions {
  return {
    kube,
    namespace: 'autoscrape',
    name: 'lease',
    identity: 'me',
    durationMs: DURATION_MS,
    signal,
    onLeader: () => undefined,
    onFailure: () => undefined,
    now,
  };
}

/**
 * Returns how long after the last successful renewal was sent the term ends, in milliseconds of a
 * virtual clock. The response to that renewal takes `responseMs`; `later` happens to the next ones.
 */
async function termLength(t: TestContext, responseMs: number, later: 'hang' | 'fail then hang'): Promise<number> {
  const clock = useVirtualClock(t);
  const lease = { metadata: { resourceVersion: '2' }, spec: { holderIdentity: 'me' } };
  const stop = new AbortController();
  let writes = 0;
  let renewedAt = 0;
  let endedAt: number | undefined;
  const kube = fakeKube(async (request) => {
    if (request.method === 'GET') return listOf(request, []);
    if (stop.signal.aborted) return { status: 200, body: lease }; // released
    writes += 1;
    if (writes === 1) {
      renewedAt = clock.now();
      await new Promise((resolve) => setTimeout(resolve, responseMs));
      return { status: 201, body: lease };
    }
    return later === 'fail then hang' && clock.now() - renewedAt < DURATION_MS / 2
      ? { status: 500, body: {} }
      : hang(request);
  });
  const running = runAsLeader(
    candidate(kube, stop.signal, () => clock.now()),
    async (signal) => {
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      endedAt = clock.now();
      stop.abort();
    },
  );
  await clock.runUntil(() => endedAt !== undefined, 3 * DURATION_MS);
  stop.abort();
  await running;
  return (endedAt ?? Infinity) - renewedAt;
}

for (const [what, responseMs, later] of [
  ['a renewal gets no response', 0, 'hang'],
  ['renewals fail, and then one gets no response', 0, 'fail then hang'],
  ['the response to the last successful renewal took long', 400, 'hang'],
] as const) {
  test(`${what}: the term ends when two thirds of the lease are over`, async (t) => {
    const milliseconds = await termLength(t, responseMs, later);
    // The clock moves in steps of 10 ms.
    assert.ok(milliseconds > 990 && milliseconds < 1050, `after ${milliseconds} ms`);
  });
}

test('a term knows whether there was a leader before: in every term but the first of a new Lease', async (t) => {
  const clock = useVirtualClock(t);
  let lease: object | undefined;
  let version = 1;
  const kube = fakeKube((request) => {
    if (request.method === 'GET') return listOf(request, lease === undefined ? [] : [lease]);
    const { body } = request;
    assert.ok(typeof body === 'object' && body !== null);
    version += 1;
    const metadata = { namespace: 'autoscrape', name: 'lease', resourceVersion: String(version) };
    lease = { ...body, metadata };
    return { status: 200, body: lease };
  });
  const stop = new AbortController();
  const terms: boolean[] = [];
  const running = runAsLeader(
    candidate(kube, stop.signal, () => clock.now()),
    (_, wasLed) => {
      terms.push(wasLed);
      if (terms.length === 3) stop.abort();
      return Promise.resolve();
    },
  );
  await clock.runUntil(() => terms.length === 3, 10 * DURATION_MS);
  stop.abort();
  await running;
  assert.deepEqual(terms, [false, true, true]);
});

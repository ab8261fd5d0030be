import assert from 'node:assert/strict';
import test from 'node:test';
import { lead } from '../../../src/kube/leader-election.ts';
import { fakeKube, hang, listOf } from './fake-kube.ts';

/** How long a lease of these tests holds, in milliseconds. */
const DURATION = 1500;

/** How long after the last renewal was sent the term ends, when what is sent afterwards is not answered but by `later`. */
async function termEndsAfter(renewalMs: number, later: 'hang' | 'fail then hang'): Promise<number> {
  const lease = { metadata: { resourceVersion: '2' }, spec: { holderIdentity: 'me' } };
  const stop = new AbortController();
  let writes = 0;
  let renewedAt = 0;
  const kube = fakeKube(async (call) => {
    if (call.method === 'GET') return listOf(call, []);
    if (stop.signal.aborted) return { status: 200, body: lease }; // given back
    writes += 1;
    if (writes === 1) {
      renewedAt = performance.now();
      await new Promise((resolve) => setTimeout(resolve, renewalMs));
      return { status: 201, body: lease };
    }
    return later === 'fail then hang' && performance.now() - renewedAt < DURATION / 2
      ? { status: 500, body: {} }
      : hang(call);
  });
  let endedAt = 0;
  await lead(
    {
      kube,
      namespace: 'autoscrape',
      name: 'lease',
      identity: 'me',
      durationMs: DURATION,
      signal: stop.signal,
      onLeader: () => undefined,
      onFailure: () => undefined,
    },
    async (signal) => {
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      endedAt = performance.now();
      stop.abort();
    },
  );
  return endedAt - renewedAt;
}

for (const [what, renewalMs, later] of [
  ['a renewal is not answered', 0, 'hang'],
  ['renewals fail, and then one is not answered', 0, 'fail then hang'],
  ['the answer to the last good one had taken long', 400, 'hang'],
] as const) {
  test(`${what}: the term ends before the lease does`, async () => {
    const milliseconds = await termEndsAfter(renewalMs, later);
    assert.ok(milliseconds > DURATION / 2 && milliseconds < DURATION, `after ${milliseconds} ms`);
  });
}

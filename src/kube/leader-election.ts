import { isObject } from '../core/json.ts';
import type { JsonObject } from '../core/json.ts';
import type { Result } from '../core/result.ts';
import { childController } from './abort.ts';
import { leasePath, leasesPath } from './api-paths.ts';
import { sleep } from './retry.ts';
import type { ApiRequest, Failure, Kube } from './client.ts';
import { durationOf, holderOf, newLease, versionOf, withHolding } from './lease-object.ts';
import { listWatch } from './list-watch.ts';
import { createWakeUp } from './wake-up.ts';

/** Longest time for a request about the Lease, in milliseconds. */
const REQUEST_TIMEOUT_MS = 5000;

/** The Lease for which the replicas compete. */
export interface LeaderElectionOptions {
  readonly kube: Kube;
  readonly namespace: string;
  readonly name: string;
  /** Who competes: different for each process. */
  readonly identity: string;
  /** How long a holder keeps the lease without renewing it, in milliseconds. */
  readonly durationMs: number;
  readonly signal: AbortSignal;
  readonly onLeader: (isLeader: boolean) => void;
  readonly onFailure: (failure: Failure) => void;
  /** Returns milliseconds since any moment; tests have a clock of their own. */
  readonly now?: () => number;
}

type Options = Required<LeaderElectionOptions>;

/**
 * Runs `work` whenever this process holds the lease, until the signal aborts; resolves then. `work`
 * must stop as soon as its own signal aborts: the lease is lost, or was not renewed in time. The
 * rules are those of client-go's leader election. Another's lease is timed by our own clock since
 * we last saw it change, so that clocks need not agree. A replica that is not the leader watches
 * the lease and sends no other request. At the end the lease is released, so that another replica
 * takes over at once. The second argument of `work` says whether there was a Lease
 * before, and so perhaps a leader.
 */
export async function runAsLeader(
  { now = () => performance.now(), ...others }: LeaderElectionOptions,
  work: (signal: AbortSignal, wasLed: boolean) => Promise<void>,
): Promise<void> {
  const options = { ...others, now };
  while (!options.signal.aborted) {
    const acquired = await acquire(options);
    if (acquired === undefined) return;
    options.onLeader(true);
    await workAndRenew(options, acquired, (signal) => work(signal, acquired.wasLed));
    options.onLeader(false);
  }
}

/** A Lease that this process holds. */
interface HeldLease {
  readonly lease: JsonObject;
  /** When the last renewal was sent, by this process's clock. */
  readonly renewedAt: number;
  /** Whether there was a Lease before. */
  readonly wasLed: boolean;
}

/** Waits until the Lease is ours and returns it, or undefined when the signal aborts first. */
async function acquire(options: Options): Promise<HeldLease | undefined> {
  const { kube, signal, identity, namespace, name, durationMs, onFailure, now } = options;
  const wakeUp = createWakeUp();
  const stop = childController(signal);
  let lease: JsonObject | undefined;
  let isKnown = false;
  let changedAt = 0;
  const observe = (object: unknown) => {
    isKnown = true;
    // A lease that is listed again unchanged is as old as it was.
    if (versionOf(object) !== versionOf(lease)) changedAt = now();
    lease = isObject(object) ? object : undefined;
    wakeUp.wake();
  };
  const watching = listWatch(
    kube,
    { path: leasesPath(namespace), query: { fieldSelector: `metadata.name=${name}` } },
    {
      beginList() {
        let found: unknown;
        return {
          add(object) {
            found = object;
          },
          finish: () => observe(found),
        };
      },
      changed: observe,
      deleted: () => observe(undefined),
      failed: (_, failure) => onFailure(failure),
    },
    { signal: stop.signal, relistMs: 1_800_000 },
  );
  try {
    while (!stop.signal.aborted) {
      const isFree = lease === undefined || ['', identity].includes(holderOf(lease));
      const leftMs = isFree ? 0 : changedAt + (durationOf(lease ?? {}) ?? durationMs) - now();
      if (!isKnown || leftMs > 0) {
        await wakeUp.wait(isKnown ? leftMs : Infinity, stop.signal);
        continue;
      }
      const held = await tryAcquire(options, lease);
      if (held !== undefined) return held;
      await sleep(500 + Math.random() * 500, stop.signal); // another replica was quicker, or the API server is away
    }
    return undefined;
  } finally {
    stop.abort();
    await watching;
  }
}

/**
 * Writes us into the Lease and returns it, or undefined when another replica was quicker or the
 * request failed.
 */
async function tryAcquire(options: Options, lease: JsonObject | undefined): Promise<HeldLease | undefined> {
  const { identity, durationMs, namespace, name, signal, now } = options;
  const holding = { holder: identity, durationMs, acquired: true };
  const renewedAt = now();
  const body = withHolding(lease ?? newLease(namespace, name), holding);
  const written = await write(
    options,
    lease === undefined
      ? { method: 'POST', path: leasesPath(namespace), body, signal }
      : { method: 'PUT', path: leasePath(namespace, name), body, signal },
  );
  if (written.ok) return { lease: written.value, renewedAt, wasLed: lease !== undefined };
  if (written.error.status !== 409) options.onFailure(written.error);
  return undefined;
}

/**
 * Works and renews the lease until either ends, and then releases the lease. Work is stopped, also
 * in the middle of a request, when two thirds of the duration have passed since the last successful
 * renewal was sent: the last third is the time to stop in before another replica may begin.
 */
async function workAndRenew(
  options: Options,
  acquired: HeldLease,
  work: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const { signal, identity, namespace, name, durationMs, onFailure, kube, now } = options;
  const stop = childController(signal);
  let { lease, renewedAt } = acquired;
  const leftMs = () => Math.max(0, renewedAt + (durationMs * 2) / 3 - now());
  const working = work(stop.signal).finally(() => stop.abort());

  const path = leasePath(namespace, name);
  let delayMs = durationMs / 3;
  for (;;) {
    await sleep(Math.min(delayMs, leftMs()), stop.signal);
    if (leftMs() < 1) stop.abort();
    if (stop.signal.aborted) break;
    const sentAt = now();
    const written = await write(options, {
      method: 'PUT',
      path,
      body: withHolding(lease, { holder: identity, durationMs, acquired: false }),
      timeoutMs: Math.min(REQUEST_TIMEOUT_MS, leftMs()),
      signal: stop.signal,
    });
    if (written.ok) {
      lease = written.value;
      renewedAt = sentAt;
      delayMs = durationMs / 3;
      continue;
    }
    if (stop.signal.aborted) break;
    onFailure(written.error);
    delayMs = Math.min(1000, durationMs / 10);
    if (written.error.status === 404) stop.abort();
    if (written.error.status === 409) {
      // Our own write whose response was lost, or somebody's annotation; otherwise another replica
      // holds it now.
      const timeoutMs = Math.min(REQUEST_TIMEOUT_MS, leftMs());
      const read = await kube.request({ method: 'GET', path, timeoutMs, signal: stop.signal });
      if (read.ok && isObject(read.value) && holderOf(read.value) === identity) lease = read.value;
      else if (read.ok) stop.abort();
    }
  }
  await working;
  const released = { holder: '', durationMs: 1000, acquired: false };
  await write(options, { method: 'PUT', path, body: withHolding(lease, released), timeoutMs: 2000 });
}

async function write({ kube }: Options, request: ApiRequest): Promise<Result<JsonObject, Failure>> {
  const written = await kube.request({ timeoutMs: REQUEST_TIMEOUT_MS, ...request });
  if (!written.ok) return written;
  if (isObject(written.value)) return { ok: true, value: written.value };
  return { ok: false, error: { status: 200, message: 'the answer is not a Lease' } };
}

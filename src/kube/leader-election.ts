import { isObject } from '../core/json.ts';
import type { JsonObject } from '../core/json.ts';
import type { Call, Kube } from './client.ts';
import { ask } from './request.ts';
import type { Failure } from './request.ts';
import { createBell } from './wake-up.ts';
import { follow } from './list-watch.ts';
import { durationOf, holderOf, newLease, versionOf, withHolding } from './lease.ts';
import { linked } from './abort.ts';
import { pause } from './backoff.ts';

/** Longest time for a call about the Lease, in milliseconds. */
const CALL_MS = 5000;

/** The Lease for which the replicas compete. */
export interface LeaseOptions {
  readonly kube: Kube;
  readonly namespace: string;
  readonly name: string;
  /** Who asks: another one for each process. */
  readonly identity: string;
  /** How long a holder who says nothing keeps the lease, in milliseconds. */
  readonly durationMs: number;
  readonly signal: AbortSignal;
  readonly onLeader: (isLeader: boolean) => void;
  readonly onFailure: (failure: Failure) => void;
}

/**
 * Resolves when the signal fires; until then runs `work` whenever this process holds the lease; `work` stops as soon as its own
 * signal fires, because the lease is lost or could not be renewed in time. The rules are those of client-go's leader election: another's lease is timed by the own clock since it was last seen to change, so clocks need not agree. Who
 * stands by watches the lease and asks for nothing. At the end the lease is given back, so that another takes over at once.
 */
export async function lead(options: LeaseOptions, work: (signal: AbortSignal) => Promise<void>): Promise<void> {
  while (!options.signal.aborted) {
    const held = await standBy(options);
    if (held === undefined) return;
    options.onLeader(true);
    await hold(options, held, work);
    options.onLeader(false);
  }
}

/** A Lease that is ours, and when that was asked for, by the process's clock. */
interface Held {
  readonly lease: JsonObject;
  readonly since: number;
}

/** The Lease as it is when it has become ours; undefined when the signal fires first. */
async function standBy(options: LeaseOptions): Promise<Held | undefined> {
  const { kube, signal, identity, name, durationMs, onFailure } = options;
  const bell = createBell();
  const stop = linked(signal);
  let lease: JsonObject | undefined;
  let isKnown = false;
  let changedAt = 0;
  const see = (object: unknown) => {
    isKnown = true;
    // Listed again unchanged, the lease is as old as it was.
    if (versionOf(object) !== versionOf(lease)) changedAt = performance.now();
    lease = isObject(object) ? object : undefined;
    bell.ring();
  };
  const watching = follow(
    kube,
    { path: leasesPath(options), query: { fieldSelector: `metadata.name=${name}` } },
    {
      list() {
        let found: unknown;
        return {
          object: (object) => {
            found = object;
          },
          done: () => see(found),
        };
      },
      changed: see,
      deleted: () => see(undefined),
      failed: (_, failure) => onFailure(failure),
    },
    { signal: stop.signal, relistMs: 1_800_000 },
  );
  try {
    while (!stop.signal.aborted) {
      const isFree = lease === undefined || ['', identity].includes(holderOf(lease));
      const left = isFree ? 0 : changedAt + (durationOf(lease ?? {}) ?? durationMs) - performance.now();
      if (!isKnown || left > 0) {
        await bell.wait(isKnown ? left : Infinity, stop.signal);
        continue;
      }
      const taken = await take(options, lease);
      if (taken !== undefined) return taken;
      await pause(500 + Math.random() * 500, stop.signal); // another was quicker, or the API server is away
    }
    return undefined;
  } finally {
    stop.abort();
    await watching;
  }
}

/** The Lease as the API server took it from us; undefined when another was quicker or the call failed. */
async function take(options: LeaseOptions, lease: JsonObject | undefined): Promise<Held | undefined> {
  const { identity, durationMs, namespace, name, signal } = options;
  const holding = { holder: identity, durationMs, acquired: true };
  const since = performance.now();
  const written = await write(
    options,
    lease === undefined
      ? { method: 'POST', path: leasesPath(options), body: withHolding(newLease(namespace, name), holding), signal }
      : { method: 'PUT', path: leasePath(options), body: withHolding(lease, holding), signal },
  );
  if (written.ok) return { lease: written.lease, since };
  if (written.failure.status !== 409) options.onFailure(written.failure);
  return undefined;
}

/**
 * Works and renews until either ends; then gives the lease back. The term ends, even in the middle of a call, when two thirds of
 * the duration have passed since the last renewal was asked for: the rest is to stop in before another may begin.
 */
async function hold(options: LeaseOptions, first: Held, work: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const { signal, identity, durationMs, onFailure, kube } = options;
  const stop = linked(signal);
  let { lease, since: renewedAt } = first;
  const left = () => Math.max(0, renewedAt + (durationMs * 2) / 3 - performance.now());
  const working = work(stop.signal).finally(() => stop.abort());

  const path = leasePath(options);
  let wait = durationMs / 3;
  for (;;) {
    await pause(Math.min(wait, left()), stop.signal);
    if (left() < 1) stop.abort();
    if (stop.signal.aborted) break;
    const since = performance.now();
    const holding = { holder: identity, durationMs, acquired: false };
    const written = await write(options, {
      method: 'PUT',
      path,
      body: withHolding(lease, holding),
      timeoutMs: Math.min(CALL_MS, left()),
      signal: stop.signal,
    });
    if (written.ok) {
      lease = written.lease;
      renewedAt = since;
      wait = durationMs / 3;
      continue;
    }
    if (stop.signal.aborted) break;
    onFailure(written.failure);
    wait = Math.min(1000, durationMs / 10);
    if (written.failure.status === 404) stop.abort();
    if (written.failure.status === 409) {
      // Perhaps our own write, whose answer was lost, or somebody's annotation; else another holds it now.
      const asked = await ask(kube, { method: 'GET', path, timeoutMs: Math.min(CALL_MS, left()), signal: stop.signal });
      if (asked.ok && isObject(asked.body) && holderOf(asked.body) === identity) lease = asked.body;
      else if (asked.ok) stop.abort();
    }
  }
  await working;
  const released = { holder: '', durationMs: 1000, acquired: false };
  await write(options, { method: 'PUT', path, body: withHolding(lease, released), timeoutMs: 2000 });
}

type Written = { readonly ok: true; readonly lease: JsonObject } | { readonly ok: false; readonly failure: Failure };

async function write({ kube }: LeaseOptions, call: Call): Promise<Written> {
  const asked = await ask(kube, { timeoutMs: CALL_MS, ...call });
  if (!asked.ok) return asked;
  if (isObject(asked.body)) return { ok: true, lease: asked.body };
  return { ok: false, failure: { status: 200, message: 'the answer is not a Lease' } };
}

function leasesPath({ namespace }: LeaseOptions): string {
  return `/apis/coordination.k8s.io/v1/namespaces/${encodeURIComponent(namespace)}/leases`;
}

function leasePath(options: LeaseOptions): string {
  return `${leasesPath(options)}/${encodeURIComponent(options.name)}`;
}

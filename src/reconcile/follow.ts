import { isObject, own } from '../core/json.ts';
import type { Kube } from '../kube.ts';
import type { Failure } from './ask.ts';
import { listAll } from './list.ts';
import type { Source } from './list.ts';
import { createBackoff, pause } from './pause.ts';

/** Who is told of a collection. */
export interface Follower {
  /** A list begins: what it returns takes each object, and `done` says that there are no others. */
  list(): { object(object: unknown): void; done(): void };
  changed(object: unknown): void;
  deleted(object: unknown): void;
  /** A watch has lived long enough to show that watching works. */
  watched?(): void;
  /** A list or a watch failed; it is tried again. */
  failed(verb: 'list' | 'watch', failure: Failure): void;
}

export interface FollowOptions {
  readonly signal: AbortSignal;
  /** The list is made anew this often, in milliseconds, whatever the watch says. */
  readonly relistMs: number;
}

/**
 * The API server sends a bookmark about every minute, so a watch on which nothing came for this long is dead. It is shorter
 * than undici's own limit of 300 s.
 */
const SILENCE_MS = 150_000;

/** A watch that lived shorter than this has not shown that watching works. */
const WORKS_MS = 5000;

/**
 * Resolves when the signal fires, and until then keeps the follower up to date: lists, then watches from there; lists again
 * on a timer and after every failure, with growing pauses. State is all that counts: a follower that has missed an event
 * gets the truth with the next list.
 */
export async function follow(kube: Kube, source: Source, follower: Follower, options: FollowOptions): Promise<void> {
  const { signal, relistMs } = options;
  const backoff = createBackoff();
  while (!signal.aborted) {
    const list = follower.list();
    const listed = await listAll(kube, source, (object) => list.object(object), signal);
    if (signal.aborted) return;
    if (!listed.ok) {
      follower.failed('list', listed.failure);
      await pause(Math.max(backoff.next(), listed.failure.retryAfterMs ?? 0), signal);
      continue;
    }
    list.done();

    // Not all at the same moment, and not all watches end at the same moment either.
    const relistAt = performance.now() + relistMs * (0.8 + Math.random() * 0.2);
    let version = listed.resourceVersion;
    while (!signal.aborted && performance.now() < relistAt) {
      const since = performance.now();
      const seconds = Math.ceil(Math.min(240 + Math.random() * 120, (relistAt - since) / 1000));
      const end = await watchOnce(kube, source, follower, version, seconds, signal);
      if (performance.now() - since > WORKS_MS) backoff.reset();
      if (signal.aborted) return;
      if (end.failure !== undefined) {
        // Expired (410): the API server no longer has the changes since then. Expected after a long break.
        if (end.failure.status !== 410) follower.failed('watch', end.failure);
        await pause(Math.max(backoff.next(), end.failure.retryAfterMs ?? 0), signal);
        break;
      }
      // A server that ends watches at once must not be asked without a pause.
      if (performance.now() - since < WORKS_MS) await pause(backoff.next(), signal);
      version = end.version;
    }
  }
}

interface WatchEnd {
  readonly version: string;
  readonly failure?: Failure;
}

/** Watches until the server ends it; the last version seen, and why it ended unless that was its time. */
async function watchOnce(
  kube: Kube,
  source: Source,
  follower: Follower,
  from: string,
  seconds: number,
  signal: AbortSignal,
): Promise<WatchEnd> {
  let version = from;
  const query = {
    ...source.query,
    resourceVersion: from,
    allowWatchBookmarks: 'true',
    timeoutSeconds: String(seconds),
  };
  let works: NodeJS.Timeout | undefined;
  try {
    const stream = await kube.watch(source.path, query, SILENCE_MS, signal);
    if (stream.status === 200) works = setTimeout(() => follower.watched?.(), WORKS_MS);
    for await (const line of stream.lines) {
      if (stream.status !== 200) return { version, failure: readStatus(line, stream.status) };
      const type = isObject(line) ? own(line, 'type') : undefined;
      const object = isObject(line) ? own(line, 'object') : undefined;
      if (!isObject(object))
        return { version, failure: { status: 200, message: 'a line of the watch is not an event' } };
      if (type === 'ERROR') return { version, failure: readStatus(object, 500) };
      if (type === 'ADDED' || type === 'MODIFIED') follower.changed(object);
      if (type === 'DELETED') follower.deleted(object);
      version = readVersion(object) ?? version;
    }
    if (stream.status !== 200) return { version, failure: readStatus(undefined, stream.status) };
    return { version };
  } catch (error) {
    return { version, failure: { status: 0, message: error instanceof Error ? error.message : String(error) } };
  } finally {
    clearTimeout(works);
  }
}

function readStatus(status: unknown, otherwise: number): Failure {
  const code = isObject(status) ? own(status, 'code') : undefined;
  const message = isObject(status) ? own(status, 'message') : undefined;
  return {
    status: typeof code === 'number' ? code : otherwise,
    message: typeof message === 'string' ? message : `HTTP status ${otherwise}`,
  };
}

function readVersion(object: unknown): string | undefined {
  const metadata = isObject(object) ? own(object, 'metadata') : undefined;
  const version = isObject(metadata) ? own(metadata, 'resourceVersion') : undefined;
  return typeof version === 'string' ? version : undefined;
}

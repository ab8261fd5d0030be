import { isObject, own } from '../core/json.ts';
import type { Kube } from './client.ts';
import { isOutage } from './request.ts';
import type { Failure } from './request.ts';
import { listAll } from './list.ts';
import type { Source } from './list.ts';
import { createBackoff, pause } from './backoff.ts';
import type { Semaphore } from './semaphore.ts';

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
  /** The list is made again this often, in milliseconds, whatever the watch says. */
  readonly relistMs: number;
  /** Bounds how many lists run at the same time, where others follow collections too. */
  readonly lists?: Semaphore;
}

/**
 * The API server sends a bookmark about every minute, so a watch on which nothing came for this long is dead. It is shorter
 * than undici's own limit of 300 s.
 */
const SILENCE_MS = 150_000;

/** A watch that lived shorter than this has not shown that watching works. */
const WORKS_MS = 5000;

/**
 * Resolves when the signal fires, and until then keeps the follower up to date: lists, then watches from there. A watch that ends or
 * breaks goes on from the last version that was seen, as client-go's reflector does: hundreds of watches break at once whenever a
 * load balancer or an API server restarts, and as many lists would be the heaviest thing to do then. It lists again on a timer, when
 * that version has expired (410), and after every failure that the next watch does not get past. State is all that counts: a
 * follower that has missed an event gets the truth with the next list.
 */
export async function follow(kube: Kube, source: Source, follower: Follower, options: FollowOptions): Promise<void> {
  const { signal, relistMs, lists } = options;
  const backoff = createBackoff();
  while (!signal.aborted) {
    const list = async () => {
      if (signal.aborted) return undefined;
      const taken = follower.list();
      const listed = await listAll(kube, source, (object) => taken.object(object), signal);
      if (listed.ok && !signal.aborted) taken.done();
      return listed;
    };
    const listed = await (lists === undefined ? list() : lists.run(list));
    if (signal.aborted || listed === undefined) return;
    if (!listed.ok) {
      follower.failed('list', listed.failure);
      await pause(Math.max(backoff.next(), listed.failure.retryAfterMs ?? 0), signal);
      continue;
    }

    // Not all at the same moment, and not all watches end at the same moment either.
    const relistAt = performance.now() + relistMs * (0.8 + Math.random() * 0.2);
    let version = listed.resourceVersion;
    let failures = 0; // in a row, of watches that brought nothing and did not last
    while (!signal.aborted && performance.now() < relistAt) {
      const since = performance.now();
      const seconds = Math.ceil(Math.min(240 + Math.random() * 120, (relistAt - since) / 1000));
      const end = await watchOnce(kube, source, follower, version, seconds, signal);
      const hasWorked = performance.now() - since > WORKS_MS;
      const hasProgressed = end.version !== version || (end.isOpen && hasWorked);
      if (hasProgressed || hasWorked) backoff.reset();
      if (signal.aborted) return;
      if (hasProgressed) failures = 0;
      version = end.version;
      if (end.failure === undefined) {
        failures = 0;
        // A server that ends watches at once must not be asked without a pause.
        if (!hasWorked) await pause(backoff.next(), signal);
        continue;
      }
      const { status, retryAfterMs = 0 } = end.failure;
      failures += 1;
      const mayResume = isOutage(end.failure) && (failures === 1 || isAway(end));
      // What the next try gets past is not worth a word, nor is an expired version, which is expected after a long break.
      if (status !== 410 && !(mayResume && failures === 1)) follower.failed('watch', end.failure);
      await pause(Math.max(backoff.next(), retryAfterMs), signal);
      if (!mayResume) break;
    }
  }
}

/** Whether the API server could not be reached or is overloaded: a list would fare no better, and no change is lost by waiting. */
function isAway({ isOpen, failure }: WatchEnd): boolean {
  return !isOpen && (failure?.status === 0 || failure?.status === 429);
}

interface WatchEnd {
  readonly version: string;
  /** Whether the API server had begun to answer. */
  readonly isOpen: boolean;
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
  let isOpen = false;
  let works: NodeJS.Timeout | undefined;
  const end = (failure?: Failure): WatchEnd => ({ version, isOpen, ...(failure === undefined ? {} : { failure }) });
  try {
    const stream = await kube.watch(source.path, query, SILENCE_MS, signal);
    isOpen = stream.status === 200;
    if (isOpen) works = setTimeout(() => follower.watched?.(), WORKS_MS);
    for await (const line of stream.lines) {
      if (!isOpen) return end(readStatus(line, stream));
      const type = isObject(line) ? own(line, 'type') : undefined;
      const object = isObject(line) ? own(line, 'object') : undefined;
      if (!isObject(object)) return end({ status: 200, message: 'a line of the watch is not an event' });
      if (type === 'ERROR') return end(readStatus(object, { status: 500 }));
      if (type === 'ADDED' || type === 'MODIFIED') follower.changed(object);
      if (type === 'DELETED') follower.deleted(object);
      version = readVersion(object) ?? version;
    }
    return end(isOpen ? undefined : readStatus(undefined, stream));
  } catch (error) {
    return end({ status: 0, message: error instanceof Error ? error.message : String(error) });
  } finally {
    clearTimeout(works);
  }
}

function readStatus(
  body: unknown,
  { status, retryAfter }: { readonly status: number; readonly retryAfter?: number },
): Failure {
  const code = isObject(body) ? own(body, 'code') : undefined;
  const message = isObject(body) ? own(body, 'message') : undefined;
  return {
    status: typeof code === 'number' ? code : status,
    message: typeof message === 'string' ? message : `HTTP status ${status}`,
    ...(retryAfter === undefined ? {} : { retryAfterMs: retryAfter * 1000 }),
  };
}

function readVersion(object: unknown): string | undefined {
  const metadata = isObject(object) ? own(object, 'metadata') : undefined;
  const version = isObject(metadata) ? own(metadata, 'resourceVersion') : undefined;
  return typeof version === 'string' ? version : undefined;
}

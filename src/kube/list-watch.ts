import { isObject, member } from '../core/json.ts';
import { createBackoff, sleep } from './retry.ts';
import { isOutage, readFailure } from './client.ts';
import type { Failure, Kube } from './client.ts';
import { listAll } from './list-pages.ts';
import type { Source } from './list-pages.ts';
import type { Semaphore } from './semaphore.ts';

/** Receives one whole list. */
export interface ListReceiver {
  add(object: unknown): void;
  /** The list is complete: there are no other objects. */
  finish(): void;
}

/** Receives what a list-watch reads. */
export interface ListWatchHandler {
  /** Called when a list begins; the returned receiver gets its objects. */
  beginList(): ListReceiver;
  /** An object was added or modified. */
  changed(object: unknown): void;
  deleted(object: unknown): void;
  /** A watch has lived long enough to show that watching works. */
  watchWorks?(): void;
  /** A list or a watch failed. It is retried. */
  failed(verb: 'list' | 'watch', failure: Failure): void;
}

export interface ListWatchOptions {
  readonly signal: AbortSignal;
  /** Time between two lists in milliseconds, however well the watch works. */
  readonly relistMs: number;
  /** Limits how many lists run at the same time, where there are other list-watches. */
  readonly lists?: Semaphore;
}

/**
 * The API server sends a bookmark about every minute, so a watch without any line for this long is
 * dead. It is shorter than undici's own limit of 300 s.
 */
const SILENCE_MS = 150_000;

/** A watch that lived for less than this has not shown that watching works. */
const WATCH_WORKS_MS = 5000;

/**
 * Lists a collection and watches it from there, and keeps the handler up to date until the signal
 * aborts; resolves then. A watch that ends or breaks continues from the last version that was seen,
 * as client-go's reflector does: hundreds of watches break at once whenever a load balancer or an
 * API server restarts, and as many lists would be the heaviest requests of all. It lists again on a
 * timer, when that version has expired (410), and when the second watch in a row fails. A handler
 * that missed an event gets the state with the next list.
 */
export async function listWatch(
  kube: Kube,
  source: Source,
  handler: ListWatchHandler,
  options: ListWatchOptions,
): Promise<void> {
  const { signal, relistMs, lists } = options;
  const backoff = createBackoff();
  while (!signal.aborted) {
    const list = async () => {
      if (signal.aborted) return undefined;
      const receiver = handler.beginList();
      const result = await listAll(kube, source, (object) => receiver.add(object), signal);
      if (result.ok && !signal.aborted) receiver.finish();
      return result;
    };
    const listed = await (lists === undefined ? list() : lists.run(list));
    if (signal.aborted || listed === undefined) return;
    if (!listed.ok) {
      handler.failed('list', listed.error);
      await sleep(Math.max(backoff.next(), listed.error.retryAfterMs ?? 0), signal);
      continue;
    }

    // Random, so that neither all lists nor all ends of watches come at the same moment.
    const relistAt = performance.now() + relistMs * (0.8 + Math.random() * 0.2);
    let version = listed.value;
    let failures = 0; // in a row, of watches that brought nothing and did not last
    while (!signal.aborted && performance.now() < relistAt) {
      const since = performance.now();
      const seconds = Math.ceil(Math.min(240 + Math.random() * 120, (relistAt - since) / 1000));
      const end = await watchOnce(kube, source, handler, version, seconds, signal);
      const hasWorked = performance.now() - since > WATCH_WORKS_MS;
      const hasProgressed = end.version !== version || (end.isOpen && hasWorked);
      if (hasProgressed || hasWorked) backoff.reset();
      if (signal.aborted) return;
      if (hasProgressed) failures = 0;
      version = end.version;
      if (end.failure === undefined) {
        failures = 0;
        // A server that ends watches at once must not get requests without a pause.
        if (!hasWorked) await sleep(backoff.next(), signal);
        continue;
      }
      const { status, retryAfterMs = 0 } = end.failure;
      failures += 1;
      const canResume = isOutage(end.failure) && (failures === 1 || isAway(end));
      // A failure that the next attempt recovers from is not reported, nor is an expired version:
      // it is normal after a long break.
      if (status !== 410 && !(canResume && failures === 1)) handler.failed('watch', end.failure);
      await sleep(Math.max(backoff.next(), retryAfterMs), signal);
      if (!canResume) break;
    }
  }
}

/**
 * Returns whether the API server is unreachable or overloaded: a list would fail too, and waiting
 * loses no change.
 */
function isAway({ isOpen, failure }: WatchEnd): boolean {
  return !isOpen && (failure?.status === 0 || failure?.status === 429);
}

interface WatchEnd {
  /** The last version that was seen. */
  readonly version: string;
  /** Whether the API server had begun to respond. */
  readonly isOpen: boolean;
  /** Undefined where the watch ended because its time was over. */
  readonly failure?: Failure;
}

/** Watches until the server ends it, and returns how it ended. */
async function watchOnce(
  kube: Kube,
  source: Source,
  handler: ListWatchHandler,
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
    if (isOpen) works = setTimeout(() => handler.watchWorks?.(), WATCH_WORKS_MS);
    for await (const line of stream.lines) {
      if (!isOpen) return end(readStatus(line, stream.status, stream.retryAfter));
      const type = member(line, 'type');
      const object = member(line, 'object');
      if (!isObject(object)) return end({ status: 200, message: 'a line of the watch is not an event' });
      if (type === 'ERROR') return end(readStatus(object, 500));
      if (type === 'ADDED' || type === 'MODIFIED') handler.changed(object);
      if (type === 'DELETED') handler.deleted(object);
      version = readVersion(object) ?? version;
    }
    return end(isOpen ? undefined : readFailure(undefined, stream.status, stream.retryAfter));
  } catch (error) {
    return end({ status: 0, message: error instanceof Error ? error.message : String(error) });
  } finally {
    clearTimeout(works);
  }
}

/**
 * Returns the failure that a Kubernetes Status in a watch describes; its own code comes before the
 * stream's status.
 */
function readStatus(body: unknown, status: number, retryAfter?: number): Failure {
  const code = member(body, 'code');
  return readFailure(body, typeof code === 'number' ? code : status, retryAfter);
}

function readVersion(object: unknown): string | undefined {
  const version = member(member(object, 'metadata'), 'resourceVersion');
  return typeof version === 'string' ? version : undefined;
}

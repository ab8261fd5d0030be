import type { Rules } from '../core/rules/parse.ts';
import type { SelectorText } from '../core/rules/selector-text.ts';
import { childController } from '../kube/abort.ts';
import { podsPath } from '../kube/api-paths.ts';
import type { Failure, Kube } from '../kube/client.ts';
import { listWatch } from '../kube/list-watch.ts';
import type { Semaphore } from '../kube/semaphore.ts';
import type { NamespaceAsking } from './asking.ts';
import { annotatePlanner } from './plan-annotate.ts';
import { createPodStore } from './pod-store.ts';
import type { PendingPod, PodStore } from './pod-store.ts';

/**
 * The API server's view of a namespace's label lags by seconds: pods created in that time do not
 * count as missed.
 */
export const LABEL_LAG_MS = 10_000;

/** The list-watch of one namespace's pods. */
export interface PodWatch {
  readonly pods: PodStore;
  /** What asks its pods, where they are asked. */
  readonly asking: NamespaceAsking | undefined;
  /**
   * Returns the Unix time of the last complete list, in milliseconds; undefined before the first.
   */
  listedAt(): number | undefined;
  stop(): void;
}

export interface PodWatchOptions {
  readonly kube: Kube;
  readonly namespace: string;
  readonly mesh: boolean;
  readonly rules: Rules;
  readonly podSelector: SelectorText | undefined;
  readonly relistMs: number;
  readonly lists: Semaphore;
  readonly signal: AbortSignal;
  /** What asks its pods, where they are asked. */
  readonly asking: NamespaceAsking | undefined;
  /** A pod is to be annotated. */
  readonly onPending: (pod: PendingPod) => void;
  readonly onListed: () => void;
  readonly onWatchWorks: () => void;
  readonly onFailure: (verb: 'list' | 'watch', failure: Failure) => void;
}

/**
 * Keeps a store of the namespace's pods up to date until it is stopped or the signal aborts, and
 * returns it.
 */
export function watchPods(options: PodWatchOptions): PodWatch {
  const {
    kube,
    namespace,
    mesh,
    rules,
    podSelector,
    relistMs,
    lists,
    asking,
    onPending,
    onListed,
    onWatchWorks,
    onFailure,
  } = options;
  const stop = childController(options.signal);
  let listedAt: number | undefined;
  let watchedSince: number | undefined;
  const isWatched = () => watchedSince !== undefined && performance.now() - watchedSince > LABEL_LAG_MS;
  const pods = createPodStore(annotatePlanner(rules, mesh, asking, podSelector), isWatched, onPending, asking);
  const handler = {
    beginList() {
      const list = pods.beginList();
      return {
        add: (object: unknown) => list.add(object),
        finish() {
          list.finish();
          listedAt = Date.now();
          watchedSince ??= performance.now();
          onListed();
        },
      };
    },
    changed: (object: unknown) => pods.upsert(object),
    deleted: (object: unknown) => pods.delete(object),
    watchWorks: onWatchWorks,
    failed: onFailure,
  };
  void listWatch(kube, { path: podsPath(namespace) }, handler, { signal: stop.signal, relistMs, lists });
  return { pods, asking, listedAt: () => listedAt, stop: () => stop.abort() };
}

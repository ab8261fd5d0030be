import type { Rules } from '../core/rules/parse.ts';
import type { Kube } from '../kube/client.ts';
import { podsPath } from './apply.ts';
import type { Failure } from '../kube/request.ts';
import { follow } from '../kube/list-watch.ts';
import { linked } from '../kube/abort.ts';
import { annotatePlanner } from './plan.ts';
import { createPodStore } from './pod-store.ts';
import type { PodStore, Waiting } from './pod-store.ts';
import type { Semaphore } from '../kube/semaphore.ts';

/** The API server's view of a namespace's label lags by seconds: pods created meanwhile are not counted as missed. */
export const LABEL_LAG_MS = 10_000;

/** An opted-in namespace whose pods are followed. */
export interface WatchedNamespace {
  readonly mesh: boolean;
  readonly pods: PodStore;
  /** Unix time of the last complete list, in milliseconds; undefined before the first. */
  listedAt(): number | undefined;
  stop(): void;
}

/** Whose pods to follow, and who is told. */
export interface WatchOptions {
  readonly kube: Kube;
  readonly name: string;
  readonly mesh: boolean;
  readonly rules: Rules;
  readonly relistMs: number;
  readonly lists: Semaphore;
  readonly signal: AbortSignal;
  /** A pod is to be annotated; it is missed when the webhook saw it created, under our eyes, and should have done it. */
  readonly onWaiting: (waiting: Waiting, isMissed: boolean) => void;
  readonly onListed: () => void;
  /** Watching them works. */
  readonly onWatched: () => void;
  readonly onFailure: (verb: 'list' | 'watch', failure: Failure) => void;
}

/** The namespace's pods, followed until it is stopped or the signal fires. */
export function watchNamespace(options: WatchOptions): WatchedNamespace {
  const { kube, name, mesh, rules, relistMs, lists, onWaiting, onListed, onWatched, onFailure } = options;
  const stop = linked(options.signal);
  const pods = createPodStore(annotatePlanner(rules, mesh), (waiting) => {
    const isUnderOurEyes = watchedSince !== undefined && performance.now() - watchedSince > LABEL_LAG_MS;
    onWaiting(waiting, waiting.isNew && isUnderOurEyes);
  });
  let listedAt: number | undefined;
  let watchedSince: number | undefined;
  const follower = {
    list() {
      const list = pods.list();
      return {
        object: (object: unknown) => list.object(object),
        done() {
          list.done();
          listedAt = Date.now();
          watchedSince ??= performance.now();
          onListed();
        },
      };
    },
    changed: (object: unknown) => pods.upsert(object),
    deleted: (object: unknown) => pods.delete(object),
    watched: onWatched,
    failed: onFailure,
  };
  void follow(kube, { path: podsPath(name) }, follower, { signal: stop.signal, relistMs, lists });
  return { mesh, pods, listedAt: () => listedAt, stop: () => stop.abort() };
}

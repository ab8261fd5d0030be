import type { Rules } from '../core/rules.ts';
import type { Kube } from '../kube.ts';
import { podsPath } from './apply.ts';
import type { Failure } from './ask.ts';
import { follow } from './follow.ts';
import { linked } from './linked.ts';
import { annotatePlanner } from './plan.ts';
import { createPods } from './pods.ts';
import type { Pods } from './pods.ts';

/** The API server's view of a namespace's label lags by seconds: what happens to pods meanwhile is nobody's fault. */
const LABEL_LAG_MS = 10_000;

/** An opted-in namespace whose pods are followed. */
export interface WatchedNamespace {
  readonly mesh: boolean;
  readonly pods: Pods;
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
  readonly signal: AbortSignal;
  /** A pod waits to be changed; it is missed when the webhook saw it created, under our eyes, and should have done it. */
  readonly onChange: (pod: string, isMissed: boolean) => void;
  readonly onListed: () => void;
  /** Watching them works. */
  readonly onWatched: () => void;
  readonly onFailure: (verb: 'list' | 'watch', failure: Failure) => void;
}

/** The namespace's pods, followed until it is stopped or the signal fires. */
export function watchNamespace(options: WatchOptions): WatchedNamespace {
  const { kube, name, mesh, rules, relistMs, onChange, onListed, onWatched, onFailure } = options;
  const stop = linked(options.signal);
  const pods = createPods(annotatePlanner(rules, mesh), ({ plan, isNew }) => {
    if (plan.action === 'leave') return;
    const isUnderOurEyes = watchedSince !== undefined && performance.now() - watchedSince > LABEL_LAG_MS;
    onChange(plan.name, isNew && isUnderOurEyes);
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
    changed: (object: unknown) => pods.see(object),
    deleted: (object: unknown) => pods.forget(object),
    watched: onWatched,
    failed: onFailure,
  };
  void follow(kube, { path: podsPath(name) }, follower, { signal: stop.signal, relistMs });
  return { mesh, pods, listedAt: () => listedAt, stop: () => stop.abort() };
}

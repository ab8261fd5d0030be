import { podsPath } from '../kube/api-paths.ts';
import type { Failure, Kube } from '../kube/client.ts';
import { listAll } from '../kube/list-pages.ts';
import type { PodStore } from './pod-store.ts';

/**
 * Plans pods again when a Service that selects them has come, gone or changed: its ports may be
 * asked now, or its annotation makes somebody else scrape them.
 */
export interface ChangedServices {
  /** A Service has changed that selects pods with these labels. */
  changed(namespace: string, labelSelector: string): void;
  /**
   * Lists and plans the pods of changed Services, each namespace at most once a minute; resolves
   * when that is done, or at once where it is being done.
   */
  planPods(): Promise<void>;
}

export interface ChangedServicesOptions {
  readonly kube: Kube;
  /** Returns the pods of a namespace, or undefined where it is not tracked. */
  readonly podsOf: (namespace: string) => Pick<PodStore, 'planAgain'> | undefined;
  readonly onFailure: (failure: Failure) => void;
  readonly now: () => number;
  readonly signal: AbortSignal;
}

/** Who changes one Service all the time must not have thousands of pods planned all the time. */
const PAUSE_MS = 60_000;

/** The most selectors of a namespace that are listed one by one, rather than all of its pods. */
const MAX_SELECTORS = 10;

/** Selects all pods. */
const ALL = '';

/** Returns what plans the pods of changed Services again, with none changed yet. */
export function createChangedServices(options: ChangedServicesOptions): ChangedServices {
  const { kube, podsOf, onFailure, now, signal } = options;
  const changed = new Map<string, Set<string>>();
  const plannedAt = new Map<string, number>();
  let isPlanning = false;

  async function plan(namespace: string, selectors: ReadonlySet<string>): Promise<void> {
    const pods = podsOf(namespace);
    if (pods === undefined) return;
    plannedAt.set(namespace, now());
    for (const labelSelector of selectors.size > MAX_SELECTORS ? [ALL] : selectors) {
      const source = { path: podsPath(namespace), query: labelSelector === ALL ? {} : { labelSelector } };
      const listed = await listAll(kube, source, (pod) => pods.planAgain(pod), signal);
      if (signal.aborted) return;
      // The next list of the namespace's pods plans them.
      if (!listed.ok) onFailure(listed.error);
    }
  }

  return {
    changed(namespace, labelSelector) {
      if (podsOf(namespace) === undefined) return;
      const selectors = changed.get(namespace) ?? new Set();
      if (selectors.size <= MAX_SELECTORS) selectors.add(labelSelector);
      changed.set(namespace, selectors);
    },
    async planPods() {
      if (isPlanning) return;
      isPlanning = true;
      for (const [namespace, at] of plannedAt) if (now() - at >= PAUSE_MS) plannedAt.delete(namespace);
      for (const [namespace, selectors] of changed) {
        if (plannedAt.has(namespace)) continue;
        changed.delete(namespace);
        await plan(namespace, selectors);
        if (signal.aborted) break;
      }
      isPlanning = false;
    },
  };
}

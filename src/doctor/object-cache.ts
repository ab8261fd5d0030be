import { isObject } from '../core/json.ts';
import type { JsonObject } from '../core/json.ts';
import type { Result } from '../core/result.ts';
import { collectionPath } from '../kube/api-paths.ts';
import type { Collection } from '../kube/api-paths.ts';
import type { Failure, Kube } from '../kube/client.ts';
import { listAll } from '../kube/list-pages.ts';

/** What was read, or what is needed for reading it, such as `list on networkpolicies`. */
export type Read<T> = Result<T, string>;

/** Reads objects of a cluster, each collection once. */
export interface ClusterReader {
  /** Returns the objects; none where the cluster has no such kind. Without a namespace, those of all. */
  list(
    collection: Collection,
    where?: { readonly namespace?: string; readonly labelSelector?: string },
  ): Promise<Read<readonly JsonObject[]>>;
  /** Returns the object, or undefined where there is none. */
  get(collection: Collection, namespace: string | undefined, name: string): Promise<Read<JsonObject | undefined>>;
  /** Returns the version of the API server, such as `v1.37.0`; undefined where it does not say. */
  version(): Promise<string | undefined>;
}

/** Returns a reader. After a request without any answer it sends no other: each would wait as long. */
export function createClusterReader(kube: Pick<Kube, 'request'>, signal: AbortSignal): ClusterReader {
  const known = new Map<string, Promise<Read<unknown>>>();
  let outage: string | undefined;

  function once<T>(key: string, read: () => Promise<Read<T>>): Promise<Read<T>> {
    const before = known.get(key);
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a key is read in one way only
    if (before !== undefined) return before as Promise<Read<T>>;
    const found = outage === undefined ? read() : Promise.resolve({ ok: false as const, error: outage });
    known.set(key, found);
    return found;
  }

  function needs<T>(verb: string, plural: string, namespace: string | undefined, failure: Failure): Read<T> {
    if (failure.status === 403)
      return { ok: false, error: `${verb} on ${plural}${namespace === undefined ? '' : ` in namespace ${namespace}`}` };
    const error = `an answer of the API server: ${failure.message}`;
    if (failure.status === 0) outage = error;
    return { ok: false, error };
  }

  return {
    list(collection, { namespace, labelSelector } = {}) {
      const path = collectionPath(collection, namespace);
      return once<readonly JsonObject[]>(`${path}?${labelSelector ?? ''}`, async () => {
        const items: JsonObject[] = [];
        const source = { path, ...(labelSelector !== undefined && { query: { labelSelector } }) };
        const listed = await listAll(kube, source, (item) => isObject(item) && items.push(item), signal);
        if (listed.ok) return { ok: true, value: items };
        // The cluster has no such kind.
        if (listed.error.status === 404) return { ok: true, value: [] };
        return needs('list', collection.plural, namespace, listed.error);
      });
    },
    get(collection, namespace, name) {
      const path = `${collectionPath(collection, namespace)}/${encodeURIComponent(name)}`;
      return once<JsonObject | undefined>(path, async () => {
        const read = await kube.request({ method: 'GET', path, signal });
        if (read.ok) return { ok: true, value: isObject(read.value) ? read.value : undefined };
        if (read.error.status === 404) return { ok: true, value: undefined };
        return needs('get', collection.plural, namespace, read.error);
      });
    },
    async version() {
      const read = await kube.request({ method: 'GET', path: '/version', signal });
      const version = read.ok && isObject(read.value) ? read.value['gitVersion'] : undefined;
      return typeof version === 'string' ? version : undefined;
    },
  };
}

/** The collections that doctor reads. */
export const COLLECTIONS = {
  pods: { apiVersion: 'v1', plural: 'pods' },
  namespaces: { apiVersion: 'v1', plural: 'namespaces' },
  services: { apiVersion: 'v1', plural: 'services' },
  events: { apiVersion: 'v1', plural: 'events' },
  networkPolicies: { apiVersion: 'networking.k8s.io/v1', plural: 'networkpolicies' },
  peerAuthentications: { apiVersion: 'security.istio.io/v1', plural: 'peerauthentications' },
  authorizationPolicies: { apiVersion: 'security.istio.io/v1', plural: 'authorizationpolicies' },
  podMonitors: { apiVersion: 'monitoring.coreos.com/v1', plural: 'podmonitors' },
  serviceMonitors: { apiVersion: 'monitoring.coreos.com/v1', plural: 'servicemonitors' },
  scrapeConfigs: { apiVersion: 'monitoring.coreos.com/v1alpha1', plural: 'scrapeconfigs' },
  prometheuses: { apiVersion: 'monitoring.coreos.com/v1', plural: 'prometheuses' },
  prometheusAgents: { apiVersion: 'monitoring.coreos.com/v1alpha1', plural: 'prometheusagents' },
} as const satisfies Record<string, Collection>;

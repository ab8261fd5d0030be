import { namespaceOf } from '../../core/metadata.ts';
import { ownerOf } from '../../core/pod/owner.ts';
import type { Collection } from '../../kube/api-paths.ts';
import type { ClusterReader } from '../object-cache.ts';

/** What creates pods, by the kind of their controller: a ReplicaSet's name has its Deployment's in it, a Job's its CronJob's. */
const OWNERS: Readonly<Record<string, { readonly kind: string; readonly collection: Collection }>> = {
  ReplicaSet: { kind: 'Deployment', collection: { apiVersion: 'apps/v1', plural: 'deployments' } },
  StatefulSet: { kind: 'StatefulSet', collection: { apiVersion: 'apps/v1', plural: 'statefulsets' } },
  DaemonSet: { kind: 'DaemonSet', collection: { apiVersion: 'apps/v1', plural: 'daemonsets' } },
};

/** Returns what people write to get the pod: its Deployment, StatefulSet or DaemonSet; undefined where it can't be read. */
export async function readOwner(pod: unknown, cluster: ClusterReader): Promise<unknown> {
  const owner = ownerOf(pod);
  const found = owner && OWNERS[owner.kind];
  if (owner === undefined || found === undefined) return undefined;
  const { kind, collection } = found;
  const read = await cluster.get(collection, namespaceOf(pod), owner.workload);
  return read.ok && read.value !== undefined ? { ...read.value, apiVersion: collection.apiVersion, kind } : undefined;
}

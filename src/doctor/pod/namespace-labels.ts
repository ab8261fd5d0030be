import { objectIn, textEntries } from '../../core/json.ts';
import { COLLECTIONS } from '../object-cache.ts';
import type { ClusterReader } from '../object-cache.ts';
import type { Labels } from '../scraper/relabel.ts';

/** Returns the labels of namespaces by their names; those that can't be read have only their name as a label. */
export async function readNamespaceLabels(
  cluster: ClusterReader,
  names: readonly string[],
): Promise<ReadonlyMap<string, Labels>> {
  const found = new Map<string, Labels>();
  for (const name of new Set(names)) {
    const read = await cluster.get(COLLECTIONS.namespaces, undefined, name);
    const labels = read.ok ? textEntries(objectIn(objectIn(read.value, 'metadata'), 'labels')) : [];
    found.set(name, { 'kubernetes.io/metadata.name': name, ...Object.fromEntries(labels) });
  }
  return found;
}

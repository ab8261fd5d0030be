import type { ApiRequest, KubernetesObject } from '../control-plane/api-client.ts';

interface ResourceList {
  readonly groupVersion: string;
  readonly resources: readonly { readonly name: string; readonly kind: string; readonly verbs: readonly string[] }[];
}

/** Kinds that come and go by themselves. */
const PASSING = new Set(['Event', 'Lease', 'ComponentStatus', 'EndpointSlice', 'PodMetrics', 'NodeMetrics']);

/**
 * Returns every object that the cluster holds, as `Kind namespace/name`, in every resource that can be listed. Events and
 * endpoints are left out, and so are Leases but those of `leasesOf`.
 */
export async function inventory(request: ApiRequest, leasesOf: string): Promise<Set<string>> {
  const found = new Set<string>();
  for (const path of await groupVersions(request)) {
    const { body } = await request<ResourceList>('GET', path);
    for (const { name, kind, verbs } of body.resources ?? []) {
      if (!verbs.includes('list') || (PASSING.has(kind) && kind !== 'Lease')) continue;
      const { body: list } = await request<{ items?: readonly KubernetesObject[] }>('GET', `${path}/${name}`);
      for (const { metadata } of list.items ?? []) {
        if (kind === 'Lease' && metadata?.namespace !== leasesOf) continue;
        found.add(`${kind} ${metadata?.namespace === undefined ? '' : `${metadata.namespace}/`}${metadata?.name}`);
      }
    }
  }
  return found;
}

/** The path of every group's preferred version. */
async function groupVersions(request: ApiRequest): Promise<string[]> {
  const { body } = await request<{ groups: readonly { preferredVersion: { groupVersion: string } }[] }>('GET', '/apis');
  return ['/api/v1', ...body.groups.map(({ preferredVersion }) => `/apis/${preferredVersion.groupVersion}`)];
}

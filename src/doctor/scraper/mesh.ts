import { nameOf, namespaceOf } from '../../core/metadata.ts';
import { objectIn, text, textEntries } from '../../core/json.ts';
import type { JsonObject } from '../../core/json.ts';
import { satisfies } from '../../core/rules/selector.ts';
import { requirementsOf } from '../../core/rules/selector-json.ts';
import { COLLECTIONS } from '../object-cache.ts';
import type { ClusterReader } from '../object-cache.ts';
import { refusedBy } from './authorization-policies.ts';
import type { Refusal, Scrape } from './authorization-policies.ts';

/** Istio's namespace for policies of the whole mesh, unless it was installed elsewhere. */
const ROOT = 'istio-system';

/** Linkerd's policies that let in no client without its proxy: https://linkerd.io/2/reference/authorization-policy/#default-policies */
const LINKERD_CLOSED = ['deny', 'all-authenticated', 'cluster-authenticated'];

/** Returns the policy of a mesh that refuses a scrape, with what to do, or what is needed to know; undefined where none does. */
export async function meshRefusal(
  scrape: Scrape,
  cluster: ClusterReader,
): Promise<Refusal | { readonly needs: string } | undefined> {
  const { to: pod } = scrape;
  const namespace = namespaceOf(pod);
  const linkerd = await linkerdPolicy(pod, namespace, cluster);
  if (linkerd !== undefined)
    return {
      because: `Linkerd's policy ${linkerd} lets in no client without its proxy.`,
      todo: "Let Prometheus in by an AuthorizationPolicy of Linkerd, or give Prometheus' pods the proxy.",
    };
  const [own, root, authorization, ofRoot] = await Promise.all([
    cluster.list(COLLECTIONS.peerAuthentications, { namespace }),
    cluster.list(COLLECTIONS.peerAuthentications, { namespace: ROOT }),
    cluster.list(COLLECTIONS.authorizationPolicies, { namespace }),
    cluster.list(COLLECTIONS.authorizationPolicies, { namespace: ROOT }),
  ]);
  const ofNamespace = own.ok ? own.value : [];
  // The narrower one wins: of the workload, of the namespace, of the mesh.
  const policy =
    ofNamespace.find((each) => hasSelector(each) && selects(each, pod)) ??
    ofNamespace.find((each) => !hasSelector(each)) ??
    (root.ok ? root.value.find((each) => !hasSelector(each)) : undefined);
  if (policy !== undefined && text(objectIn(objectIn(policy, 'spec'), 'mtls').mode) === 'STRICT')
    return {
      because: `PeerAuthentication ${namespaceOf(policy)}/${nameOf(policy)} is STRICT: the app's port takes only clients of the mesh.`,
      todo: 'write into the pod template: prometheus.io/port: "15020", prometheus.io/path: /stats/prometheus, where Istio serves the merged metrics',
    };
  const policies = [authorization, ...(namespace === ROOT ? [] : [ofRoot])].flatMap((read) =>
    read.ok ? read.value : [],
  );
  const refusal = refusedBy(policies, ROOT, scrape);
  const unread = [own, root, authorization, ofRoot].find((read) => !read.ok);
  return refusal ?? (unread?.ok === false ? { needs: unread.error } : undefined);
}

async function linkerdPolicy(pod: JsonObject, namespace: string, cluster: ClusterReader): Promise<string | undefined> {
  const key = 'config.linkerd.io/default-inbound-policy';
  const own = objectIn(objectIn(pod, 'metadata'), 'annotations')[key];
  const read = own === undefined ? await cluster.get(COLLECTIONS.namespaces, undefined, namespace) : undefined;
  const inherited = read?.ok === true ? objectIn(objectIn(read.value, 'metadata'), 'annotations')[key] : undefined;
  const policy = text(own ?? inherited);
  return LINKERD_CLOSED.includes(policy) ? policy : undefined;
}

function hasSelector(policy: JsonObject): boolean {
  return Object.keys(objectIn(objectIn(policy, 'spec'), 'selector')).length > 0;
}

function selects(policy: JsonObject, pod: JsonObject): boolean {
  const labels = new Map(textEntries(objectIn(pod, 'metadata').labels));
  return satisfies(labels, requirementsOf(objectIn(policy, 'spec')['selector']));
}

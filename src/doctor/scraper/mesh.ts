import { objectIn, objectsIn, text, textEntries } from '../../core/json.ts';
import type { JsonObject } from '../../core/json.ts';
import { satisfies } from '../../core/rules/selector.ts';
import { requirementsOf } from '../../core/rules/selector-json.ts';
import { COLLECTIONS } from '../cluster.ts';
import type { ClusterReader } from '../cluster.ts';
import { nameOf, namespaceOf } from '../pod/select-pods.ts';

/** Returns whether a mesh's proxy is in front of the pod: Istio's and Linkerd's sidecars, or Istio's ambient mode. */
export function isMeshed(pod: unknown): boolean {
  const spec = objectIn(pod, 'spec');
  const names = [...objectsIn(spec, 'containers'), ...objectsIn(spec, 'initContainers')].map(({ name }) => name);
  const labels = objectIn(objectIn(pod, 'metadata'), 'labels');
  return (
    names.includes('istio-proxy') || names.includes('linkerd-proxy') || labels['istio.io/dataplane-mode'] === 'ambient'
  );
}

/** Istio's namespace for policies of the whole mesh, unless it was installed elsewhere. */
const ROOT = 'istio-system';

/** Linkerd's policies that let in no client without its proxy: https://linkerd.io/2/reference/authorization-policy/#default-policies */
const LINKERD_CLOSED = ['deny', 'all-authenticated', 'cluster-authenticated'];

/** Returns the policy of a mesh that refuses clients outside of it, with what to do; undefined where none is known. */
export async function meshRefusal(
  pod: JsonObject,
  cluster: ClusterReader,
): Promise<{ readonly because: string; readonly todo: string } | undefined> {
  const namespace = namespaceOf(pod);
  const linkerd = await linkerdPolicy(pod, namespace, cluster);
  if (linkerd !== undefined)
    return {
      because: `Linkerd's policy ${linkerd} lets in no client without its proxy.`,
      todo: "Let Prometheus in by an AuthorizationPolicy of Linkerd, or give Prometheus' pods the proxy.",
    };
  const [own, root, authorization] = await Promise.all([
    cluster.list(COLLECTIONS.peerAuthentications, { namespace }),
    cluster.list(COLLECTIONS.peerAuthentications, { namespace: ROOT }),
    cluster.list(COLLECTIONS.authorizationPolicies, { namespace }),
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
  const denying = (authorization.ok ? authorization.value : []).find(
    (each) => !hasSelector(each) || selects(each, pod),
  );
  if (denying === undefined) return undefined;
  return {
    because: `AuthorizationPolicy ${namespace}/${nameOf(denying)} decides who may ask it.`,
    todo: `kubectl edit authorizationpolicy ${nameOf(denying)} -n ${namespace}: allow Prometheus' service account`,
  };
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

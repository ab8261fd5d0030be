import { nameOf, namespaceOf } from '../../core/metadata.ts';
import { BlockList, isIP } from 'node:net';
import { isObject, objectIn, objectsIn, text, textEntries } from '../../core/json.ts';
import type { JsonObject } from '../../core/json.ts';
import { satisfies } from '../../core/rules/selector.ts';
import { requirementsOf } from '../../core/rules/selector-json.ts';
import type { Labels } from './relabel.ts';

// NetworkPolicies of networking.k8s.io/v1 as Kubernetes documents them:
// https://kubernetes.io/docs/concepts/services-networking/network-policies/. An empty selector is everything, a missing one nothing.

/** A connection from a pod to a port of another. */
export interface Connection {
  readonly from: JsonObject;
  readonly to: JsonObject;
  /** The TCP port. */
  readonly port: number;
  /** The labels of each namespace, by its name; a namespace always has the label kubernetes.io/metadata.name. */
  readonly namespaces: ReadonlyMap<string, Labels>;
}

/** Returns the policies that forbid the connection, empty where none does: those of its way in, or else those of its way out. */
export function forbiddenBy(
  policies: readonly JsonObject[],
  connection: Connection,
): { readonly policies: readonly string[]; readonly way: 'in' | 'out' } | undefined {
  const incoming = closed(policies, connection.to, 'Ingress', (rule) =>
    allows(rule, 'from', connection.from, connection),
  );
  if (incoming.length > 0) return { policies: incoming, way: 'in' };
  const outgoing = closed(policies, connection.from, 'Egress', (rule) => allows(rule, 'to', connection.to, connection));
  return outgoing.length > 0 ? { policies: outgoing, way: 'out' } : undefined;
}

/** Returns the policies that isolate the pod in this direction, where none of their rules allows the connection. */
function closed(
  policies: readonly JsonObject[],
  pod: JsonObject,
  type: 'Ingress' | 'Egress',
  isAllowed: (rule: { readonly rule: JsonObject; readonly namespace: string }) => boolean,
): readonly string[] {
  // Most network plugins apply none to pods in the host's network: NetworkPolicy and hostNetwork pods, on that page.
  if (objectIn(pod, 'spec')['hostNetwork'] === true) return [];
  const isolating = policies.filter(
    (policy) =>
      namespaceOf(policy) === namespaceOf(pod) &&
      isolates(policy, type) &&
      selectsPod(objectIn(policy, 'spec')['podSelector'], pod),
  );
  const rules = isolating.flatMap((policy) =>
    objectsIn(objectIn(policy, 'spec'), type.toLowerCase()).map((rule) => ({ rule, namespace: namespaceOf(policy) })),
  );
  return rules.some(isAllowed) ? [] : isolating.map((policy) => `${namespaceOf(policy)}/${nameOf(policy)}`);
}

/** Without policyTypes a policy is one of Ingress, and of Egress too where it has rules of it. */
function isolates(policy: JsonObject, type: 'Ingress' | 'Egress'): boolean {
  const spec = objectIn(policy, 'spec');
  const types = spec['policyTypes'];
  if (Array.isArray(types)) return types.includes(type);
  return type === 'Ingress' || Array.isArray(spec['egress']);
}

function selectsPod(selector: unknown, pod: JsonObject): boolean {
  return (
    isObject(selector) && satisfies(new Map(textEntries(objectIn(pod, 'metadata').labels)), requirementsOf(selector))
  );
}

function allows(
  { rule, namespace }: { readonly rule: JsonObject; readonly namespace: string },
  direction: 'from' | 'to',
  other: JsonObject,
  connection: Connection,
): boolean {
  const peers = rule[direction];
  const isAnybody = !Array.isArray(peers) || peers.length === 0;
  return (
    (isAnybody || objectsIn(rule, direction).some((peer) => isPeer(peer, namespace, other, connection))) &&
    hasPort(rule, connection)
  );
}

function isPeer(peer: JsonObject, namespace: string, pod: JsonObject, { namespaces }: Connection): boolean {
  const block = peer['ipBlock'];
  if (isObject(block)) return inBlock(block, text(objectIn(pod, 'status').podIP));
  const selector = peer['namespaceSelector'];
  const own = namespaceOf(pod);
  const labels = { 'kubernetes.io/metadata.name': own, ...namespaces.get(own) };
  const isInNamespace = isObject(selector)
    ? satisfies(new Map(Object.entries(labels)), requirementsOf(selector))
    : own === namespace;
  return isInNamespace && (peer['podSelector'] === undefined || selectsPod(peer['podSelector'], pod));
}

function inBlock(block: JsonObject, address: string): boolean {
  const except = block['except'];
  const excepted = Array.isArray(except) ? except.map(text) : [];
  return isIn(text(block['cidr']), address) && !excepted.some((cidr) => isIn(cidr, address));
}

function isIn(cidr: string, address: string): boolean {
  const [net = '', prefix = ''] = cidr.split('/');
  const family = isIP(net);
  if (family === 0 || family !== isIP(address)) return false;
  const list = new BlockList();
  list.addSubnet(net, Number(prefix), family === 6 ? 'ipv6' : 'ipv4');
  return list.check(address, family === 6 ? 'ipv6' : 'ipv4');
}

/** A named port is the one of the pod that is connected to. */
function hasPort(rule: JsonObject, { to, port }: Connection): boolean {
  const ports = rule['ports'];
  if (!Array.isArray(ports) || ports.length === 0) return true;
  return objectsIn(rule, 'ports').some(({ protocol, port: first, endPort }) => {
    if ((text(protocol) || 'TCP') !== 'TCP') return false;
    if (first === undefined || first === null) return true;
    if (typeof first === 'string') return portNamed(to, first) === port;
    return typeof first === 'number' && first <= port && port <= (typeof endPort === 'number' ? endPort : first);
  });
}

function portNamed(pod: JsonObject, name: string): unknown {
  const spec = objectIn(pod, 'spec');
  return [...objectsIn(spec, 'containers'), ...objectsIn(spec, 'initContainers')]
    .flatMap((container) => objectsIn(container, 'ports'))
    .find((port) => port['name'] === name)?.['containerPort'];
}

import { at, labelSelector, list } from '../chart/render.ts';
import { selects } from '../../../src/core/rules/selector.ts';
import { podNetwork } from './sandbox.ts';

// The node's network plugin knows no NetworkPolicies, so this makes rules of nftables of them, which the node's kernel holds
// traffic to. What a policy means: https://kubernetes.io/docs/concepts/services-networking/network-policies/

/** What the policies are about, as the API server lists it. */
export interface PolicyObjects {
  readonly policies: readonly unknown[];
  readonly namespaces: readonly unknown[];
  readonly pods: readonly unknown[];
}

/** The table that holds the rules. */
export const POLICY_TABLE = 'inet network-policies';

type Direction = 'ingress' | 'egress';

/** A pod with an address of its own. */
interface Pod {
  readonly namespace: string;
  readonly address: string;
  readonly labels: ReadonlyMap<string, string>;
  readonly probed: readonly number[];
}

/**
 * Returns a script for `nft -f` that puts the policies into force, in place of those before. It is stricter than a policy has to be
 * in two things, so that a test sees more: a pod whose address is not known yet reaches nobody, and its own node reaches only the
 * ports that its probes name, because here the API server has the node's address. A connection that is refused fails with "no route to
 * host", so that no test waits long. Throws where a port has a name, which OVN-Kubernetes reads as every port.
 */
export function policyRules(objects: PolicyObjects): string {
  const pods = objects.pods.flatMap(podOf);
  const known = pods.map(({ address }) => address);
  const chains = pods.flatMap((pod) =>
    (['ingress', 'egress'] as const).flatMap((direction) => {
      const allowed = allowedRules(pod, direction, pods, objects);
      return allowed === undefined ? [] : [{ pod, direction, allowed }];
    }),
  );
  const own = { ingress: 'daddr', egress: 'saddr' };
  const jumps = chains.map(
    ({ pod, direction }) => `ip ${own[direction]} ${pod.address} jump ${chainOf(pod, direction)}`,
  );
  return [
    `table ${POLICY_TABLE}`,
    `delete table ${POLICY_TABLE}`,
    `table ${POLICY_TABLE} {`,
    ...chains.map(({ pod, direction, allowed }) => chain(chainOf(pod, direction), [...allowed, REFUSE])),
    chain('judge', [
      'ct state established,related return',
      `fib saddr type != local ip saddr ${podNetwork} ${anyBut('saddr', known)} drop`,
      ...jumps,
    ]),
    ...['forward', 'input', 'output'].map((hook) =>
      // After kube-proxy, which has put a pod's address in place of a Service's.
      chain(hook, [`type filter hook ${hook} priority filter + 10; policy accept;`, 'jump judge']),
    ),
    '}',
    '',
  ].join('\n');
}

const REFUSE = 'reject with icmpx admin-prohibited';

function chain(name: string, rules: readonly string[]): string {
  return [`  chain ${name} {`, ...rules.map((rule) => `    ${rule}`), '  }'].join('\n');
}

function chainOf({ address }: Pod, direction: Direction): string {
  return `${direction}-${address.replaceAll('.', '-')}`;
}

/** Returns what lets traffic of a pod pass; undefined where no policy selects it in this direction, so that all of it does. */
function allowedRules(
  pod: Pod,
  direction: Direction,
  pods: readonly Pod[],
  objects: PolicyObjects,
): string[] | undefined {
  const type = direction === 'ingress' ? 'Ingress' : 'Egress';
  const selecting = objects.policies.filter(
    (policy) =>
      at(policy, 'metadata', 'namespace') === pod.namespace &&
      list(policy, 'spec', 'policyTypes').includes(type) &&
      selects(labelSelector(at(policy, 'spec', 'podSelector')), pod.labels),
  );
  if (selecting.length === 0) return undefined;
  const probes = pod.probed.map((port) => `fib saddr type local tcp dport ${port} return`);
  const rules = selecting
    .flatMap((policy) => list(policy, 'spec', direction))
    .flatMap((rule) => {
      const peers = peerMatches(rule, direction, pod.namespace, pods, objects.namespaces);
      return peers.flatMap((peer) => portMatches(rule).map((port) => `${peer} ${port} return`.trim()));
    });
  return [...new Set([...(direction === 'ingress' ? probes : []), ...rules])];
}

/** Returns a match for each peer of a rule; one that matches all where the rule names none. */
function peerMatches(
  rule: unknown,
  direction: Direction,
  own: string,
  pods: readonly Pod[],
  namespaces: readonly unknown[],
): string[] {
  const [field, address] = direction === 'ingress' ? (['from', 'saddr'] as const) : (['to', 'daddr'] as const);
  const peers = list(rule, field);
  if (peers.length === 0) return [''];
  return peers.flatMap((peer) => {
    const block = at(peer, 'ipBlock');
    if (block !== undefined) {
      return `ip ${address} ${String(at(block, 'cidr'))} ${anyBut(address, list(block, 'except').map(String))}`.trim();
    }
    const selector = at(peer, 'namespaceSelector');
    const within = new Set(
      selector === undefined
        ? [own]
        : namespaces
            .filter((namespace) => selects(labelSelector(selector), labelsOf(namespace)))
            .map((namespace) => String(at(namespace, 'metadata', 'name'))),
    );
    const selected = pods.filter(
      ({ namespace, labels }) => within.has(namespace) && selects(labelSelector(at(peer, 'podSelector')), labels),
    );
    return selected.length === 0 ? [] : `ip ${address} { ${selected.map((pod) => pod.address).join(', ')} }`;
  });
}

function anyBut(address: string, others: readonly string[]): string {
  return others.length === 0 ? '' : `ip ${address} != { ${others.join(', ')} }`;
}

/** Returns a match for each port of a rule; one that matches all where the rule names none. */
function portMatches(rule: unknown): string[] {
  const ports = list(rule, 'ports');
  if (ports.length === 0) return [''];
  return ports.map((one) => {
    const protocol = String(at(one, 'protocol')).toLowerCase();
    const port = at(one, 'port');
    if (port === undefined) return `meta l4proto ${protocol}`;
    if (typeof port !== 'number') throw new Error(`a NetworkPolicy has a named port: ${JSON.stringify(port)}`);
    const end = at(one, 'endPort');
    return `${protocol} dport ${typeof end === 'number' ? `${port}-${end}` : port}`;
  });
}

/** Returns the pod, if it has an address of its own and runs or is about to. */
function podOf(object: unknown): Pod[] {
  const address = at(object, 'status', 'podIP');
  const hasEnded = ['Succeeded', 'Failed'].includes(String(at(object, 'status', 'phase')));
  if (typeof address !== 'string' || hasEnded || at(object, 'spec', 'hostNetwork') === true) return [];
  const probed = list(object, 'spec', 'containers').flatMap((container) =>
    ['startupProbe', 'livenessProbe', 'readinessProbe'].flatMap((probe) =>
      ['httpGet', 'tcpSocket', 'grpc'].flatMap((how) => portNumber(container, at(container, probe, how, 'port'))),
    ),
  );
  const namespace = String(at(object, 'metadata', 'namespace'));
  return [{ namespace, address, labels: labelsOf(object), probed: [...new Set(probed)] }];
}

function portNumber(container: unknown, port: unknown): number[] {
  const number =
    typeof port === 'string'
      ? at(
          list(container, 'ports').find((one) => at(one, 'name') === port),
          'containerPort',
        )
      : port;
  return typeof number === 'number' ? [number] : [];
}

function labelsOf(object: unknown): ReadonlyMap<string, string> {
  const labels = Object.entries(at(object, 'metadata', 'labels') ?? {});
  return new Map(labels.map(([key, value]) => [key, String(value)]));
}

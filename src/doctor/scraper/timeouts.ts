import { nameOf, namespaceOf } from '../../core/metadata.ts';
import { objectIn, text } from '../../core/json.ts';
import { ownerOf } from '../../core/pod/owner.ts';
import type { Target } from './prometheus-targets.ts';

// A timeout says neither "slow" nor "network". One replica or all of them, one node or all of them: that settles most of it.

/** The errors of a connection or a page that takes too long, in Prometheus and vmagent. */
export const TIMEOUT = /deadline exceeded|i\/o timeout|Client\.Timeout/;

interface Count {
  up: number;
  late: number;
}

/** How many targets are up, and how many time out. */
export interface Timeouts {
  /** By the node of the pod. */
  readonly byNode: ReadonlyMap<string, Readonly<Count>>;
  /** By `namespace/name` of what makes the pod, such as its ReplicaSet. */
  readonly byOwner: ReadonlyMap<string, Readonly<Count>>;
}

/** Returns the counts, and what takes one target after another as Prometheus lists them. Owners are those of the pods only. */
export function countTimeouts(pods: readonly unknown[]): Timeouts & { readonly add: (target: unknown) => void } {
  const byNode = new Map<string, Count>();
  const byOwner = new Map(pods.map((pod) => [keyOfOwner(pod), { up: 0, late: 0 }]));
  return {
    byNode,
    byOwner,
    add(target) {
      const { health, lastError } = objectIn({ target }, 'target');
      const isLate = TIMEOUT.test(text(lastError));
      if (health !== 'up' && !isLate) return;
      const { node, owner } = placeOf(objectIn(target, 'discoveredLabels'));
      const onNode = byNode.get(node) ?? { up: 0, late: 0 };
      byNode.set(node, onNode);
      for (const count of [onNode, byOwner.get(owner)]) if (count !== undefined) count[isLate ? 'late' : 'up'] += 1;
    },
  };
}

/**
 * Returns what the other targets say of one that times out, as a sentence, and where to look; undefined where they say
 * nothing. `home` is the scraper's own node, empty where that is not known.
 */
export function compareTimeouts(
  { discovered }: Target,
  { byNode, byOwner }: Timeouts,
  home: string,
): { readonly because: string; readonly todo?: string } | undefined {
  const { node, owner } = placeOf(discovered);
  const here = byNode.get(node);
  if (node === '' || here === undefined) return undefined;
  const others = [...byNode].filter(([name]) => name !== node);
  const up = others.filter(([, count]) => count.up > 0).map(([name]) => name);
  if (here.up === 0 && others.length > 1 && up.length === 1 && up[0] === home) {
    return {
      because: `Only targets on node ${home} are up, where the scraper itself runs.`,
      todo: 'Look at the firewall between the nodes, and at the CNI.',
    };
  }
  if (here.up === 0 && here.late > 1 && up.length > 0) {
    return {
      because: `All ${here.late} targets on node ${node} time out, and targets on other nodes are up.`,
      todo: `Look at the firewall and the CNI of node ${node}.`,
    };
  }
  const replicas = byOwner.get(owner);
  if (replicas === undefined || replicas.up + replicas.late < 2) return undefined;
  const kind = discovered['__meta_kubernetes_pod_controller_kind'] ?? 'owner';
  if (replicas.up > 0)
    return { because: `Of the same ${kind} ${replicas.up} of ${replicas.up + replicas.late} targets are up.` };
  if (here.up === 0) return undefined;
  return {
    because: `All ${replicas.late} targets of the same ${kind} time out, and other targets on this node are up.`,
  };
}

function placeOf(discovered: Readonly<Record<string, unknown>>): { readonly node: string; readonly owner: string } {
  const namespace = text(discovered['__meta_kubernetes_namespace']);
  const name = text(discovered['__meta_kubernetes_pod_controller_name']);
  return { node: text(discovered['__meta_kubernetes_pod_node_name']), owner: `${namespace}/${name}` };
}

function keyOfOwner(pod: unknown): string {
  return `${namespaceOf(pod)}/${ownerOf(pod)?.name ?? nameOf(pod)}`;
}

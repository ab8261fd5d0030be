import { ASK_LABEL } from '../core/ask-label.ts';
import { isObject, member, own, textEntries } from '../core/json.ts';
import type { JsonObject } from '../core/json.ts';
import { isManaged, OPT_IN_LABEL, readOptIn } from '../core/opt-in.ts';
import { groupOf } from '../manifest/kinds.ts';
import type { OtherObject } from '../manifest/workload.ts';

/** Whether the pods of a namespace are annotated: `unknown` is a value that means neither, and `never` a namespace of the system. */
export type NamespaceOptIn = 'yes' | 'no' | 'unknown' | 'never';

/** What the input says of a namespace. */
export interface NamespaceFacts {
  readonly optIn: NamespaceOptIn;
  /** The value of its label autoscrape.io/ask. */
  readonly ask: string | undefined;
  /** Whether Istio injects its proxy there. */
  readonly mesh: boolean;
}

/** A ServiceMonitor or PodMonitor. */
export interface Monitor {
  readonly kind: 'ServiceMonitor' | 'PodMonitor';
  readonly namespace: string;
  readonly name: string;
  readonly spec: JsonObject;
}

/** The other objects of the input that say something about a workload's pods. */
export interface Related {
  /** What is known of a namespace; undefined where neither the input nor its name tells. */
  readonly namespace: (name: string) => NamespaceFacts | undefined;
  /** The Services of a namespace that may select a pod with such labels: the first label of their selector is among them. */
  readonly services: (namespace: string, labels: ReadonlyMap<string, string>) => readonly JsonObject[];
  readonly monitors: readonly Monitor[];
}

/** Namespaces that the chart's webhooks never select (chart/templates/_selectors.tpl). */
const NEVER: ReadonlySet<string> = new Set(['kube-system', 'kube-public', 'kube-node-lease']);

/** Returns what the objects say. Objects that name no namespace are in the given one. */
export function relate(others: readonly OtherObject[], defaultNamespace: string): Related {
  const namespaces = new Map<string, NamespaceFacts>();
  const services = new Map<string, JsonObject[]>();
  const orders = new Map<JsonObject, number>();
  const monitors: Monitor[] = [];
  for (const { apiVersion, kind, namespace: named, name, object } of others) {
    if (!isObject(object)) continue;
    const group = groupOf(apiVersion);
    const namespace = named || defaultNamespace;
    if (kind === 'Namespace' && group === '') namespaces.set(name, readNamespace(name, object));
    else if (kind === 'Service' && group === '') {
      // 20,000 pods beside 3,000 Services are 60 million pairs. A Service without a selector selects nothing.
      const [first] = textEntries(member(own(object, 'spec'), 'selector'));
      if (first === undefined) continue;
      const key = serviceKey(namespace, first);
      const known = services.get(key);
      if (known === undefined) services.set(key, [object]);
      else known.push(object);
      orders.set(object, orders.size);
    } else if ((kind === 'ServiceMonitor' || kind === 'PodMonitor') && group === 'monitoring.coreos.com') {
      const spec = own(object, 'spec');
      if (isObject(spec)) monitors.push({ kind, namespace, name, spec });
    }
  }
  return {
    namespace: (name) => namespaces.get(name) ?? (NEVER.has(name) ? readNamespace(name, {}) : undefined),
    services: (namespace, labels) =>
      [...labels]
        .flatMap((label) => services.get(serviceKey(namespace, label)) ?? [])
        .toSorted((a, b) => (orders.get(a) ?? 0) - (orders.get(b) ?? 0)),
    monitors,
  };
}

function serviceKey(namespace: string, [key, value]: readonly [string, string]): string {
  return JSON.stringify([namespace, key, value]);
}

function readNamespace(name: string, object: JsonObject): NamespaceFacts {
  const labels = member(member(object, 'metadata'), 'labels');
  const label = (key: string): string | undefined => {
    const value = member(labels, key);
    return typeof value === 'string' ? value : undefined;
  };
  const optIn = label(OPT_IN_LABEL);
  return {
    optIn: NEVER.has(name) || isManaged(labels) ? 'never' : optIn === undefined ? 'no' : readOptIn(optIn),
    ask: label(ASK_LABEL),
    mesh: label('istio-injection') === 'enabled' || label('istio.io/rev') !== undefined,
  };
}

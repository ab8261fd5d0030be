import { ASK_LABEL } from '../core/ask-label.ts';
import { isObject, member, own, textEntries } from '../core/json.ts';
import type { JsonObject } from '../core/json.ts';
import { judgeNamespace } from '../core/pod-selectors.ts';
import type { NamespaceOptIn } from '../core/pod-selectors.ts';
import { groupOf } from '../manifest/kinds.ts';
import { LABELS_ALONE } from '../manifest/release-selectors.ts';
import type { SelectorsInForce } from '../manifest/release-selectors.ts';
import type { OtherObject } from '../manifest/workload.ts';
import { whyUnselected } from './unselected.ts';
import type { WhyUnselected } from './unselected.ts';

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
  /** Which pods are selected, and who says so. */
  readonly inForce: SelectorsInForce;
  /** Why the selectors leave out a pod of the namespace with such labels, or the namespace. */
  readonly unselected: (namespace: string, labels: ReadonlyMap<string, string>) => WhyUnselected;
}

/** Returns what the objects say. Objects that name no namespace are in the given one. */
export function relate(
  others: readonly OtherObject[],
  defaultNamespace: string,
  inForce: SelectorsInForce = LABELS_ALONE,
): Related {
  const namespaces = new Map<string, ReadonlyMap<string, string>>();
  const services = new Map<string, JsonObject[]>();
  const orders = new Map<JsonObject, number>();
  const monitors: Monitor[] = [];
  const facts = new Map<string, NamespaceFacts | undefined>();
  const factsOf = (name: string): NamespaceFacts | undefined => {
    const labels = namespaces.get(name);
    const judged = name === '' ? undefined : judgeNamespace(inForce.selectors, name, labels);
    const mesh = labels?.get('istio-injection') === 'enabled' || labels?.has('istio.io/rev') === true;
    return judged && { optIn: judged.optIn, ask: labels?.get(ASK_LABEL), mesh };
  };
  for (const { apiVersion, kind, namespace: named, name, object } of others) {
    if (!isObject(object)) continue;
    const group = groupOf(apiVersion);
    const namespace = named || defaultNamespace;
    if (kind === 'Namespace' && group === '')
      namespaces.set(name, new Map(textEntries(member(own(object, 'metadata'), 'labels'))));
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
    namespace(name) {
      if (!facts.has(name)) facts.set(name, factsOf(name));
      return facts.get(name);
    },
    services: (namespace, labels) =>
      [...labels]
        .flatMap((label) => services.get(serviceKey(namespace, label)) ?? [])
        .toSorted((a, b) => (orders.get(a) ?? 0) - (orders.get(b) ?? 0)),
    monitors,
    inForce,
    unselected: (name, labels) => whyUnselected(inForce, { name, labels: namespaces.get(name) }, labels),
  };
}

function serviceKey(namespace: string, [key, value]: readonly [string, string]): string {
  return JSON.stringify([namespace, key, value]);
}

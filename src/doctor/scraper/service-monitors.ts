import { nameOf, namespaceOf } from '../../core/metadata.ts';
import { readAskedPod } from '../../core/ask/asked-pod.ts';
import { isObject, objectIn, objectsIn, text, textEntries } from '../../core/json.ts';
import type { JsonObject } from '../../core/json.ts';
import { satisfies } from '../../core/rules/selector.ts';
import { requirementsOf } from '../../core/rules/selector-json.ts';
import { selecting, selectsNamespace, targetsOf } from '../../explain/monitor-targets.ts';
import type { Labels } from './relabel.ts';

// Which objects of the Prometheus Operator make targets of a pod, and which of its Prometheuses take them up:
// https://prometheus-operator.dev/docs/api-reference/api/#monitoring.coreos.com/v1.CommonPrometheusFields

/** The kinds that make targets of pods. */
export type MonitorKind = 'PodMonitor' | 'ServiceMonitor' | 'ScrapeConfig';

/** The Operator's objects. */
export interface OperatorObjects {
  readonly monitors: readonly { readonly kind: MonitorKind; readonly object: JsonObject }[];
  /** Prometheus and PrometheusAgent objects. */
  readonly prometheuses: readonly JsonObject[];
  /** The labels of each namespace, by its name. */
  readonly namespaces: ReadonlyMap<string, Labels>;
}

/** A monitor, by what is wrong with it for a pod. */
export type MonitorFault =
  /** No Prometheus object selects it. */
  | { readonly fault: 'unselected'; readonly monitor: string; readonly because: string; readonly todo: string }
  /** It names a port that is not there. */
  | { readonly fault: 'port'; readonly monitor: string; readonly because: string; readonly todo: string }
  /** A Prometheus object selects it, so that its pool should be loaded. */
  | {
      readonly fault: 'none';
      readonly monitor: string;
      readonly object: JsonObject;
      readonly pool: string;
      readonly prometheus: JsonObject;
    };

/** Returns what each monitor that would select the pod comes to. A ScrapeConfig counts that reads annotations of pods by `label`. */
export function monitorsOf(
  pod: unknown,
  services: readonly JsonObject[],
  objects: OperatorObjects,
  label: string | undefined,
): readonly MonitorFault[] {
  const asked = readAskedPod(pod);
  const namespace = namespaceOf(pod);
  return objects.monitors.flatMap(({ kind, object }): MonitorFault[] => {
    const monitor = `${kind} ${namespaceOf(object)}/${nameOf(object)}`;
    const spec = objectIn(object, 'spec');
    if (kind === 'ScrapeConfig') {
      if (label === undefined || !readsLabel(spec, label)) return [];
    } else {
      const targets = targetsOf(
        { kind, namespace: namespaceOf(object), name: nameOf(object), spec },
        asked,
        services,
        namespace,
      );
      if (targets === undefined) {
        const missed = kind === 'ServiceMonitor' ? missedService(object, asked, services, namespace) : undefined;
        return missed === undefined ? [] : [{ fault: 'unselected', monitor, ...missed }];
      }
      if (targets === 0) return [{ fault: 'port', monitor, ...missingPort(kind, spec, asked, services) }];
    }
    const takers = objects.prometheuses.filter((prometheus) => takes(prometheus, kind, object, objects.namespaces));
    const [taker] = takers;
    if (taker !== undefined) return [{ fault: 'none', monitor, object, pool: poolOf(kind, object), prometheus: taker }];
    return [{ fault: 'unselected', monitor, ...whyUnselected(kind, object, objects) }];
  });
}

/** Returns the kind of an object that selects monitors: `Prometheus`, or `PrometheusAgent` where it says so. */
export function kindOfPrometheus({ kind }: JsonObject): string {
  return text(kind) || 'Prometheus';
}

/** Returns the beginning of the name that the Operator gives to the pools of a monitor. */
function poolOf(kind: MonitorKind, object: JsonObject): string {
  return `${kind.charAt(0).toLowerCase()}${kind.slice(1)}/${namespaceOf(object)}/${nameOf(object)}`;
}

function readsLabel(spec: JsonObject, label: string): boolean {
  return objectsIn(spec, 'relabelings').some((rule) => {
    const sources = rule['sourceLabels'];
    return (
      Array.isArray(sources) &&
      sources.some((source) => source === label || source === label.replace('_annotation_', '_annotationpresent_'))
    );
  });
}

const FIELDS: Readonly<Record<MonitorKind, string>> = {
  PodMonitor: 'podMonitor',
  ServiceMonitor: 'serviceMonitor',
  ScrapeConfig: 'scrapeConfig',
};

/** Returns whether a Prometheus object selects the monitor. No selector selects nothing, an empty one everything. */
function takes(
  prometheus: JsonObject,
  kind: MonitorKind,
  object: JsonObject,
  namespaces: OperatorObjects['namespaces'],
): boolean {
  const spec = objectIn(prometheus, 'spec');
  const selector = spec[`${FIELDS[kind]}Selector`];
  return (
    isObject(selector) &&
    satisfies(labelsOf(object), requirementsOf(selector)) &&
    inNamespace(prometheus, kind, object, namespaces)
  );
}

/** No namespace selector means the Prometheus object's own namespace. */
function inNamespace(
  prometheus: JsonObject,
  kind: MonitorKind,
  object: JsonObject,
  namespaces: OperatorObjects['namespaces'],
): boolean {
  const selector = objectIn(prometheus, 'spec')[`${FIELDS[kind]}NamespaceSelector`];
  if (!isObject(selector)) return namespaceOf(prometheus) === namespaceOf(object);
  const labels = namespaces.get(namespaceOf(object)) ?? {};
  return satisfies(new Map(Object.entries(labels)), requirementsOf(selector));
}

function whyUnselected(
  kind: MonitorKind,
  object: JsonObject,
  { prometheuses, namespaces }: OperatorObjects,
): { because: string; todo: string } {
  const field = FIELDS[kind];
  const [first] = prometheuses;
  const itself = `${kind.toLowerCase()} ${nameOf(object)} -n ${namespaceOf(object)}`;
  if (first === undefined)
    return {
      because: 'The cluster has no Prometheus object that could select it.',
      todo: 'Create a Prometheus object, or annotate the pod.',
    };
  // The nearest: one whose namespace selector has it, so that a label is all that is missing.
  const near = prometheuses.find((prometheus) => inNamespace(prometheus, kind, object, namespaces)) ?? first;
  const nearKind = kindOfPrometheus(near);
  const name = `${nearKind} ${namespaceOf(near)}/${nameOf(near)}`;
  const spec = objectIn(near, 'spec');
  const selector = spec[`${field}Selector`];
  const patch = `kubectl patch ${nearKind.toLowerCase()} ${nameOf(near)} -n ${namespaceOf(near)} --type merge -p '{"spec":{"${field}Selector":{}}}'`;
  if (!isObject(selector)) return { because: `${name} has no ${field}Selector, which selects nothing.`, todo: patch };
  const wanted = textEntries(selector['matchLabels']);
  const missing = wanted.filter(([key, value]) => labelsOf(object).get(key) !== value);
  const [label] = missing;
  if (label !== undefined)
    return {
      because: `${name} selects those with the labels ${wanted.map((pair) => pair.join('=')).join(', ')}, and it has ${label[0]}=${labelsOf(object).get(label[0]) ?? '(none)'}.`,
      todo: `kubectl label ${itself} --overwrite ${missing.map((pair) => pair.join('=')).join(' ')}`,
    };
  if (!inNamespace(near, kind, object, namespaces)) {
    const namespaceSelector = spec[`${field}NamespaceSelector`];
    const labels = textEntries(objectIn({ namespaceSelector }, 'namespaceSelector').matchLabels);
    return labels.length > 0
      ? {
          because: `${name} selects them in namespaces with the labels ${labels.map((pair) => pair.join('=')).join(', ')}, which ${namespaceOf(object)} lacks.`,
          todo: `kubectl label namespace ${namespaceOf(object)} ${labels.map((pair) => pair.join('=')).join(' ')}`,
        }
      : {
          because: `${name} selects them in its own namespace only.`,
          todo: `kubectl patch ${nearKind.toLowerCase()} ${nameOf(near)} -n ${namespaceOf(near)} --type merge -p '{"spec":{"${field}NamespaceSelector":{}}}'`,
        };
  }
  return { because: `The ${field}Selector of ${name} does not select it.`, todo: patch };
}

/** Returns why a ServiceMonitor that means a Service of the pod does not select it: its selector is against the Service's labels. */
function missedService(
  monitor: JsonObject,
  asked: ReturnType<typeof readAskedPod>,
  services: readonly JsonObject[],
  namespace: string,
): { because: string; todo: string } | undefined {
  const spec = objectIn(monitor, 'spec');
  if (!selectsNamespace(spec, namespaceOf(monitor), namespace)) return undefined;
  const wanted = textEntries(objectIn(spec, 'selector').matchLabels);
  // It means the pods: its labels are those of the pod, which the Service lacks.
  const means = wanted.length > 0 && wanted.every(([key, value]) => asked.labels.get(key) === value);
  const [service] = selecting(services, asked);
  if (!means || service === undefined) return undefined;
  const missing = wanted.filter(([key, value]) => labelsOf(service).get(key) !== value);
  if (missing.length === 0) return undefined;
  const labels = missing.map((pair) => pair.join('='));
  return {
    because: `It selects Services by the labels ${labels.join(', ')}, which Service ${nameOf(service)} lacks: the pod's own labels do not count.`,
    todo: `kubectl label service ${nameOf(service)} -n ${namespace} ${labels.join(' ')}`,
  };
}

function missingPort(
  kind: MonitorKind,
  spec: JsonObject,
  asked: ReturnType<typeof readAskedPod>,
  services: readonly JsonObject[],
): { because: string; todo: string } {
  const isPod = kind === 'PodMonitor';
  const [endpoint = {}] = objectsIn(spec, isPod ? 'podMetricsEndpoints' : 'endpoints');
  const port = text(endpoint['port']) || numbered(endpoint['targetPort'] ?? endpoint['portNumber']);
  const named = (
    isPod
      ? asked.containers.flatMap(({ ports }) => ports.map(({ name }) => name))
      : selecting(services, asked).flatMap((service) =>
          objectsIn(objectIn(service, 'spec'), 'ports').map(({ name }) => text(name)),
        )
  ).filter((name) => name !== '');
  const where = isPod ? 'a container of the pod' : 'its Service';
  const have = named.length === 0 ? 'none has a name' : `it has ${[...new Set(named)].join(', ')}`;
  const list = isPod ? 'spec.podMetricsEndpoints[].port' : 'spec.endpoints[].port';
  return {
    because: `It names the port ${port}, and ${where} has no port of that name: ${have}.`,
    todo: named[0] === undefined ? `Give the port a name, and write it into ${list}.` : `write ${list}: ${named[0]}`,
  };
}

function numbered(port: unknown): string {
  return typeof port === 'number' ? String(port) : text(port);
}

function labelsOf(object: JsonObject): ReadonlyMap<string, string> {
  return new Map(textEntries(objectIn(object, 'metadata').labels));
}

/** Returns what the Operator says of a Prometheus object that it does not reconcile; undefined where it does. */
export function notReconciled(prometheus: JsonObject): string | undefined {
  const condition = objectsIn(objectIn(prometheus, 'status'), 'conditions').find(({ type }) => type === 'Reconciled');
  if (condition === undefined || condition['status'] !== 'False') return undefined;
  return text(condition['message']) || text(condition['reason']);
}

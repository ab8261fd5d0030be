import { servicePorts } from '../core/ask/service-ports.ts';
import type { AskedPod } from '../core/ask/asked-pod.ts';
import { isObject, member, own } from '../core/json.ts';
import type { JsonObject } from '../core/json.ts';
import { satisfies } from '../core/rules/selector.ts';
import { requirementsOf } from '../core/rules/selector-json.ts';
import type { Monitor } from './related-objects.ts';

// What the monitors of the Prometheus Operator select: https://prometheus-operator.dev/docs/api-reference/api/

/** Returns the number of targets that a monitor makes of the pod; undefined where it does not select it. */
export function targetsOf(
  { kind, namespace: own_, spec }: Monitor,
  pod: AskedPod,
  services: readonly JsonObject[],
  namespace: string,
): number | undefined {
  if (!selectsNamespace(spec, own_, namespace)) return undefined;
  const selector = requirementsOf(own(spec, 'selector'));
  if (kind === 'PodMonitor') {
    if (!satisfies(pod.labels, selector)) return undefined;
    return listOf(spec, 'podMetricsEndpoints').filter((endpoint) => hasPort(pod, endpoint)).length;
  }
  const selected = selecting(services, pod).filter((service) => satisfies(labelsOf(service), selector));
  if (selected.length === 0) return undefined;
  return selected.reduce((sum, service) => {
    const ports = listOf(member(service, 'spec'), 'ports');
    return (
      sum +
      listOf(spec, 'endpoints').filter((endpoint) =>
        typeof own(endpoint, 'port') === 'string'
          ? ports.some((port) => own(port, 'name') === own(endpoint, 'port'))
          : hasPort(pod, endpoint),
      ).length
    );
  }, 0);
}

/** Returns whether a container has the port that an endpoint of a monitor names; true where it names none. */
function hasPort(pod: AskedPod, endpoint: JsonObject): boolean {
  const wanted = own(endpoint, 'port') ?? own(endpoint, 'portNumber') ?? own(endpoint, 'targetPort');
  return (
    wanted === undefined ||
    pod.containers.some(({ ports }) => ports.some(({ name, number }) => name === wanted || number === wanted))
  );
}

/** Returns whether a monitor in the namespace `monitors` selects pods of `namespace`. */
export function selectsNamespace(spec: JsonObject, monitors: string, namespace: string): boolean {
  const selector = own(spec, 'namespaceSelector');
  if (member(selector, 'any') === true) return true;
  const names = member(selector, 'matchNames');
  return Array.isArray(names) && names.length > 0 ? names.includes(namespace) : monitors === namespace;
}

/** Returns the Services that select the pod. */
export function selecting(services: readonly JsonObject[], pod: AskedPod): JsonObject[] {
  return services.filter((service) => servicePorts([service], pod).length > 0);
}

/** Returns the labels of an object. */
function labelsOf(object: JsonObject): ReadonlyMap<string, string> {
  const labels = member(own(object, 'metadata'), 'labels');
  return new Map(isObject(labels) ? Object.entries(labels).map(([key, value]) => [key, String(value)]) : []);
}

/** Returns the objects of a list. */
function listOf(object: unknown, key: string): JsonObject[] {
  const list = member(object, key);
  return Array.isArray(list) ? list.filter(isObject) : [];
}

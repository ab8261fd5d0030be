import { nameOf } from '../metadata.ts';
import { isObject, objectIn, objectsIn, text, textEntries } from '../json.ts';
import type { JsonObject } from '../json.ts';
import { isPort } from './asked-pod.ts';
import type { AskedPod } from './asked-pod.ts';

/** A port of the pod that a Service sends traffic to. */
export interface ServicePort {
  readonly service: string;
  /** The port of the pod, its `targetPort` resolved. */
  readonly number: number;
  /**
   * What the Service tells about the protocol: the port's name and `appProtocol`, where present.
   */
  readonly words: readonly string[];
}

/**
 * Returns the ports of the pod that these Services of its namespace send traffic to, by selector
 * and targetPort. Endpoints are not read, because anyone who writes them can name any address.
 */
export function servicePorts(services: readonly unknown[], pod: AskedPod): ServicePort[] {
  return selecting(services, pod).flatMap((service) =>
    objectsIn(objectIn(service, 'spec'), 'ports').flatMap((port) => {
      if ((text(port.protocol) || 'TCP') !== 'TCP') return [];
      const number = resolve(port.targetPort ?? port.port, pod);
      const words = [text(port.name), text(port.appProtocol)].filter((word) => word !== '');
      return number === undefined ? [] : [{ service: nameOf(service), number, words }];
    }),
  );
}

/**
 * Returns the name of a Service that selects the pod and has `prometheus.io/scrape: "true"`, or
 * undefined. The community chart already scrapes the endpoints of such a Service, and an annotation
 * on the pod would add a second target.
 */
export function annotatedService(services: readonly unknown[], pod: AskedPod): string | undefined {
  const found = selecting(services, pod).find((service) =>
    textEntries(objectIn(service, 'metadata').annotations).some(([key, value]) => key === SCRAPE && value === 'true'),
  );
  return found && nameOf(found);
}

const SCRAPE = 'prometheus.io/scrape';

function selecting(services: readonly unknown[], { labels }: AskedPod): JsonObject[] {
  return services.filter(isObject).filter((service) => {
    const spec = objectIn(service, 'spec');
    const selector = textEntries(spec.selector);
    return (
      spec.type !== 'ExternalName' && selector.length > 0 && selector.every(([key, value]) => labels.get(key) === value)
    );
  });
}

function resolve(target: unknown, pod: AskedPod): number | undefined {
  if (isPort(target)) return target;
  if (typeof target !== 'string' || target === '') return undefined;
  return pod.containers.flatMap(({ ports }) => ports).find(({ name }) => name === target)?.number;
}

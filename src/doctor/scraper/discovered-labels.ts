import { nameOf, namespaceOf } from '../../core/metadata.ts';
import { objectIn, objectsIn, text, textEntries } from '../../core/json.ts';
import type { JsonObject } from '../../core/json.ts';
import { ownerOf } from '../../core/pod/owner.ts';
import type { Labels } from './relabel.ts';

/**
 * Returns the labels of the targets that Prometheus' service discovery makes of a pod: one for each declared port of each
 * container, init containers included, and one without a port for a container that declares none.
 * https://prometheus.io/docs/prometheus/latest/configuration/configuration/#pod
 */
export function discoveredLabels(pod: JsonObject, job: JsonObject): readonly Labels[] {
  const [metadata, spec, status] = [objectIn(pod, 'metadata'), objectIn(pod, 'spec'), objectIn(pod, 'status')];
  const address = text(status.podIP);
  const owner = ownerOf(pod);
  const ready = objectsIn(status, 'conditions').find(({ type }) => type === 'Ready');
  const common = {
    job: text(job['job_name']),
    __scheme__: text(job['scheme']) || 'http',
    __metrics_path__: text(job['metrics_path']) || '/metrics',
    __meta_kubernetes_namespace: namespaceOf(pod),
    __meta_kubernetes_pod_name: nameOf(pod),
    __meta_kubernetes_pod_ip: address,
    __meta_kubernetes_pod_ready: text(ready?.['status']).toLowerCase() || 'unknown',
    __meta_kubernetes_pod_phase: text(status.phase),
    __meta_kubernetes_pod_node_name: text(spec.nodeName),
    __meta_kubernetes_pod_host_ip: text(status.hostIP),
    __meta_kubernetes_pod_uid: text(metadata.uid),
    ...(owner !== undefined && {
      __meta_kubernetes_pod_controller_kind: owner.kind,
      __meta_kubernetes_pod_controller_name: owner.name,
    }),
    ...mapped('label', metadata.labels),
    ...mapped('annotation', metadata.annotations),
  };
  const containers = [
    ...objectsIn(spec, 'containers').map((container) => ({ container, isInit: false })),
    ...objectsIn(spec, 'initContainers').map((container) => ({ container, isInit: true })),
  ];
  return containers.flatMap(({ container, isInit }): Labels[] => {
    const own = {
      ...common,
      __meta_kubernetes_pod_container_name: text(container['name']),
      __meta_kubernetes_pod_container_image: text(container['image']),
      __meta_kubernetes_pod_container_init: String(isInit),
    };
    const ports = objectsIn(container, 'ports');
    const host = address.includes(':') ? `[${address}]` : address;
    if (ports.length === 0) return [{ ...own, __address__: host }];
    return ports.map(({ name, containerPort, protocol }) => ({
      ...own,
      __address__: `${host}:${String(containerPort)}`,
      __meta_kubernetes_pod_container_port_name: text(name),
      __meta_kubernetes_pod_container_port_number: String(containerPort),
      __meta_kubernetes_pod_container_port_protocol: text(protocol) || 'TCP',
    }));
  });
}

function mapped(what: 'label' | 'annotation', map: unknown): Labels {
  return Object.fromEntries(
    textEntries(map).flatMap(([key, value]) => {
      const name = key.replaceAll(/[^A-Za-z0-9_]/g, '_');
      return [
        [`__meta_kubernetes_pod_${what}_${name}`, value],
        [`__meta_kubernetes_pod_${what}present_${name}`, 'true'],
      ];
    }),
  );
}

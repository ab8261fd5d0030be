import { isObject } from '../../../src/core/json.ts';
import type { ContainerObject } from '../mesh/istio.ts';
import type { Case } from './case.ts';

/** Returns the port that the pod's annotation names after all injections, or NaN. */
export function effectivePort({ pod }: Case): number {
  return Number(pod.metadata.annotations?.['prometheus.io/port']);
}

/**
 * Returns how many regular containers, or native sidecars, declare the annotated port; for `other`, how many ports
 * anyone declares beside it.
 */
export function declares(subject: Case, where: 'regular' | 'sidecar' | 'other'): number {
  const { containers, initContainers = [] } = subject.pod.spec;
  const port = effectivePort(subject);
  switch (where) {
    case 'regular':
      return containers.filter((container) => ports(container).includes(port)).length;
    case 'sidecar':
      return initContainers.filter((container) => ports(container).includes(port)).length;
    case 'other':
      return new Set([...containers, ...initContainers].flatMap(ports).filter((other) => other !== port)).size;
  }
}

function ports(container: ContainerObject): number[] {
  const declared = container['ports'];
  return Array.isArray(declared) ? declared.filter(isObject).map((port) => Number(port['containerPort'])) : [];
}

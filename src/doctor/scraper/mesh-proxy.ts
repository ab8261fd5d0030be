import { objectIn, objectsIn } from '../../core/json.ts';

/** Returns whether a mesh's proxy is in front of the pod: Istio's and Linkerd's sidecars, or Istio's ambient mode. */
export function isMeshed(pod: unknown): boolean {
  const spec = objectIn(pod, 'spec');
  const names = [...objectsIn(spec, 'containers'), ...objectsIn(spec, 'initContainers')].map(({ name }) => name);
  const labels = objectIn(objectIn(pod, 'metadata'), 'labels');
  return (
    names.includes('istio-proxy') || names.includes('linkerd-proxy') || labels['istio.io/dataplane-mode'] === 'ambient'
  );
}

import { isObject } from '../json.ts';
import type { JsonObject } from '../json.ts';
import { objectIn, objectsIn, text } from './asked-pod.ts';

// Under which name an answer is remembered. The image alone would not do: a variable switches metrics on, a ConfigMap holds the code,
// and another tenant's pod of the same image must not answer for this one. So the name is the container as configured, within its
// namespace; what a rollout changes anyway (the pod's name, its labels, the volumes' contents) is not in it.

/**
 * Returns the canonical text of a container as configured, to be hashed: equal for the replicas of a workload, different wherever
 * something differs that could change what its ports serve. `imageID` is the one in the container's status; while there is none, the
 * image's name stands for it.
 */
export function workloadKey(namespace: string, pod: unknown, container: string): string | undefined {
  const spec = objectIn(pod, 'spec');
  const found = [...objectsIn(spec, 'containers'), ...objectsIn(spec, 'initContainers')].find(
    ({ name }) => name === container,
  );
  if (found === undefined) return undefined;
  return canonical({
    namespace,
    container,
    image: imageID(pod, container) || text(found.image),
    configured: Object.fromEntries(CONFIGURED.map((key) => [key, found[key]])),
    mounted: mountedSources(spec, found),
  });
}

/** Fields of a container that can decide what its ports serve. */
const CONFIGURED = [
  'command',
  'args',
  'workingDir',
  'env',
  'envFrom',
  'ports',
  'livenessProbe',
  'readinessProbe',
  'startupProbe',
] as const;

function imageID(pod: unknown, container: string): string {
  const status = objectIn(pod, 'status');
  const statuses = [...objectsIn(status, 'containerStatuses'), ...objectsIn(status, 'initContainerStatuses')];
  return text(statuses.find(({ name }) => name === container)?.imageID);
}

/** The names of the ConfigMaps and Secrets that the container mounts, with the place: code and settings come from there. */
function mountedSources(spec: JsonObject, container: JsonObject): string[] {
  const volumes = new Map(objectsIn(spec, 'volumes').map((volume) => [text(volume.name), volume]));
  return objectsIn(container, 'volumeMounts')
    .flatMap((mount) => {
      const volume = volumes.get(text(mount.name));
      if (volume === undefined) return [];
      const projected = objectsIn(objectIn(volume, 'projected'), 'sources');
      return [volume, ...projected].flatMap(sourceNames).map((source) => `${text(mount.mountPath)} ${source}`);
    })
    .toSorted();
}

function sourceNames(source: JsonObject): string[] {
  const configMap = text(objectIn(source, 'configMap').name);
  const secret = objectIn(source, 'secret');
  // A volume says `secretName`, a projection `name`.
  const secretName = text(secret.secretName) || text(secret.name);
  // The token's ConfigMap is the cluster's: it is in every pod.
  return [
    ...(configMap === '' || configMap === 'kube-root-ca.crt' ? [] : [`configmap/${configMap}`]),
    ...(secretName === '' ? [] : [`secret/${secretName}`]),
  ];
}

/** JSON with the keys of every object in order, and without what is absent or empty, which the API server may leave out or fill in. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, held: unknown) =>
    isObject(held)
      ? Object.fromEntries(
          Object.entries(held)
            .filter(([, inner]) => inner !== null && inner !== '' && !(Array.isArray(inner) && inner.length === 0))
            .toSorted(([a], [b]) => (a < b ? -1 : 1)),
        )
      : held,
  );
}

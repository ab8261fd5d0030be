import { isObject, objectIn, objectsIn, text } from '../json.ts';
import type { JsonObject } from '../json.ts';

// The key under which an answer is stored. The image alone is not enough: a variable can switch
// metrics on, a ConfigMap can contain the code, and a pod of another tenant with the same image
// must not decide for this one. So the key is the container's configuration and its namespace. It
// does not contain what differs between replicas (the pod's name and labels) or what a volume
// contains.

/**
 * Returns the container's configuration as canonical JSON, which the caller hashes. It is equal for
 * the replicas of a workload, and differs where anything differs that could change what the ports
 * serve. It contains the `imageID` of the container's status or, while there is none, the image's
 * name.
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

/** The fields of a container that can change what its ports serve. */
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

/**
 * Returns the mount paths and names of the mounted ConfigMaps and Secrets, which can contain code
 * and settings.
 */
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
  // A volume has `secretName`, a projection has `name`.
  const secretName = text(secret.secretName) || text(secret.name);
  // This ConfigMap comes with the service account token: every pod has it.
  return [
    ...(configMap === '' || configMap === 'kube-root-ca.crt' ? [] : [`configmap/${configMap}`]),
    ...(secretName === '' ? [] : [`secret/${secretName}`]),
  ];
}

/**
 * Returns JSON with sorted keys and without empty values, because the API server may remove or add
 * those.
 */
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

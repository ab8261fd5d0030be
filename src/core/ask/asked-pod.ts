import { objectIn, objectsIn, text, textEntries } from '../json.ts';
import type { JsonObject } from '../json.ts';

/**
 * The parts of a pod that asking reads. Some of them no rule reads: they show what must not be
 * asked.
 */
export interface AskedPod {
  readonly labels: ReadonlyMap<string, string>;
  readonly annotations: ReadonlyMap<string, string>;
  readonly hostNetwork: boolean;
  readonly runtimeClass: string;
  /** A Windows pod, or one of its containers, that runs in the host's network: `hostProcess`. */
  readonly hostProcess: boolean;
  readonly podIP: string;
  readonly hostIP: string;
  /** Regular containers and init containers that keep running, in declared order. */
  readonly containers: readonly AskedContainer[];
}

export interface AskedContainer {
  readonly name: string;
  readonly ports: readonly DeclaredPort[];
  /** HTTP probes without TLS and without `host`, with their port as a number. */
  readonly httpProbes: readonly { readonly port: number; readonly path: string }[];
  /** Ports of gRPC probes. */
  readonly grpcProbes: readonly number[];
  /** Command and arguments. */
  readonly words: readonly string[];
  /** Literal environment variables as `NAME=value`. */
  readonly environment: readonly string[];
}

export interface DeclaredPort {
  readonly name: string;
  readonly number: number;
}

/** Returns the parts of the pod. A value of the wrong type is treated as absent. Never throws. */
export function readAskedPod(pod: unknown): AskedPod {
  const metadata = objectIn(pod, 'metadata');
  const spec = objectIn(pod, 'spec');
  const status = objectIn(pod, 'status');
  const containers = [
    ...objectsIn(spec, 'containers'),
    ...objectsIn(spec, 'initContainers').filter(({ restartPolicy }) => restartPolicy === 'Always'),
  ];
  return {
    labels: new Map(textEntries(metadata.labels)),
    annotations: new Map(textEntries(metadata.annotations)),
    hostNetwork: spec.hostNetwork === true,
    runtimeClass: text(spec.runtimeClassName),
    hostProcess: [spec, ...containers].some(isHostProcess),
    podIP: text(status.podIP),
    hostIP: text(status.hostIP),
    containers: containers.map(readContainer),
  };
}

function readContainer(container: JsonObject): AskedContainer {
  const ports = objectsIn(container, 'ports')
    .filter(({ protocol }) => protocol === undefined || protocol === null || protocol === '' || protocol === 'TCP')
    .map(({ name, containerPort }) => ({ name: text(name), number: containerPort }))
    .filter((port): port is DeclaredPort => isPort(port.number));
  const probes = ['livenessProbe', 'readinessProbe', 'startupProbe'].map((key) => objectIn(container, key));
  const environment = objectsIn(container, 'env').flatMap(({ name, value }) =>
    typeof name === 'string' && typeof value === 'string' ? [`${name}=${value}`] : [],
  );
  return {
    name: text(container.name),
    ports,
    httpProbes: probes.flatMap((probe) => readHttpProbe(objectIn(probe, 'httpGet'), ports)),
    grpcProbes: probes.map((probe) => objectIn(probe, 'grpc').port).filter(isPort),
    words: [...texts(container.command), ...texts(container.args)],
    environment,
  };
}

function readHttpProbe(get: JsonObject, ports: readonly DeclaredPort[]): { port: number; path: string }[] {
  // A probe with a host asks another address: https://github.com/kubernetes/kubernetes/issues/99425
  if (text(get.host) !== '' || (text(get.scheme) || 'HTTP').toUpperCase() !== 'HTTP') return [];
  const port = typeof get.port === 'string' ? ports.find(({ name }) => name === get.port)?.number : get.port;
  return isPort(port) ? [{ port, path: text(get.path) || '/' }] : [];
}

function isHostProcess(holder: JsonObject): boolean {
  return objectIn(objectIn(holder, 'securityContext'), 'windowsOptions').hostProcess === true;
}

/** Returns whether the value is the number of a port. */
export function isPort(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= 65_535;
}

function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
}

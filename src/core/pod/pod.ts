import { MAX_CONTAINERS, MAX_TCP_PORTS, MAX_TEXT, MAX_ARGUMENTS } from '../limits.ts';
import { isAbsent, isObject } from '../json.ts';
import type { JsonObject } from '../json.ts';
import type { FrameworkSays } from './framework-says.ts';
import type { Framework } from './framework-settings.ts';
import { isScrapable } from './port.ts';
import { spend, startWork } from '../step-budget.ts';
import type { Work } from '../step-budget.ts';
import { readCommandLine } from './command-line.ts';
import { initialOf, readEnvironment } from './environment.ts';
import type { Environment } from './environment.ts';
import { environmentOptions } from './jvm-options.ts';
import { readProperties } from './properties.ts';
import type { Properties } from './properties.ts';
import { searchIn } from './text-search.ts';

// Fields are read directly: JavaScript's objects inherit none of these names, and keys that a pod
// chooses are only kept in maps.

/**
 * The parts of a pod that a decision reads. Admission comes before validation, so every type is
 * checked.
 */
export interface Pod {
  /** The name of its namespace; empty where it is unknown. */
  readonly namespace: string;
  readonly labels: ReadonlyMap<string, string>;
  readonly annotations: ReadonlyMap<string, string>;
  /** Regular containers, in declared order. */
  readonly containers: readonly Container[];
  /** Init containers that keep running next to the others (KEP-753: restartPolicy Always). */
  readonly sidecars: readonly Container[];
  /** For each declared port number, whether one of its protocols is TCP. */
  readonly protocols: () => ReadonlyMap<number, boolean>;
  /** The steps that are left for the decision on the pod. */
  readonly work: Work;
}

/** The parts of a container that can tell where its metrics are. */
export interface Container {
  readonly name: string;
  /**
   * The image without tag and digest: `docker.io/prom/prometheus` of
   * `docker.io/prom/prometheus:v3@sha256:…`.
   */
  readonly repository: string;
  /** The image's tag, `v3` above; empty where there is none. */
  readonly tag: () => string;
  readonly ports: readonly Port[];
  /** The ports that can be scraped, in declared order; UDP and SCTP carry no metrics. */
  readonly candidates: readonly Port[];
  readonly probes: readonly Probe[];
  /** Returns whether the kubelet probes the container in any way. */
  readonly isProbed: () => boolean;
  /**
   * Command and arguments, and the options of a JVM in the environment, in every form that rules
   * match: see {@link readCommandLine}.
   */
  readonly commandLine: () => readonly string[];
  /** Environment variables with a literal value; values of `valueFrom` are not in the pod. */
  readonly environment: () => ReadonlyMap<string, string>;
  /** The list of variables as it is in the pod. */
  readonly env: unknown;
  /** The variables with a literal value as `NAME=value`. */
  readonly assignments: () => readonly string[];
  /** What the command line and the environment set, by the names that frameworks use. */
  readonly properties: () => Properties;
  /** Returns false where no setting of a framework can be there, as in most containers. */
  readonly mayNameFramework: () => boolean;
  /** What these say about a framework's metrics, kept here because several rules ask for it. */
  readonly saying: Map<Framework, FrameworkSays | 'nothing'>;
  /** Whether the name of a variable begins with one of the letters, a bit for each: bit 13 for M. */
  readonly hasInitial: (initials: number) => boolean;
  /** Whether the name of a variable contains the string. */
  readonly hasNameWith: (part: string) => boolean;
  /** Whether an argument contains the string. */
  readonly hasArgumentWith: (part: string) => boolean;
  /** The first port number of each name. */
  readonly portNumbers: () => ReadonlyMap<string, number>;
  /** The numbers of all ports. */
  readonly declared: () => ReadonlySet<number>;
  /** The pod's. */
  readonly work: Work;
}

/** A declared container port, usable or not. */
export interface Port {
  readonly name: string;
  readonly number: number;
  readonly protocol: string;
}

/** An HTTP probe: the port as the pod gives it, a number or a port's name. */
export interface Probe {
  readonly port: number | string;
  readonly path: string;
  /** The kubelet speaks TLS to it. */
  readonly tls: boolean;
}

/**
 * Returns the pod, or undefined where a value that is read has the wrong type, or there are too
 * many (limits.ts). Never throws. `namespace` replaces the one that the object names.
 */
export function readPod(object: unknown, work: Work = startWork(), namespace?: string): Pod | undefined {
  if (!isObject(object)) return undefined;
  const metadata = object.metadata;
  const spec = object.spec;
  if (!isObject(metadata) || !isObject(spec)) return undefined;
  const labels = readStrings(metadata.labels, work);
  const annotations = readStrings(metadata.annotations, work);
  const containers = spec.containers;
  const initContainers = spec.initContainers;
  if (labels === undefined || annotations === undefined) return undefined;
  if (!isContainerList(containers) || !isContainerList(initContainers) || objects(containers).length === 0)
    return undefined;
  const init = objects(initContainers);
  if (objects(containers).length + init.length > MAX_CONTAINERS) return undefined;
  const budget = { arguments: MAX_ARGUMENTS };
  let protocols: ReadonlyMap<number, boolean> | undefined;
  const pod: Pod = {
    namespace: readName(namespace ?? metadata.namespace),
    labels,
    annotations,
    containers: objects(containers).map((container) => readContainer(container, budget, work)),
    sidecars: init
      .filter((container) => container.restartPolicy === 'Always')
      .map((container) => readContainer(container, budget, work)),
    protocols: () => (protocols ??= protocolsOf([...pod.containers, ...pod.sidecars])),
    work,
  };
  const ports = [...pod.containers, ...pod.sidecars].reduce((sum, { candidates }) => sum + candidates.length, 0);
  return ports > MAX_TCP_PORTS ? undefined : pod;
}

/** Returns whether the pod declares the port only with protocols that carry no metrics. */
export function isOtherProtocol(pod: Pod, number: number): boolean {
  return pod.protocols().get(number) === false;
}

function protocolsOf(containers: readonly Container[]): ReadonlyMap<number, boolean> {
  const protocols = new Map<number, boolean>();
  for (const { ports } of containers) {
    for (const { number, protocol } of ports)
      if (protocols.get(number) !== true) protocols.set(number, protocol === 'TCP');
  }
  return protocols;
}

function portNumbersOf(ports: readonly Port[]): ReadonlyMap<string, number> {
  const numbers = new Map<string, number>();
  for (const { name, number } of ports) if (!numbers.has(name)) numbers.set(name, number);
  return numbers;
}

/** Steps of reading one entry of a map or a list, which takes about 50 ns. */
const ENTRY = 5;

function readContainer(container: JsonObject, budget: { arguments: number }, work: Work): Container {
  let commandLine: readonly string[] | undefined;
  let read: Environment | undefined;
  let properties: Properties | undefined;
  let mayName: boolean | undefined;
  let portNumbers: ReadonlyMap<string, number> | undefined;
  let declared: ReadonlySet<number> | undefined;
  // Command, arguments and environment are most of a pod, and most rules never read them: read on
  // first use.
  const environment = (): Environment => (read ??= readEnvironment(container.env, work));
  const readArguments = (): readonly string[] => {
    if (commandLine === undefined) {
      const command = [
        ...(environment().hasOptions ? environmentOptions(environment().variables(), budget.arguments, work) : []),
        ...strings(container.command),
        ...strings(container.args),
      ];
      commandLine = readCommandLine(command, environment().variables, budget.arguments, work);
      budget.arguments = Math.max(budget.arguments - commandLine.length, 0);
    }
    return commandLine;
  };
  const listed = objects(container.ports);
  // Once to read the port, and once for each of the two maps of ports.
  const ports = spend(work, 3 * ENTRY * listed.length) ? listed.map(readPort) : [];
  const hasArgumentWith = searchIn(readArguments, work);
  return {
    name: readName(container.name),
    repository: repositoryOf(readName(container.image)),
    tag: () => tagOf(readName(container.image)),
    ports,
    candidates: ports.filter((port) => port.protocol === 'TCP' && isScrapable(port.number)),
    probes: PROBES.flatMap((key) => readProbe(container[key])),
    isProbed: () => PROBES.some((key) => isObject(container[key])),
    commandLine: readArguments,
    environment: () => environment().variables(),
    env: container.env,
    assignments: () => environment().assignments(),
    mayNameFramework: () =>
      (mayName ??=
        (environment().initials & FRAMEWORK_INITIALS) !== 0 || hasArgumentWith('met') || hasArgumentWith('management')),
    saying: new Map(),
    properties: () => (properties ??= readProperties(readArguments(), environment().variables())),
    hasInitial: (initials) => (environment().initials & initials) !== 0,
    hasNameWith: searchIn(() => environment().names, work),
    hasArgumentWith,
    portNumbers: () => (portNumbers ??= portNumbersOf(ports)),
    declared: () => (declared ??= new Set(ports.map(({ number }) => number))),
    work,
  };
}

const PROBES = ['livenessProbe', 'readinessProbe', 'startupProbe'] as const;

function repositoryOf(image: string): string {
  const digest = image.indexOf('@');
  const named = digest < 0 ? image : image.slice(0, digest);
  const tag = named.lastIndexOf(':');
  return tag > named.lastIndexOf('/') ? named.slice(0, tag) : named;
}

function tagOf(image: string): string {
  const digest = image.indexOf('@');
  const named = digest < 0 ? image : image.slice(0, digest);
  return named.slice(repositoryOf(image).length + 1);
}

function readPort(port: JsonObject): Port {
  const number = port.containerPort;
  return {
    name: readName(port.name),
    // The API server rejects a port of another type later.
    number: typeof number === 'number' ? number : Number.NaN,
    protocol: readString(port.protocol) || 'TCP',
  };
}

/**
 * Returns the number of the port that a probe uses; undefined where it names a port that the
 * container does not declare.
 */
export function probedPort({ port }: Probe, container: Container): number | undefined {
  return typeof port === 'number' ? port : container.portNumbers().get(port);
}

function readProbe(probe: unknown): Probe[] {
  const get = isObject(probe) ? probe.httpGet : undefined;
  if (!isObject(get)) return [];
  const port = get.port;
  const path = get.path;
  return typeof port === 'number' || typeof port === 'string'
    ? [{ port, path: typeof path === 'string' && path.length <= MAX_TEXT ? path : '/', tls: get.scheme === 'HTTPS' }]
    : [];
}

/** MANAGEMENT_, MICRONAUT_, OTEL_ and QUARKUS_. */
const FRAMEWORK_INITIALS = initialOf('M') | initialOf('O') | initialOf('Q');

function isStringOrAbsent(value: unknown): boolean {
  return isAbsent(value) || typeof value === 'string';
}

function isObjectList(value: unknown): boolean {
  return isAbsent(value) || (Array.isArray(value) && value.every(isObject));
}

function isContainerList(value: unknown): boolean {
  return (
    isObjectList(value) &&
    objects(value).every((container) => {
      const ports = container.ports;
      return (
        isStringOrAbsent(container.name) &&
        isStringOrAbsent(container.image) &&
        isObjectList(ports) &&
        objects(ports).every((port) => isStringOrAbsent(port.name) && isStringOrAbsent(port.protocol))
      );
    })
  );
}

function objects(value: unknown): JsonObject[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

function strings(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
}

/**
 * Steps of reading one label or annotation: in an object with thousands of keys, a lookup takes 500
 * to 800 ns.
 */
const KEY = 60;

/** Returns the map of strings; undefined where the value is not a map, or contains other types. */
function readStrings(map: unknown, work: Work): ReadonlyMap<string, string> | undefined {
  const strings = new Map<string, string>();
  if (isAbsent(map)) return strings;
  if (!isObject(map)) return undefined;
  // Object.entries would allocate an array for each label: 10 MiB for 60,000 labels.
  const keys = Object.keys(map);
  if (!spend(work, KEY * keys.length)) return strings;
  for (const key of keys) {
    const value = map[key];
    if (!isStringOrAbsent(value)) return undefined;
    strings.set(key, readString(value));
  }
  return strings;
}

function readName(value: unknown): string {
  const name = readString(value);
  return name.length <= MAX_TEXT ? name : '';
}

function readString(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

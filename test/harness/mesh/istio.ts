import { isDeepStrictEqual } from 'node:util';

/*
 * A stand-in for what Istio's injector does to annotations, written by us after its source (istio/istio,
 * pkg/kube/inject/webhook.go and inject.go, 1.31). It does the metrics merge in full, and of the injection only the proxy's
 * container, its port and its variables: nothing else of it touches what we read or write.
 */

/** A pod, as far as an injector looks at it. */
export interface PodObject {
  readonly metadata: {
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly [field: string]: unknown;
  };
  readonly spec: {
    readonly containers: readonly ContainerObject[];
    readonly initContainers?: readonly ContainerObject[];
    readonly hostNetwork?: boolean;
    readonly [field: string]: unknown;
  };
  readonly [field: string]: unknown;
}

/** A container, as far as an injector looks at it. */
export interface ContainerObject {
  readonly name: string;
  readonly env?: readonly { readonly name: string; readonly value?: string }[];
  readonly [field: string]: unknown;
}

/** How the mesh is set up. */
export interface Mesh {
  /** The proxy is an init container with restartPolicy Always, as it is by default since Istio 1.27. */
  readonly nativeSidecar: boolean;
  /** The mesh-wide switch enablePrometheusMerge. */
  readonly prometheusMerge: boolean;
}

/** Istio as it comes. */
export const DEFAULT_MESH: Mesh = { nativeSidecar: true, prometheusMerge: true };

/** What becomes of a pod. */
export type Injection =
  | { readonly outcome: 'injected'; readonly pod: PodObject }
  | { readonly outcome: 'left' }
  /** The injector's failurePolicy is Fail: the pod isn't created. */
  | { readonly outcome: 'rejected'; readonly message: string };

type Labels = Readonly<Record<string, string>>;

/**
 * The selectors of the four webhooks in `istio-sidecar-injector`, for the default revision; any of them brings the pod to
 * the injector.
 */
export const INJECTOR_SELECTORS = [
  {
    name: 'rev.namespace.sidecar-injector.istio.io',
    namespace: [is('istio.io/rev', 'default'), absent('istio-injection')],
    pod: [isNot('sidecar.istio.io/inject', 'false')],
  },
  {
    name: 'rev.object.sidecar-injector.istio.io',
    namespace: [absent('istio.io/rev'), absent('istio-injection')],
    pod: [isNot('sidecar.istio.io/inject', 'false'), is('istio.io/rev', 'default')],
  },
  {
    name: 'namespace.sidecar-injector.istio.io',
    namespace: [is('istio-injection', 'enabled')],
    pod: [isNot('sidecar.istio.io/inject', 'false')],
  },
  {
    name: 'object.sidecar-injector.istio.io',
    namespace: [absent('istio-injection'), absent('istio.io/rev')],
    pod: [is('sidecar.istio.io/inject', 'true'), absent('istio.io/rev')],
  },
] as const;

interface Expression {
  readonly key: string;
  readonly operator: 'In' | 'NotIn' | 'DoesNotExist';
  readonly values?: readonly string[];
}

function is(key: string, value: string): Expression {
  return { key, operator: 'In', values: [value] };
}

function isNot(key: string, value: string): Expression {
  return { key, operator: 'NotIn', values: [value] };
}

function absent(key: string): Expression {
  return { key, operator: 'DoesNotExist' };
}

function holds({ key, operator, values = [] }: Expression, labels: Labels): boolean {
  const value = labels[key];
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'DoesNotExist':
      return value === undefined;
  }
}

/** Returns whether a pod with these labels, in a namespace with those, comes to Istio's injector. */
export function isSelectedByIstio(namespace: Labels, pod: Labels): boolean {
  return INJECTOR_SELECTORS.some(
    (selectors) =>
      selectors.namespace.every((expression) => holds(expression, namespace)) &&
      selectors.pod.every((expression) => holds(expression, pod)),
  );
}

/** Returns what the injector makes of a pod that it was asked about. */
export function injectByIstio(pod: PodObject, mesh: Mesh = DEFAULT_MESH): Injection {
  // injectRequired: pods on the host's network have no network of their own to redirect.
  if (pod.spec.hostNetwork === true) return { outcome: 'left' };
  const meshed = isMeshed(pod) ? pod : withProxy(pod, mesh.nativeSidecar);
  const { annotations = {} } = meshed.metadata;
  if (!merges(annotations, mesh)) return { outcome: 'injected', pod: meshed };
  const stated = readStated(annotations);
  if (stated.port === STATUS_PORT) return { outcome: 'injected', pod: meshed };
  const fault = faultOf(stated);
  if (fault !== undefined) return { outcome: 'rejected', message: fault };

  const ours: ReadonlySet<string> = new Set(Object.values(KEYS));
  const others = Object.entries(annotations).filter(([key]) => !ours.has(sanitise(key)));
  return {
    outcome: 'injected',
    pod: {
      ...(isDeepStrictEqual(stated, {}) ? meshed : withVariable(meshed, VARIABLE, JSON.stringify(stated))),
      metadata: {
        ...meshed.metadata,
        annotations: {
          ...Object.fromEntries(others),
          'prometheus.io/port': STATUS_PORT,
          'prometheus.io/path': '/stats/prometheus',
          'prometheus.io/scrape': 'true',
        },
      },
    },
  };
}

/**
 * Returns the address that Istio's agent takes the application's metrics from, as it reads it from its variable, always by
 * plain http on loopback; undefined where it takes none.
 */
export function appScrapedByIstio(pod: PodObject): string | undefined {
  const proxy = containersOf(pod).find(({ name }) => name === PROXY);
  const text = proxy?.env?.find(({ name }) => name === VARIABLE)?.value;
  if (text === undefined) return undefined;
  return addressesOf(JSON.parse(text))[0];
}

/** Returns all addresses that Istio's agent takes the application's metrics from. */
export function allScrapedByIstio(pod: PodObject): readonly string[] {
  const proxy = containersOf(pod).find(({ name }) => name === PROXY);
  const text = proxy?.env?.find(({ name }) => name === VARIABLE)?.value;
  return text === undefined ? [] : addressesOf(JSON.parse(text));
}

function addressesOf({ port = '80', path = '/metrics', targets }: Stated): readonly string[] {
  return targets === undefined
    ? [`http://localhost:${port}${path}`]
    : targets.split(',').map((target) => `http://localhost:${target.replace(':', '')}`);
}

const PROXY = 'istio-proxy';
const STATUS_PORT = '15020';
const VARIABLE = 'ISTIO_PROMETHEUS_ANNOTATIONS';
const RESERVED = new Set([15000, 15001, 15004, 15006, 15008, 15020, 15021, 15053, 15090]);
/** The scheme is not among them: a scheme that somebody wrote stays, and breaks the target at 15020. */
const KEYS = {
  scrape: 'prometheus_io_scrape',
  path: 'prometheus_io_path',
  port: 'prometheus_io_port',
  targets: 'prometheus_istio_io_scrape_targets',
} as const;

type Stated = { readonly [key in keyof typeof KEYS]?: string };

function isMeshed(pod: PodObject): boolean {
  return containersOf(pod).some(({ name }) => name === PROXY);
}

function containersOf({ spec }: PodObject): readonly ContainerObject[] {
  return [...spec.containers, ...(spec.initContainers ?? [])];
}

function withProxy(pod: PodObject, native: boolean): PodObject {
  const proxy: ContainerObject = {
    name: PROXY,
    image: 'docker.io/istio/proxyv2:1.31.0',
    ports: [{ name: 'http-envoy-prom', containerPort: 15090, protocol: 'TCP' }],
    ...(native && { restartPolicy: 'Always' }),
  };
  const { containers, initContainers = [] } = pod.spec;
  const spec = native
    ? { ...pod.spec, initContainers: [proxy, ...initContainers] }
    : { ...pod.spec, containers: [...containers, proxy] };
  return { ...pod, spec };
}

function withVariable(pod: PodObject, name: string, value: string): PodObject {
  const add = (container: ContainerObject): ContainerObject =>
    container.name === PROXY ? { ...container, env: [...(container.env ?? []), { name, value }] } : container;
  const { containers, initContainers } = pod.spec;
  return {
    ...pod,
    spec: {
      ...pod.spec,
      containers: containers.map(add),
      ...(initContainers !== undefined && { initContainers: initContainers.map(add) }),
    },
  };
}

function merges(annotations: Labels, mesh: Mesh): boolean {
  if (!mesh.prometheusMerge || annotations['prometheus.istio.io/merge-metrics'] === 'false') return false;
  const scrape = Object.entries(annotations).filter(([key]) => sanitise(key) === KEYS.scrape);
  // Go's strconv.ParseBool: whatever isn't a boolean to it is passed over.
  return !scrape.some(([, value]) => ['0', 'f', 'F', 'false', 'FALSE', 'False'].includes(value));
}

function readStated(annotations: Labels): Stated {
  const stated: Record<string, string> = {};
  for (const [name, sanitised] of Object.entries(KEYS)) {
    const found = Object.entries(annotations).find(([key]) => sanitise(key) === sanitised);
    if (found !== undefined) stated[name] = found[1];
  }
  return stated;
}

/** The targets replace the port: since 1.31, `port:path` with commas between them, each port once. */
function faultOf({ port, targets }: Stated): string | undefined {
  if (targets === undefined) return port === undefined ? undefined : portFault(port);
  const entries = targets.split(',').map((entry) => /^(?<port>[0-9]+):(?<path>\/\S*)?$/.exec(entry)?.groups?.['port']);
  if (new Set(entries).size < entries.length) return `duplicate port in ${targets}`;
  return entries
    .map((entry) => (entry === undefined ? `invalid scrape targets ${targets}` : portFault(entry)))
    .find((fault) => fault !== undefined);
}

function portFault(port: string): string | undefined {
  const number = Number(port);
  if (!/^[0-9]+$/.test(port) || number < 1 || number > 65535) return `invalid prometheus scrape port ${port}`;
  return RESERVED.has(number) ? `prometheus scrape port ${port} is reserved by Istio` : undefined;
}

function sanitise(key: string): string {
  return key.replaceAll(/[^A-Za-z0-9_]/g, '_');
}

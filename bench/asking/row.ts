import { readFileSync } from 'node:fs';

/** Where metrics are, as far as a row knows: `path` is `/metrics` and `scheme` `http` unless told. */
interface Place {
  readonly port: number;
  readonly path?: string;
  readonly scheme?: string;
}

/** One workload of a corpus: what its pod shows, and the truth about its metrics. */
export interface Row {
  readonly id: string;
  /** `pos-port-unknown` is in no figure: nobody knows which port would be right. */
  readonly label: 'pos' | 'neg' | 'pos-port-unknown';
  readonly project: string;
  readonly name: string;
  readonly kind: string;
  readonly pod_labels: Readonly<Record<string, string>>;
  readonly hostNetwork: boolean;
  readonly containers: readonly RowContainer[];
  readonly truth: Place & {
    readonly auth?: boolean;
    readonly reason?: string;
    readonly also_acceptable?: readonly Place[];
  };
}

export interface RowContainer {
  readonly name: string;
  readonly image: string;
  /** Arguments, and variables as `NAME=value`. */
  readonly args_env: readonly string[];
  readonly ports: readonly RowPort[];
  /** HTTP probes as `port/path`; the port may be a name. */
  readonly probes: readonly string[];
}

export interface RowPort {
  readonly name: string;
  readonly containerPort: number;
  readonly protocol?: string;
}

/** Returns the rows of a corpus, one JSON object a line. Throws where a line is no row. */
export function readRows(file: string): Row[] {
  const rows = readFileSync(file, 'utf8')
    .split('\n')
    .flatMap((line, index) => {
      if (line.trim() === '') return [];
      const row: Row = JSON.parse(line);
      if (typeof row.id !== 'string' || !Array.isArray(row.containers) || typeof row.truth !== 'object') {
        throw new TypeError(`${file}:${index + 1}: not a row: it needs id, containers and truth`);
      }
      return [row];
    });
  return rows.filter(({ label }) => label !== 'pos-port-unknown');
}

/** Returns every endpoint that is right for the row; none where there are no metrics. */
export function rightPlaces({ label, truth }: Row): Required<Place>[] {
  if (label !== 'pos') return [];
  return [truth, ...(truth.also_acceptable ?? [])].map(({ port, path, scheme }) => ({
    port,
    path: path ?? '/metrics',
    scheme: scheme ?? 'http',
  }));
}

/**
 * Returns whether the metrics can only be had by https or with credentials: annotations can't name
 * these by default, so such a row counts neither as found nor as missed.
 */
export function isGuarded(row: Row): boolean {
  const [first, ...others] = rightPlaces(row);
  if (first === undefined || others.some(({ scheme }) => scheme === 'http')) return false;
  return row.truth.auth === true || first.scheme === 'https';
}

/** Returns the probes of a container, their ports as numbers. */
export function probesOf({ probes, ports }: RowContainer): { port: number; path: string }[] {
  return probes.flatMap((probe) => {
    const { port: of, path } = splitProbe(probe);
    const port = typeof of === 'number' ? of : ports.find(({ name }) => name === of)?.containerPort;
    return port === undefined ? [] : [{ port, path }];
  });
}

function splitProbe(probe: string): { port: number | string; path: string } {
  const [port = ''] = probe.split('/', 1);
  return { port: /^\d+$/.test(port) ? Number(port) : port, path: probe.slice(port.length) || '/' };
}

/** Where a pod runs, and since when. */
export interface Running {
  readonly address: string;
  readonly node: { readonly name: string; readonly address: string };
  /** An RFC 3339 time. */
  readonly since: string;
}

/** Returns the row as a pod that runs and is ready, without its name, namespace and annotations. */
export function podOf(row: Row, { address, node, since }: Running): { metadata: object; spec: object; status: object } {
  const owner = ownerOf(row);
  return {
    metadata: {
      labels: { ...row.pod_labels, ...owner.labels },
      creationTimestamp: since,
      ...(owner.reference !== undefined && { ownerReferences: [owner.reference] }),
    },
    spec: {
      nodeName: node.name,
      ...(row.hostNetwork && { hostNetwork: true }),
      containers: row.containers.map(containerOf),
    },
    status: {
      phase: 'Running',
      hostIP: node.address,
      podIP: row.hostNetwork ? node.address : address,
      conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: since }],
      containerStatuses: row.containers.map(({ name, image }) => ({
        name,
        imageID: `sha256:${image}`,
        ready: true,
        restartCount: 0,
        state: { running: { startedAt: since } },
      })),
    },
  };
}

/** What a controller leaves in the pods that it makes. */
function ownerOf({ kind, name }: Row): { labels: object; reference?: object } {
  const reference = { apiVersion: 'apps/v1', kind, name, uid: name, controller: true };
  if (kind === 'Pod') return { labels: {} };
  if (kind !== 'Deployment') return { labels: {}, reference };
  const hash = '5d4f8c7b9';
  return {
    labels: { 'pod-template-hash': hash },
    reference: { ...reference, kind: 'ReplicaSet', name: `${name}-${hash}` },
  };
}

const PROBES = ['livenessProbe', 'readinessProbe', 'startupProbe'];

function isVariable(word: string): boolean {
  return /^[A-Z][A-Z0-9_]*=/.test(word);
}

function containerOf({ name, image, args_env: words, ports, probes }: RowContainer): object {
  const args = words.filter((word) => !isVariable(word));
  const env = words.filter(isVariable).map((word) => {
    const [variable = ''] = word.split('=', 1);
    return { name: variable, value: word.slice(variable.length + 1) };
  });
  return {
    name,
    image,
    ...(args.length > 0 && { args }),
    ...(env.length > 0 && { env }),
    ports: ports.map(({ name: of, ...port }) => (of === '' ? port : { name: of, ...port })),
    ...Object.fromEntries(
      PROBES.slice(0, probes.length).map((kind, index) => [kind, { httpGet: splitProbe(probes[index] ?? '') }]),
    ),
  };
}

import { probesOf, rightPlaces } from './row.ts';
import type { Row, RowContainer, RowPort } from './row.ts';

/**
 * What stands behind a port. `metrics` and `guarded` are known from the row's truth; the others
 * are taken from what its names mean to a person, by none of the tables that are measured here.
 */
export type Served =
  /** Metrics at these paths, 404 elsewhere, in the form of the framework that has such a path. */
  | { readonly what: 'metrics'; readonly paths: readonly string[]; readonly health: readonly string[] }
  /** 401 at every path. */
  | { readonly what: 'guarded' }
  /** Refuses what is not TLS. */
  | { readonly what: 'tls' }
  /** HTTP without metrics: a page or JSON at every path, `OK 200` at every path, or 404. */
  | { readonly what: 'html' | 'json' | 'echo' | 'not-found'; readonly health: readonly string[] }
  /** Another protocol: speaks first, sends back what it gets, or waits for what never comes. */
  | { readonly what: 'greeting' | 'tcp-echo' | 'silence' };

/** Returns what stands behind each TCP port of the row, whether declared, probed or only known from the truth. */
export function servedBy(row: Row): Map<number, Served> {
  const ports = new Map<number, Served>();
  for (const container of row.containers) {
    for (const port of container.ports) {
      if ((port.protocol ?? 'TCP') !== 'TCP' || ports.has(port.containerPort)) continue;
      ports.set(port.containerPort, served(row, container, port));
    }
    for (const { port } of probesOf(container)) {
      if (!ports.has(port)) ports.set(port, served(row, container, { name: '', containerPort: port }));
    }
  }
  const places = rightPlaces(row);
  for (const { port, scheme } of places) {
    const paths = places.filter((place) => place.port === port).map(({ path }) => path);
    if (scheme === 'https') ports.set(port, { what: 'tls' });
    else if (row.truth.auth === true) ports.set(port, { what: 'guarded' });
    else ports.set(port, { what: 'metrics', paths, health: healthAt(row, port) });
  }
  return ports;
}

/** Returns whether a request there is one in a protocol that the port speaks. */
export function speaksHttp({ what }: Served): boolean {
  return what !== 'tls' && what !== 'greeting' && what !== 'tcp-echo' && what !== 'silence';
}

const TLS = ['https', 'tls', 'ssl'];
const API = ['api', 'rest', 'json'];
const WEB = ['http', 'web', 'www', 'ui', 'gui', 'app', 'portal', 'dashboard', 'console', 'admin', 'frontend', 'server'];
const OPERATIONS = [
  'health',
  'healthz',
  'metrics',
  'prometheus',
  'monitoring',
  'management',
  'actuator',
  'status',
  'stats',
  'probe',
  'ready',
  'live',
  'liveness',
];
const GREETING = ['mysql', 'smtp', 'pop3', 'imap', 'ftp', 'ssh', 'dbapi'];
const BINARY = [
  'redis',
  'postgresql',
  'mongo',
  'mongodb',
  'rpc',
  'grpc',
  'amqp',
  'kafka',
  'thrift',
  'tcp',
  'binary',
  'cluster',
  'driver',
  'transport',
  'client',
  'jmx',
  'dns',
  'gossip',
];

/** Numbers that mean a web server to everybody, where nothing else tells. */
const WEB_NUMBERS = [80, 3000, 5000, 8000, 8080, 8081, 8888, 9080, 9090, 9200, 5601, 8983];

function served(row: Row, { image }: RowContainer, { name, containerPort: number }: RowPort): Served {
  const words = name.toLowerCase().split(/[^a-z0-9]+/);
  const says = (known: readonly string[]) => words.some((word) => known.includes(word));
  const health = healthAt(row, number);
  const program = `${row.name} ${image}`.toLowerCase();
  if (says(TLS) || [443, 6443, 8443, 9443].includes(number)) return { what: 'tls' };
  if (health.length === 0) {
    if (says(GREETING) || [21, 22, 25, 3306].includes(number)) return { what: 'greeting' };
    if (/\becho\b/.test(program) && /\btcp\b/.test(program)) return { what: 'tcp-echo' };
    if (/\b(?:socat|tunnel(?:ler)?|vpn|openvpn)\b/.test(program) || says(BINARY)) return { what: 'silence' };
    if (!says([...API, ...WEB, ...OPERATIONS]) && !WEB_NUMBERS.includes(number)) return { what: 'silence' };
  }
  if (/\becho\b/.test(program)) return { what: 'echo', health };
  if (says(API)) return { what: 'json', health };
  return { what: says(OPERATIONS) ? 'not-found' : 'html', health };
}

function healthAt({ containers }: Row, number: number): string[] {
  return containers.flatMap(probesOf).flatMap(({ port, path }) => (port === number ? [path] : []));
}

// `node kind-server.ts KIND [PORT…]`: a server as one finds them behind a pod's ports, by its kind.
// It prints `asked PATH AGENT` for each request, and `connected PORT` for each connection where
// none is expected. It stands alone, because pods get it as one file.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { createServer as createRawServer } from 'node:net';
import { hostname } from 'node:os';
import { createGzip, gzipSync } from 'node:zlib';

const PORT = 8080;
const TEXT = 'text/plain; version=0.0.4; charset=utf-8';
const OPENMETRICS = 'application/openmetrics-text; version=1.0.0; charset=utf-8';
const PAGE = '# HELP orders_total Orders.\n# TYPE orders_total counter\norders_total{shop="a"} 3\n';
const HTML = '<!doctype html><title>Shop</title><p>Welcome.\n';

interface Call {
  readonly path: string;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** How many requests from autoscrape or Prometheus there were before. */
  readonly before: number;
}

type Kind = (call: Call) => void;

function send({ response }: Call, status: number, type: string | undefined, body: string | Uint8Array = ''): void {
  response.statusCode = status;
  if (type !== undefined) response.setHeader('content-type', type);
  response.end(body);
}

const notFound: Kind = (call) => send(call, 404, 'text/plain', '404 page not found\n');

function metrics(type: string | undefined = TEXT, page: string = PAGE, at = '/metrics'): Kind {
  return (call) => (call.path === at ? send(call, 200, type, page) : notFound(call));
}

function redirect(status: number, location: string): Kind {
  return (call) => {
    call.response.setHeader('location', location);
    send(call, status, 'text/plain');
  };
}

const KINDS: Readonly<Record<string, Kind>> = {
  // prom-client, and most others.
  metrics: metrics(),
  openmetrics: metrics(OPENMETRICS, '# TYPE orders counter\norders_total 3\n# EOF\n'),
  gzip(call) {
    call.response.setHeader('content-encoding', 'gzip');
    send(call, 200, TEXT, gzipSync(PAGE));
  },
  // Python's client, mounted in FastAPI as its own example does: prometheus/client_python#1016.
  fastapi: (call) =>
    call.path === '/metrics' ? redirect(307, '/metrics/')(call) : metrics(TEXT, PAGE, '/metrics/')(call),
  spring: (call) =>
    call.path === '/shop/actuator/health/liveness'
      ? send(call, 200, 'application/json', '{"status":"UP"}')
      : metrics(TEXT, PAGE, '/shop/actuator/prometheus')(call),
  // OpenTelemetry's exporter for .NET has nothing before the first instrument: opentelemetry-dotnet#3582.
  dotnet: (call) => (call.before === 0 ? send(call, 204, undefined) : metrics()(call)),
  html: (call) => send(call, 200, 'text/html; charset=utf-8', HTML),
  json: (call) => send(call, 200, 'application/json', '{"orders":3}\n'),
  echo: (call) => send(call, 200, 'text/plain', 'OK 200\n'),
  'not-found': notFound,
  unauthorized(call) {
    call.response.setHeader('www-authenticate', 'Basic realm="metrics"');
    send(call, 401, 'text/plain', 'Unauthorized\n');
  },
  django: (call) => send(call, 400, 'text/html', '<h1>Bad Request (400)</h1><p>Invalid HTTP_HOST header.\n'),
  // As Rails' HostAuthorization and Django refuse the pod's address.
  'known-host': (call) => (call.request.headers.host === 'shop.example' ? metrics() : KINDS['django'])?.(call),
  // It says itself of which namespace its orders are.
  labelled: metrics(TEXT, '# TYPE orders gauge\norders{namespace="a"} 3\norders{namespace="b"} 4\n'),
  // As a sidecar that takes only mutual TLS ends a connection.
  resets: ({ request }) => request.socket.resetAndDestroy(),
  'wrong-type': metrics('text/html; charset=utf-8'),
  'no-type': (call) => send(call, 200, undefined, PAGE),
  'to-another-host': redirect(302, 'http://203.0.113.1/metrics'),
  'to-metadata': redirect(302, 'http://169.254.169.254/latest/meta-data/'),
  slow: (call) => void setTimeout(() => metrics()(call), 6000),
  // Slower than a job whose timeout is short, and quicker than what asking takes for slow.
  'three-seconds': (call) => void setTimeout(() => metrics()(call), 3000),
  endless({ response }) {
    response.setHeader('content-type', TEXT);
    response.write(PAGE);
    const more = setInterval(() => response.write('# more\n'), 200);
    response.on('close', () => clearInterval(more));
  },
  'gzip-bomb'({ response }) {
    response.setHeader('content-type', TEXT);
    response.setHeader('content-encoding', 'gzip');
    const bomb = createGzip();
    const line = Buffer.alloc(64 * 1024, 'a');
    bomb.pipe(response);
    for (let written = 0; written < 1024; written += 1) bomb.write(line);
    bomb.end();
  },
  // Metrics only where a variable says so: one image, two configurations.
  switched: (call) => (process.env['METRICS'] === 'on' ? metrics() : notFound)(call),
  // The same image as another namespace's, which answers what pleases it.
  hostile: (call) => (process.env['POD_NAMESPACE']?.endsWith('hostile') === true ? metrics() : notFound)(call),
};

const [kind = '', ...ports] = process.argv.slice(2);
if (kind === 'listener') listen(ports.map(Number));
else if (kind === 'tls') serveTls();
else if (kind === 'loopback') serve(metrics(), '127.0.0.1');
else if (kind === 'ends') process.exitCode = 0;
// Of several replicas one leads; the others take no connections before they do: argo-workflows#10037.
else if (kind === 'leader') {
  if (hostname().endsWith('-0')) serve(metrics());
  else setInterval(() => undefined, 60_000);
} else serve(KINDS[kind] ?? notFound);

function serve(answer: Kind, host?: string): void {
  let before = 0;
  createServer((request, response) => {
    const path = request.url ?? '';
    const agent = request.headers['user-agent'] ?? '';
    console.log(`asked ${path} ${agent}`);
    answer({ path, request, response, before });
    if (!agent.startsWith('kube-probe')) before += 1;
  }).listen(PORT, host);
}

function serveTls(): void {
  const secret = { key: readFileSync('/kinds/tls.key'), cert: readFileSync('/kinds/tls.crt') };
  createSecureServer(secret, (request, response) => {
    response.end(`${request.url}\n`);
  }).listen(PORT);
}

function listen(numbers: readonly number[]): void {
  for (const port of numbers) {
    createRawServer((socket) => {
      console.log(`connected ${port}`);
      socket.on('error', () => undefined);
      socket.end('220 ready\r\n');
    }).listen(port);
  }
}

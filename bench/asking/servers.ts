import { once } from 'node:events';
import { createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { speaksHttp } from './served.ts';
import type { Served } from './served.ts';

/** The servers of all pods, each at an address and port of its own. */
export interface Servers {
  open(address: string, port: number, served: Served): Promise<void>;
  /** Returns how many requests the pod's ports have seen. */
  requests(address: string): number;
  /** Returns the pod's ports that don't speak HTTP and were connected to, with what they speak, and how often. */
  elsewhere(address: string): ReadonlyMap<string, number>;
  /** Returns whether a connection is open. */
  isBusy(): boolean;
  close(): Promise<void>;
}

/** Returns a place for servers, none open yet. */
export function createServers(): Servers {
  const servers: Server[] = [];
  const sockets = new Set<Socket>();
  const requests = new Map<string, number>();
  const elsewhere = new Map<string, Map<string, number>>();

  return {
    async open(address, port, served) {
      const server = createServer((socket) => {
        sockets.add(socket);
        socket.on('close', () => sockets.delete(socket));
        socket.on('error', () => undefined);
        if (!speaksHttp(served)) {
          const ports = elsewhere.get(address) ?? new Map<string, number>();
          elsewhere.set(address, ports);
          count(ports, `${port} (${served.what})`);
        }
        serve(socket, served, () => count(requests, address));
      });
      server.listen(port, address);
      await once(server, 'listening');
      servers.push(server);
    },
    requests: (address) => requests.get(address) ?? 0,
    elsewhere: (address) => elsewhere.get(address) ?? new Map(),
    isBusy: () => sockets.size > 0,
    async close() {
      for (const socket of sockets) socket.destroy();
      await Promise.all(servers.map((server) => server.close() && once(server, 'close')));
    },
  };
}

function count(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

function serve(socket: Socket, served: Served, onRequest: () => void): void {
  if (served.what === 'greeting') socket.write('220 ready\r\n');
  let received = '';
  socket.on('data', (chunk) => {
    if (served.what === 'tcp-echo') socket.write(chunk);
    if (!speaksHttp(served) && served.what !== 'tls') return;
    received += chunk.toString('latin1');
    const end = received.indexOf('\r\n\r\n');
    if (end < 0) return;
    const [, path = ''] = received.split(' ', 2);
    received = '';
    onRequest();
    socket.end(answer(served, path));
  });
}

const PAGE = [
  '# HELP orders_total Orders that were taken.',
  '# TYPE orders_total counter',
  'orders_total{state="paid"} 12',
  '',
].join('\n');

function answer(served: Served, path: string): string {
  if ('health' in served && served.health.some((health) => health.split('?', 1)[0] === path))
    return http('200 OK', 'text/plain', 'ok\n');
  switch (served.what) {
    case 'metrics':
      return served.paths.includes(path)
        ? http('200 OK', 'text/plain; version=0.0.4; charset=utf-8', PAGE)
        : notFound(served.paths);
    case 'guarded':
      return http('401 Unauthorized', 'text/plain', 'Unauthorized\n', 'WWW-Authenticate: Basic realm="x"');
    case 'tls':
      // What Go's server says: net/http/server.go, `tlsRecordHeaderLooksLikeHTTP`.
      return 'HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n';
    case 'html':
      return http('200 OK', 'text/html; charset=utf-8', '<!doctype html><title>Welcome</title><p>Hello.\n');
    case 'json':
      return http('200 OK', 'application/json', '{"status":"UP"}\n');
    case 'echo':
      return http('200 OK', 'text/plain', 'OK 200\n');
    case 'not-found':
      return notFound([]);
    case 'greeting':
    case 'tcp-echo':
    case 'silence':
      return '';
  }
}

/** Spring Boot has a page of its own for what is not there; most others have none. */
function notFound(paths: readonly string[]): string {
  if (!paths.some((path) => path.endsWith('/actuator/prometheus')))
    return http('404 Not Found', 'text/plain', '404 page not found\n');
  const body = { timestamp: '2026-01-01T00:00:00.000+00:00', status: 404, error: 'Not Found', path: '/metrics' };
  return http('404 Not Found', 'application/json', JSON.stringify(body));
}

function http(status: string, type: string, body: string, ...headers: readonly string[]): string {
  const head = [
    `HTTP/1.1 ${status}`,
    `Content-Type: ${type}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    ...headers,
  ];
  return `${head.join('\r\n')}\r\nConnection: close\r\n\r\n${body}`;
}

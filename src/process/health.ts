import { createServer } from 'node:http';
import type { ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Registry } from '@prometheus-io/client';
import { countDrops, trackConnections } from './connections.ts';
import { listen } from './listen.ts';

/** What the health port tells, asked anew at every request. */
export interface Health {
  /** Why no new work should be sent here, one sentence each; empty when ready. */
  readonly unready: () => readonly string[];
  readonly registry: Registry;
  /** Open connections at most; {@link MAX_CONNECTIONS} unless a test needs fewer. */
  readonly maxConnections?: number;
}

/** A listening health port. */
export interface HealthServer {
  readonly port: number;
  /** Resolves when the port is closed; whoever is connected is cut off. */
  readonly close: () => Promise<void>;
}

/** Open connections. The kubelet and Prometheus need two or three; the rest is room for whoever looks. */
const MAX_CONNECTIONS = 64;

/** Milliseconds for a connection's first valid request, and for any other. The kubelet and Prometheus send theirs at once. */
const REQUEST_MILLISECONDS = 3_000;

/** Milliseconds for a request until its answer has been taken, which is Prometheus' own time limit. */
const EXCHANGE_MILLISECONDS = 10_000;

/** Milliseconds that an idle connection stays open. The kubelet uses each but once, and Prometheus opens another. */
const KEEP_ALIVE_MILLISECONDS = 3_000;

/**
 * A plain-HTTP server with `/livez` (the event loop turns: a restart would mend nothing else), `/readyz` (200, or 503
 * and the reasons, one a line) and `/metrics`. Throws a UserError when the port can't be had.
 */
export async function startHealth(health: Health, host: string | undefined, port: number): Promise<HealthServer> {
  const times = {
    headersTimeout: REQUEST_MILLISECONDS,
    requestTimeout: REQUEST_MILLISECONDS,
    connectionsCheckingInterval: 1_000,
    keepAliveTimeout: KEEP_ALIVE_MILLISECONDS,
  };
  const server = createServer(times, (request, response) => {
    // RFC 9110 §15.5.6: a 405 says what would be allowed.
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('allow', 'GET, HEAD');
      return text(response, 405, 'only GET and HEAD are answered here\n');
    }
    response.once('finish', () => {
      if (response.statusCode !== 404) connections.prove(request.socket);
    });
    return route(health, request.url ?? '', response);
  });
  const connections = trackConnections(server, {
    limit: health.maxConnections ?? MAX_CONNECTIONS,
    proofMilliseconds: REQUEST_MILLISECONDS,
    exchangeMilliseconds: EXCHANGE_MILLISECONDS,
    onDrop: countDrops(health.registry, 'health', ['limit', 'timeout']),
  });
  server.on('clientError', refuse);
  const listening = await listen(server, { host, port, flag: '--health-port' });
  return {
    port: listening,
    close: () => connections.close(AbortSignal.abort()),
  };
}

function route(health: Health, url: string, response: ServerResponse): void {
  switch (url.replace(/\?.*/s, '')) {
    case '/livez':
      return text(response, 200, 'ok\n');
    case '/readyz': {
      const reasons = health.unready();
      return reasons.length === 0 ? text(response, 200, 'ok\n') : text(response, 503, `${reasons.join('\n')}\n`);
    }
    case '/metrics':
      health.registry.metrics().then(
        (metrics) => text(response, 200, metrics, health.registry.contentType),
        () => text(response, 500, 'the metrics could not be collected\n'),
      );
      return undefined;
    default:
      return text(response, 404, 'try /livez, /readyz or /metrics\n');
  }
}

/** What Node would do if nobody else wanted to know of it: a 408 or a 400, and the end of the connection. */
function refuse(error: NodeJS.ErrnoException, socket: Duplex): void {
  const status = error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? '408 Request Timeout' : '400 Bad Request';
  if (socket.writable) socket.write(`HTTP/1.1 ${status}\r\nConnection: close\r\n\r\n`);
  socket.destroy();
}

function text(response: ServerResponse, status: number, body: string, type = 'text/plain; charset=utf-8'): void {
  // Whoever sent no valid request has nothing to gain from staying.
  if (status === 404 || status === 405) response.setHeader('connection', 'close');
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(body) }).end(body);
}

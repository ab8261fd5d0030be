import type { ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Registry } from '@prometheus-io/client';
import { createDropCounter, limitConnections } from './connection-limits.ts';
import { listen } from './listen.ts';
import { createServer } from './node-http.ts';

/** What the health port reports. */
export interface Health {
  /** Returns why this process should get no new work, one sentence each; empty when it is ready. Called at each probe. */
  unready(): readonly string[];
  readonly registry: Registry;
  /** Most open connections; {@link MAX_CONNECTIONS} unless a test needs fewer. */
  readonly maxConnections?: number;
}

/** A listening health port. */
export interface HealthServer {
  readonly port: number;
  /** Closes the port and all connections. */
  close(): Promise<void>;
}

/** Most open connections. The kubelet and Prometheus need two or three; the rest is for people with curl. */
const MAX_CONNECTIONS = 64;

/** Milliseconds for a connection's first valid request, and for each further one. The kubelet and Prometheus send them at once. */
const REQUEST_MS = 3_000;

/** Milliseconds from a request's headers until its answer is written: Prometheus' default scrape_timeout. */
const ANSWER_MS = 10_000;

/** Milliseconds that an idle connection stays open. The kubelet never reuses one, and Prometheus opens another. */
const KEEP_ALIVE_MS = 3_000;

/**
 * Starts and returns a plain-HTTP server with `/livez` (200 while the event loop runs: a restart fixes
 * nothing else), `/readyz` (200, or 503 with one reason per line) and `/metrics`. Throws a UserError
 * when the port is not available.
 */
export async function startHealth(health: Health, host: string | undefined, port: number): Promise<HealthServer> {
  const timeouts = {
    headersTimeout: REQUEST_MS,
    requestTimeout: REQUEST_MS,
    connectionsCheckingInterval: 1_000,
    keepAliveTimeout: KEEP_ALIVE_MS,
  };
  const server = createServer(timeouts, (request, response) => {
    // RFC 9110 §15.5.6: a 405 names the allowed methods.
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('allow', 'GET, HEAD');
      return text(response, 405, 'method not allowed: use GET or HEAD\n');
    }
    response.once('finish', () => {
      if (response.statusCode !== 404) connections.markValid(request.socket);
    });
    return route(health, request.url ?? '', response);
  });
  const connections = limitConnections(server, {
    maxConnections: health.maxConnections ?? MAX_CONNECTIONS,
    firstRequestMs: REQUEST_MS,
    answerMs: ANSWER_MS,
    onDrop: createDropCounter(health.registry, 'health', ['limit', 'timeout']),
  });
  server.on('clientError', answerClientError);
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
        () => text(response, 500, 'collecting the metrics failed\n'),
      );
      return undefined;
    default:
      return text(response, 404, 'not found: use /livez, /readyz or /metrics\n');
  }
}

/** Sends a 408 or a 400 and closes the connection, as Node does where nobody listens to this event. */
function answerClientError(error: NodeJS.ErrnoException, socket: Duplex): void {
  const status = error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? '408 Request Timeout' : '400 Bad Request';
  if (socket.writable) socket.write(`HTTP/1.1 ${status}\r\nConnection: close\r\n\r\n`);
  socket.destroy();
}

function text(response: ServerResponse, status: number, body: string, type = 'text/plain; charset=utf-8'): void {
  // A client that sent no valid request keeps no connection.
  if (status === 404 || status === 405) response.setHeader('connection', 'close');
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(body) }).end(body);
}

import { createServer } from 'node:http';
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { Registry } from '@prometheus-io/client';
import { listen } from './listen.ts';

/** What the health port tells, asked anew at every request. */
export interface Health {
  /** Why no new work should be sent here, one sentence each; empty when ready. */
  readonly unready: () => readonly string[];
  readonly registry: Registry;
}

/** A listening health port. */
export interface HealthServer {
  readonly port: number;
  /** Resolves when the port is closed; whoever is connected is cut off. */
  readonly close: () => Promise<void>;
}

/**
 * A plain-HTTP server with `/livez` (the event loop turns: a restart would mend nothing else), `/readyz` (200, or 503
 * and the reasons, one a line) and `/metrics`. Throws a UserError when the port can't be had.
 */
export async function startHealth(health: Health, host: string | undefined, port: number): Promise<HealthServer> {
  const server = createServer((request, response) => {
    // RFC 9110 §15.5.6: a 405 says what would be allowed.
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('allow', 'GET, HEAD');
      return text(response, 405, 'only GET and HEAD are answered here\n');
    }
    return route(health, request.url ?? '', response);
  });
  // Kubelet and Prometheus need two; the rest is room. Idle ones are cut after Node's 5 s.
  server.maxConnections = 64;
  const listening = await listen(server, { host, port, flag: '--health-port' });
  return {
    port: listening,
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
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

function text(response: ServerResponse, status: number, body: string, type = 'text/plain; charset=utf-8'): void {
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(body) }).end(body);
}

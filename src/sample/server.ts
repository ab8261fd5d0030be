import type { IncomingMessage, ServerResponse } from 'node:http';
import { once } from 'node:events';
import { listen } from '../process/listen.ts';
import { createRegistry } from '../process/metrics.ts';
import { startCount } from './count.ts';
import { renderPage } from './page.ts';
import { createServer } from '../process/node-http.ts';

/** Milliseconds for a scrape in flight to finish when the app stops. Prometheus' own scrape_timeout is 10 s. */
const STOP_LIMIT_MS = 5_000;

/** A running sample app. */
export interface Sample {
  /** The port that it listens on: the requested one, or a free one for port 0. */
  readonly port: number;
  /** Waits for scrapes in flight, closes all connections and stops the counter. */
  stop(): Promise<void>;
}

/** Starts the sample app and returns it. Throws a UserError when the port is not available. */
export async function startSample(at: { readonly host: string | undefined; readonly port: number }): Promise<Sample> {
  const registry = createRegistry();
  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      response.destroy(error instanceof Error ? error : new Error(String(error)));
    });
  });
  const port = await listen(server, { ...at, flag: '--port' });
  const count = startCount(registry);

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const send = (status: number, type: string, body: string): void => {
      response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(body) });
      response.end(request.method === 'HEAD' ? undefined : body);
    };
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('allow', 'GET, HEAD');
      return send(405, 'text/plain; charset=utf-8', 'method not allowed: use GET or HEAD\n');
    }
    switch ((request.url ?? '').replace(/\?.*/s, '')) {
      case '/':
        return send(200, 'text/html; charset=utf-8', renderPage(count.value()));
      case '/metrics':
        return send(200, registry.contentType, await registry.metrics());
      default:
        return send(404, 'text/plain; charset=utf-8', 'not found: use / or /metrics\n');
    }
  }

  async function stop(): Promise<void> {
    count.stop();
    const closed = once(server, 'close');
    server.close();
    server.closeIdleConnections();
    const limit = setTimeout(() => server.closeAllConnections(), STOP_LIMIT_MS);
    await closed;
    clearTimeout(limit);
  }

  return { port, stop };
}

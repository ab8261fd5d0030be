import { request } from 'node:https';
import type { Agent, RequestOptions } from 'node:https';
import type { IncomingHttpHeaders } from 'node:http';

/** Where a test's webhook is, and whom to trust. */
export interface Target {
  readonly port: number;
  /** The authority's certificate in PEM. */
  readonly ca: string;
}

/** An HTTP answer, read to its end. */
export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** What is out of the ordinary about a request. */
export interface CallOptions {
  readonly path?: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string | number>>;
  readonly agent?: Agent | false;
  readonly tls?: Pick<RequestOptions, 'minVersion' | 'maxVersion' | 'servername' | 'cert' | 'key'>;
}

/** The answer to a body that is posted as the API server would; on a connection of its own unless an agent is given. */
export function post(target: Target, body: Buffer | string, options: CallOptions = {}): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const call = request(
      {
        host: '127.0.0.1',
        port: target.port,
        ca: target.ca,
        servername: 'localhost',
        method: options.method ?? 'POST',
        path: options.path ?? '/mutate?timeout=3s',
        agent: options.agent ?? false,
        headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body), ...options.headers },
        ...options.tls,
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: Buffer.concat(chunks).toString(),
          }),
        );
      },
    );
    call.on('error', reject);
    call.end(body);
  });
}

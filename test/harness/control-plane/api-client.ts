import { Agent, request as httpsRequest } from 'node:https';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';

/** As much of a Kubernetes object, or of the Status that answers in its place, as tests of any kind look at. */
export interface KubernetesObject {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata?: {
    readonly name?: string;
    readonly namespace?: string;
    readonly uid?: string;
    readonly resourceVersion?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly [field: string]: unknown;
  };
  /** Of a Status: why the request failed. */
  readonly message?: string;
  readonly [field: string]: unknown;
}

/** What the API server answered. The body is its JSON, taken for what the caller says it is, or its text. */
export interface ApiResponse<Body> {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Body;
}

/**
 * Sends one request to the API server, as an administrator unless the headers say otherwise. A string is sent as it
 * is, anything else as JSON; a PATCH is a JSON Patch when its body is a list, else a merge patch.
 */
export type ApiRequest = <Body = KubernetesObject>(
  method: string,
  path: string,
  body?: unknown,
  headers?: Readonly<Record<string, string>>,
) => Promise<ApiResponse<Body>>;

/** A client of one API server, over connections that are kept. */
export interface ApiClient {
  readonly request: ApiRequest;
  /** Closes its connections; the next request opens new ones. */
  disconnect(): void;
}

/** Returns a client of the API server at `url`, which must prove itself with a certificate of `ca`. */
export function apiClient(url: string, ca: string, token: string): ApiClient {
  const agent = new Agent({ keepAlive: true, ca, maxSockets: 256 });
  async function request<Body>(
    method: string,
    path: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<ApiResponse<Body>> {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const sent = httpsRequest(new URL(path, url), {
      method,
      agent,
      headers: { authorization: `Bearer ${token}`, 'content-type': contentType(method, body), ...headers },
      timeout: 120_000,
    });
    sent.on('timeout', () => sent.destroy(new Error(`${method} ${path}: no answer within two minutes`)));
    sent.on('error', reject);
    sent.on('response', resolve);
    sent.end(body === undefined || typeof body === 'string' ? body : JSON.stringify(body));
    const answer = await promise;
    const said = await text(answer);
    const isJson = answer.headers['content-type']?.startsWith('application/json') ?? false;
    return { status: answer.statusCode ?? 0, headers: answer.headers, body: isJson ? JSON.parse(said) : said };
  }
  return { request, disconnect: () => agent.destroy() };
}

/** Returns the content type of a request to the API server: a PATCH is a JSON Patch when its body is a list, else a merge patch. */
export function contentType(method: string, body: unknown): string {
  if (method !== 'PATCH') return 'application/json';
  return Array.isArray(body) ? 'application/json-patch+json' : 'application/merge-patch+json';
}

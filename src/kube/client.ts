import { request as requestHttp } from 'node:http';
import type { ClientRequest } from 'node:http';
import { request as requestHttps } from 'node:https';
import type { RequestOptions } from 'node:https';
import type { Duplex } from 'node:stream';
import { member } from '../core/json.ts';
import type { Result } from '../core/result.ts';
import { createDeadline } from './abort.ts';
import type { Deadline } from './abort.ts';
import type { KubeconfigChoice } from './kubeconfig.ts';
import { createItemReader } from './stream-list-items.ts';
import type { PodPort } from './pod-proxy.ts';

/**
 * Longest time for one request, in milliseconds: the library has none. A page of a list may take
 * three times as long.
 */
const REQUEST_TIMEOUT_MS = 10_000;

/** One request to the API server. */
export interface ApiRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Path from the root, such as `/api/v1/namespaces/shop/pods`. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly body?: unknown;
  readonly contentType?: string;
  readonly timeoutMs?: number;
  /**
   * Called with each item of a list as it comes, so that only one of them at a time is in memory.
   * The response's body has no items then.
   */
  readonly onItem?: (item: unknown) => void;
  readonly signal?: AbortSignal;
}

/** What the API server sent back, whatever the status. */
export interface ApiResponse {
  readonly status: number;
  /** The JSON as it came, unknown fields included; a string where it was not JSON. */
  readonly body: unknown;
  /** Seconds for which the server asks us to wait. */
  readonly retryAfter?: number;
}

/** Why a request failed: the HTTP status (0: there was no response) and a sentence. */
export interface Failure {
  readonly status: number;
  readonly message: string;
  /** Milliseconds for which the API server asks us to wait. */
  readonly retryAfterMs?: number;
}

/**
 * Returns whether it failed for everybody: no response, too many requests, or a fault of the API
 * server's.
 */
export function isOutage({ status }: Failure): boolean {
  return status === 0 || status === 429 || status >= 500;
}

/** An open watch: the status of its start, and one JSON value a line until it ends. */
export interface WatchStream {
  readonly status: number;
  /** Seconds for which the server asks us to wait. */
  readonly retryAfter?: number;
  readonly lines: AsyncIterable<unknown>;
}

/** The API server of one cluster. */
export interface Kube {
  readonly server: string;
  /** Namespace of the context, or of the pod that this runs in. */
  readonly namespace: string;
  readonly inCluster: boolean;
  /**
   * Returns the response's JSON, or why there is none: no connection, no response in time, any
   * status outside 200 to 299. Never rejects.
   */
  request(request: ApiRequest): Promise<Result<unknown, Failure>>;
  /**
   * Opens a watch. It ends by itself, when the signal aborts, or when nothing comes for
   * `silenceMs`. Rejects when there is no response.
   */
  watch(
    path: string,
    query: Readonly<Record<string, string>>,
    silenceMs: number,
    signal: AbortSignal,
  ): Promise<WatchStream>;
  /**
   * Returns a GET of the path with these headers and the credentials, not sent before `end()`. It follows no
   * redirect and decodes nothing, as `request` does. Rejects where there are no credentials.
   */
  open(path: string, headers: Readonly<Record<string, string>>): Promise<ClientRequest>;
  /**
   * Returns a connection to a pod's port, over the API server (the subresource pods/portforward).
   * Rejects where it is not opened in time.
   */
  forward(target: PodPort): Promise<Duplex>;
  /** Ends every connection. */
  close(): Promise<void>;
}

export interface ConnectOptions extends KubeconfigChoice {
  /** Called for each response (status 0: there was none), watches included. */
  readonly onResponse?: (method: string, status: number) => void;
  /** Longest time for one request in milliseconds, whatever each says itself. */
  readonly requestTimeout?: number | undefined;
}

/**
 * Returns a client of the cluster, or the message that says what is missing. Nothing is sent yet.
 * The Kubernetes library is loaded here and not before: it costs 340 ms and 70 MB, which the
 * webhook must never pay.
 */
export async function connect(options: ConnectOptions = {}): Promise<Result<Kube, string>> {
  const { loadKubeconfig } = await import('./kubeconfig.ts');
  const loaded = loadKubeconfig(options);
  if (!loaded.ok) return loaded;
  const { IsomorphicFetchHttpLibrary, RequestContext } = await import('@kubernetes/client-node');
  const { config, server, inCluster } = loaded.value;
  const http = new IsomorphicFetchHttpLibrary();
  const onResponse = options.onResponse ?? (() => undefined);
  let agent: RequestOptions['agent'];

  async function send(request: ApiRequest, signal: AbortSignal) {
    const context = new RequestContext(server + request.path, request.method);
    for (const [name, value] of Object.entries(request.query ?? {})) context.setQueryParam(name, value);
    context.setHeaderParam('Accept', 'application/json');
    context.setHeaderParam('User-Agent', 'autoscrape');
    if (request.body !== undefined) {
      context.setHeaderParam('Content-Type', request.contentType ?? 'application/json');
      context.setBody(JSON.stringify(request.body));
    }
    context.setSignal(signal);
    try {
      await config.applySecurityAuthentication(context);
      const response = await http.send(context).toPromise();
      onResponse(request.method, response.httpStatusCode);
      return response;
    } catch (error) {
      onResponse(request.method, 0);
      throw new Error(`no answer from ${server}: ${innermostMessage(signal.aborted ? signal.reason : error)}`, {
        cause: error,
      });
    }
  }

  const kube: Kube = {
    server,
    namespace: config.getContextObject(config.getCurrentContext())?.namespace?.trim() || 'default',
    inCluster,

    async request(request) {
      const deadline = createDeadline(
        options.requestTimeout ?? request.timeoutMs ?? REQUEST_TIMEOUT_MS,
        request.signal,
      );
      try {
        const response = await send(request, deadline.signal);
        const onItem = response.httpStatusCode === 200 ? request.onItem : undefined;
        const stream = response.body.stream();
        return toResult({
          status: response.httpStatusCode,
          body: onItem === undefined ? parseJson(await readText(stream)) : await readList(stream, onItem),
          ...readRetryAfter(response.headers),
        });
      } catch (error) {
        // What the parser says quotes the page.
        const isPage = error instanceof SyntaxError;
        const page = `the answer of ${server} is not the JSON of an API server: it is cut, or a login page`;
        const message = error instanceof Error ? error.message : String(error);
        return { ok: false, error: { status: 0, message: isPage ? page : message } };
      } finally {
        deadline.clear();
      }
    },

    async watch(path, query, silenceMs, signal) {
      const deadline = createDeadline(silenceMs, signal);
      try {
        const response = await send({ method: 'GET', path, query: { ...query, watch: 'true' } }, deadline.signal);
        return {
          status: response.httpStatusCode,
          lines: jsonLines(response.body.stream(), deadline),
          ...readRetryAfter(response.headers),
        };
      } catch (error) {
        deadline.clear();
        throw error;
      }
    },

    async open(path, headers) {
      const credentials: Record<string, string> = {};
      const options: RequestOptions = { headers: credentials };
      await config.applyToHTTPSOptions(options);
      agent = options.agent;
      const url = new URL(server + path);
      const request = url.protocol === 'http:' ? requestHttp : requestHttps;
      return request(url, { ...options, headers: { ...headers, ...credentials } });
    },

    async forward(target) {
      const { forwardPort } = await import('./port-forward.ts');
      return forwardPort(config, target, options.requestTimeout ?? REQUEST_TIMEOUT_MS);
    },

    async close() {
      if (typeof agent === 'object') agent.destroy();
      await config.destroyConnections();
    },
  };
  return { ok: true, value: kube };
}

function readRetryAfter(headers: Readonly<Record<string, string>>): { readonly retryAfter?: number } {
  const retryAfter = Number(headers['retry-after']);
  return retryAfter > 0 ? { retryAfter } : {};
}

/** Returns the body of a response whose status is 200 to 299, and a failure for any other. */
export function toResult({ status, body, retryAfter }: ApiResponse): Result<unknown, Failure> {
  if (status >= 200 && status < 300) return { ok: true, value: body };
  return { ok: false, error: readFailure(body, status, retryAfter) };
}

/**
 * Returns the failure that a Kubernetes Status describes, or what can be said without one.
 * `retryAfter` is in seconds.
 */
export function readFailure(body: unknown, status: number, retryAfter?: number): Failure {
  const message = member(body, 'message');
  return {
    status,
    message: typeof message === 'string' ? message : `HTTP status ${status}`,
    ...(retryAfter === undefined ? {} : { retryAfterMs: retryAfter * 1000 }),
  };
}

type Bytes = ReadableStream<Uint8Array> | null;

/** Returns the whole body as a string. */
async function readText(stream: Bytes): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  await eachChunk(stream, (chunk) => {
    text += decoder.decode(chunk, { stream: true });
  });
  return text + decoder.decode();
}

/** Returns the list without its items, for each of which it calls `onItem`. */
async function readList(stream: Bytes, onItem: (item: unknown) => void): Promise<unknown> {
  const reader = createItemReader(onItem);
  await eachChunk(stream, (chunk) => reader.push(chunk));
  return reader.end();
}

async function eachChunk(stream: Bytes, onChunk: (chunk: Uint8Array) => void): Promise<void> {
  const reader = stream?.getReader();
  for (;;) {
    const chunk = (await reader?.read())?.value;
    if (chunk === undefined) return;
    onChunk(chunk);
  }
}

/**
 * Yields one value for each line. A half line at the end is dropped: the connection broke, and the
 * next list brings it. The stream is read by hand, because leaving a `for await` over it would
 * first wait for the stream to be cancelled, and only then abort the request.
 */
async function* jsonLines(stream: Bytes, deadline: Deadline): AsyncGenerator<unknown, void> {
  const reader = stream?.getReader();
  const decoder = new TextDecoder();
  let rest = '';
  try {
    for (;;) {
      const chunk = (await reader?.read())?.value;
      if (chunk === undefined) return;
      deadline.extend();
      const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) if (line !== '') yield parseJson(line);
    }
  } finally {
    deadline.abort('the watch is over');
    deadline.clear();
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text; // a proxy's error page: the caller looks at the status first
  }
}

/**
 * Returns the message of the first cause: fetch says "fetch failed" and keeps the reason in its
 * causes.
 */
function innermostMessage(error: unknown): string {
  let current = error;
  for (let depth = 0; depth < 5 && current instanceof Error && current.cause !== undefined; depth += 1)
    current = current.cause;
  if (current instanceof AggregateError && current.errors.length > 0) return innermostMessage(current.errors[0]);
  return current instanceof Error ? current.message : String(current);
}

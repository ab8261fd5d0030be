import type { KubeconfigChoice } from './kubeconfig.ts';
import { createItemReader } from './list-items.ts';

/** Longest time for one call, in milliseconds: the library has none. A page of a list may take three times as long. */
const CALL_MS = 10_000;

/** One call to the API server. */
export interface Call {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Path from the root, such as `/api/v1/namespaces/shop/pods`. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly body?: unknown;
  readonly contentType?: string;
  readonly timeoutMs?: number;
  /** Takes a list's items as they come, so that only one of them at a time is in memory; the answer's body has none then. */
  readonly onItem?: (item: unknown) => void;
  readonly signal?: AbortSignal;
}

/** What the API server answered, whatever the status. */
export interface Answer {
  readonly status: number;
  /** The JSON as it came, unknown fields included; a string where it was not JSON. */
  readonly body: unknown;
  /** Seconds that the server asks to be left alone. */
  readonly retryAfter?: number;
}

/** An open watch: the status of its start, and one JSON value a line until it ends. */
export interface WatchStream {
  readonly status: number;
  /** Seconds that the server asks to be left alone. */
  readonly retryAfter?: number;
  readonly lines: AsyncIterable<unknown>;
}

/** One cluster. Calls reject only when there was no answer: no connection, or none in time. */
export interface Kube {
  readonly server: string;
  /** Namespace of the context, or of the pod that this runs in. */
  readonly namespace: string;
  readonly inCluster: boolean;
  call(call: Call): Promise<Answer>;
  /** Opens a watch; it ends by itself, by the signal, or when nothing comes for `silenceMs`. */
  watch(
    path: string,
    query: Readonly<Record<string, string>>,
    silenceMs: number,
    signal: AbortSignal,
  ): Promise<WatchStream>;
  /** Ends every connection. */
  close(): Promise<void>;
}

export interface ConnectOptions extends KubeconfigChoice {
  /** Told of each answer (status 0: none came), watches included. */
  readonly onAnswer?: (method: string, status: number) => void;
}

export type Connection = { readonly ok: true; readonly kube: Kube } | { readonly ok: false; readonly message: string };

/**
 * A cluster to talk to, or the message that says what is missing; nothing is sent yet. The Kubernetes library is loaded
 * here and not before: it costs 340 ms and 70 MB, which the webhook must never pay.
 */
export async function connect(options: ConnectOptions = {}): Promise<Connection> {
  const { loadKubeconfig } = await import('./kubeconfig.ts');
  const loaded = loadKubeconfig(options);
  if (!loaded.ok) return loaded;
  const { IsomorphicFetchHttpLibrary, RequestContext } = await import('@kubernetes/client-node');
  const { config, server, inCluster } = loaded;
  const http = new IsomorphicFetchHttpLibrary();
  const answered = options.onAnswer ?? (() => undefined);

  async function send(call: Call, signal: AbortSignal) {
    const context = new RequestContext(server + call.path, call.method);
    for (const [name, value] of Object.entries(call.query ?? {})) context.setQueryParam(name, value);
    context.setHeaderParam('Accept', 'application/json');
    context.setHeaderParam('User-Agent', 'autoscrape');
    if (call.body !== undefined) {
      context.setHeaderParam('Content-Type', call.contentType ?? 'application/json');
      context.setBody(JSON.stringify(call.body));
    }
    context.setSignal(signal);
    try {
      await config.applySecurityAuthentication(context);
      const response = await http.send(context).toPromise();
      answered(call.method, response.httpStatusCode);
      return response;
    } catch (error) {
      answered(call.method, 0);
      throw new Error(`no answer from ${server}: ${innermostMessage(signal.aborted ? signal.reason : error)}`, {
        cause: error,
      });
    }
  }

  const kube: Kube = {
    server,
    namespace: config.getContextObject(config.getCurrentContext())?.namespace?.trim() || 'default',
    inCluster,

    async call(call) {
      const limit = limitTime(call.timeoutMs ?? CALL_MS, call.signal);
      try {
        const response = await send(call, limit.signal);
        const onItem = response.httpStatusCode === 200 ? call.onItem : undefined;
        const body = response.body.stream();
        return {
          status: response.httpStatusCode,
          body: onItem === undefined ? parseJson(await readText(body)) : await readList(body, onItem),
          ...readRetryAfter(response.headers),
        };
      } finally {
        limit.clear();
      }
    },

    async watch(path, query, silenceMs, signal) {
      const limit = limitTime(silenceMs, signal);
      try {
        const response = await send({ method: 'GET', path, query: { ...query, watch: 'true' } }, limit.signal);
        return {
          status: response.httpStatusCode,
          lines: jsonLines(response.body.stream(), limit),
          ...readRetryAfter(response.headers),
        };
      } catch (error) {
        limit.clear();
        throw error;
      }
    },

    close: () => config.destroyConnections(),
  };
  return { ok: true, kube };
}

function readRetryAfter(headers: Readonly<Record<string, string>>): { readonly retryAfter?: number } {
  const retryAfter = Number(headers['retry-after']);
  return retryAfter > 0 ? { retryAfter } : {};
}

/** The sentence of a Kubernetes Status, else what can be said without one. */
export function statusMessage(answer: Answer): string {
  const { body } = answer;
  if (typeof body === 'object' && body !== null && 'message' in body && typeof body.message === 'string')
    return body.message;
  return `HTTP status ${answer.status}`;
}

interface Limit {
  readonly signal: AbortSignal;
  /** Starts the time anew. */
  touch(): void;
  abort(why: string): void;
  clear(): void;
}

/** A signal that fires after a time or with its parent. `AbortSignal.any` on a long-lived parent would keep every child. */
function limitTime(milliseconds: number, parent?: AbortSignal): Limit {
  const controller = new AbortController();
  const stop = () => controller.abort(parent?.reason);
  if (parent?.aborted === true) stop();
  parent?.addEventListener('abort', stop, { once: true });
  const timer = setTimeout(
    () => controller.abort(new Error(`nothing came for ${milliseconds / 1000} s`)),
    milliseconds,
  );
  return {
    signal: controller.signal,
    touch: () => timer.refresh(),
    abort: (why) => controller.abort(new Error(why)),
    clear: () => {
      clearTimeout(timer);
      parent?.removeEventListener('abort', stop);
    },
  };
}

type Bytes = ReadableStream<Uint8Array> | null;

/** The whole body as text. */
async function readText(stream: Bytes): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  await eachChunk(stream, (chunk) => {
    text += decoder.decode(chunk, { stream: true });
  });
  return text + decoder.decode();
}

/** The list without its items, which have been handed over. */
async function readList(stream: Bytes, onItem: (item: unknown) => void): Promise<unknown> {
  const reader = createItemReader(onItem);
  await eachChunk(stream, (chunk) => reader.push(chunk));
  return reader.end();
}

async function eachChunk(stream: Bytes, take: (chunk: Uint8Array) => void): Promise<void> {
  const reader = stream?.getReader();
  for (;;) {
    const chunk = (await reader?.read())?.value;
    if (chunk === undefined) return;
    take(chunk);
  }
}

/**
 * One value for each line. A half line at the end is dropped: the connection broke, and the next list brings it. The stream is read
 * by hand, because leaving a `for await` over it would first wait for the stream to be cancelled, and only then abort the request.
 */
async function* jsonLines(stream: Bytes, limit: Limit): AsyncGenerator<unknown, void> {
  const reader = stream?.getReader();
  const decoder = new TextDecoder();
  let rest = '';
  try {
    for (;;) {
      const chunk = (await reader?.read())?.value;
      if (chunk === undefined) return;
      limit.touch();
      const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) if (line !== '') yield parseJson(line);
    }
  } finally {
    limit.abort('the watch is over');
    limit.clear();
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text; // a proxy's error page: the caller looks at the status first
  }
}

/** The message at the bottom: fetch says "fetch failed" and keeps the reason in its causes. */
function innermostMessage(error: unknown): string {
  let current = error;
  for (let depth = 0; depth < 5 && current instanceof Error && current.cause !== undefined; depth += 1)
    current = current.cause;
  if (current instanceof AggregateError && current.errors.length > 0) return innermostMessage(current.errors[0]);
  return current instanceof Error ? current.message : String(current);
}

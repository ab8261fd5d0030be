import { request as requestHttp } from 'node:http';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { request as requestHttps } from 'node:https';
import { objectIn } from '../../core/json.ts';
import type { JsonObject } from '../../core/json.ts';
import type { Result } from '../../core/result.ts';
import { createItemReader } from '../../kube/stream-list-items.ts';
import type { PodPort, PodProxy, ServicePort } from '../../kube/pod-proxy.ts';

/** The HTTP API of a scraper. Nothing rejects: an error is what is needed, such as `a login: status 401`. */
export interface ScraperApi {
  /** Returns `data` of the JSON at a path. */
  data(path: string): Promise<Result<JsonObject, string>>;
  /** Calls back with each item of the arrays in `data`, one at a time, and returns `data` without them. */
  items(path: string, onItem: (item: unknown) => void): Promise<Result<JsonObject, string>>;
  /** Returns a page as it is. */
  text(path: string): Promise<Result<string, string>>;
  /**
   * Returns the HTTP status of a path, or `none` where what listens there speaks neither HTTP nor HTTPS; undefined where
   * that can't be known, such as without a connection.
   */
  status(path: string): Promise<number | 'none' | undefined>;
}

/** Opens a GET of a path, not sent yet. It follows no redirect: a Service could lead anywhere. */
type Open = (path: string, scheme: 'http' | 'https') => Promise<ClientRequest>;

const ACCEPT = { accept: 'application/json' };

/** Returns the API behind a Service, which the API server asks: over https where http is refused. */
export function throughService(at: ServicePort, proxy: PodProxy): ScraperApi {
  return api((path, scheme) => proxy.getService({ ...at, scheme }, path, ACCEPT), at.scheme);
}

/** Returns the API of a pod, which the API server asks: over https where http is refused. */
export function throughPod(at: PodPort, proxy: PodProxy): ScraperApi {
  return api((path, scheme) => proxy.get({ ...at, scheme }, path, ACCEPT), at.scheme);
}

/** Returns the API at a URL, which is asked directly. The token is sent there and nowhere else. */
export function atUrl(url: URL, token: string | undefined): ScraperApi {
  // A page's address, as it is copied from a browser, can have more than the path.
  const { href } = Object.assign(new URL(url), { search: '', hash: '' });
  const base = href.replace(/\/+$/, '');
  const request = url.protocol === 'https:' ? requestHttps : requestHttp;
  const headers = { ...ACCEPT, ...(token !== undefined && { authorization: `Bearer ${token}` }) };
  return api((path) => Promise.resolve(request(base + path, { headers })), 'https');
}

/** In ms, without any byte. */
const SILENCE = 15_000;

/** In ms, for a whole answer. */
const TOTAL = 60_000;

/** In bytes: 60,000 targets. */
const MAX_ANSWER = 64 * 1024 * 1024;

/** In bytes: the configuration and single answers are held in memory. */
const MAX_WHOLE = 16 * 1024 * 1024;

function api(open: Open, first: 'http' | 'https' = 'http'): ScraperApi {
  let scheme = first;
  // Who was silent once is not waited for again: with thousands of pods it would be hours.
  let silent: Sent | undefined;

  async function read(path: string, onBytes: (chunk: Buffer) => void, limit: number): Promise<Sent> {
    if (silent !== undefined) return silent;
    const answered = await send(() => open(path, scheme), onBytes, limit);
    if (!answered.ok && answered.isLate) silent = answered;
    // What a TLS server says to plain http: Go's a 400, others a Status of the API server with what came.
    if (scheme === 'https' || answered.ok || !answered.isPerhapsTls) return answered;
    const again = await send(() => open(path, 'https'), onBytes, limit);
    // What Go's client says of a server that answers neither: the words of net/http and of crypto/tls.
    const isNoHttp = !again.ok && answered.body.includes('malformed HTTP') && again.body.includes('TLS handshake');
    if (!again.ok) return { ...answered, isNoHttp };
    scheme = 'https';
    return again;
  }

  return {
    async data(path) {
      const chunks: Buffer[] = [];
      const answered = await read(path, (chunk) => chunks.push(chunk), MAX_WHOLE);
      if (!answered.ok) return answered;
      return parse(() => JSON.parse(Buffer.concat(chunks).toString()));
    },
    async items(path, onItem) {
      // `{"status":…,"data":{"activeTargets":[…]}}`
      const reader = createItemReader(onItem, 3);
      let failure: unknown;
      const answered = await read(
        path,
        (chunk) => {
          try {
            if (failure === undefined) reader.push(chunk);
          } catch (error) {
            failure = error;
          }
        },
        MAX_ANSWER,
      );
      if (!answered.ok) return answered;
      return parse(() => {
        if (failure !== undefined) throw failure;
        return reader.end();
      });
    },
    async text(path) {
      const chunks: Buffer[] = [];
      const answered = await read(path, (chunk) => chunks.push(chunk), MAX_WHOLE);
      return answered.ok ? { ok: true, value: Buffer.concat(chunks).toString() } : answered;
    },
    async status(path) {
      const answered = await read(path, () => undefined, MAX_WHOLE);
      if (answered.ok) return 200;
      return answered.isNoHttp === true ? 'none' : answered.status;
    },
  };
}

/** What is needed where the answer is JSON, and another one's. */
export const OTHER_FORM = "an answer of Prometheus' form";

function parse(read: () => unknown): Result<JsonObject, string> {
  try {
    const answer = read();
    const data = objectIn(answer, 'data');
    if (objectIn({ answer }, 'answer')['status'] === 'success') return { ok: true, value: data };
    return { ok: false, error: OTHER_FORM };
  } catch (error) {
    if (error instanceof SyntaxError) return { ok: false, error: 'an answer in JSON: it is cut, or another page' };
    throw error;
  }
}

type Sent = { readonly ok: true; readonly value: undefined } | (Failed & { readonly ok: false });

interface Failed {
  readonly error: string;
  /** The HTTP status; undefined without an answer. */
  readonly status?: number;
  /** The beginning of an answer with another status than 200. */
  readonly body: string;
  readonly isPerhapsTls: boolean;
  /** Whether what listens there speaks neither HTTP nor HTTPS. */
  readonly isNoHttp?: boolean;
  /** Whether it took too long. */
  readonly isLate: boolean;
}

async function send(
  open: () => Promise<ClientRequest>,
  onBytes: (chunk: Buffer) => void,
  limit: number,
): Promise<Sent> {
  let request: ClientRequest | undefined;
  let isLate = false;
  const late = (what: string) => (): void => {
    isLate = true;
    request?.destroy(new Error(what));
  };
  const total = setTimeout(late(`no whole answer within ${TOTAL / 1000} s`), TOTAL);
  let silence = setTimeout(late(`nothing came for ${SILENCE / 1000} s`), SILENCE);
  try {
    const opened = await open();
    request = opened;
    const { status, refusal } = await new Promise<{ status: number; refusal: string }>((resolve, reject) => {
      opened.on('error', reject);
      // A server that switches protocols ends the request with neither answer nor error.
      opened.on('close', () => reject(new Error('the connection was closed')));
      opened.on('response', (response: IncomingMessage) => {
        let size = 0;
        let refusal = '';
        response.on('error', reject);
        response.on('data', (chunk: Buffer) => {
          silence.refresh();
          size += chunk.length;
          if (size > limit) opened.destroy(new Error(`the answer is larger than ${limit / 1024 / 1024} MiB`));
          else if (response.statusCode === 200) onBytes(chunk);
          else if (refusal.length < 1024) refusal += chunk.toString('latin1');
        });
        response.on('end', () => resolve({ status: response.statusCode ?? 0, refusal }));
      });
      opened.end();
    });
    if (status === 200) return { ok: true, value: undefined };
    return {
      ok: false,
      error: explainStatus(status, refusal),
      status,
      body: refusal,
      isPerhapsTls: /HTTPS server|malformed HTTP|EOF|reset/.test(refusal),
      isLate: false,
    };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { ok: false, error: `an answer: ${message}`, body: '', isPerhapsTls: false, isLate };
  } finally {
    clearTimeout(total);
    clearTimeout(silence);
  }
}

function explainStatus(status: number, body: string): string {
  // The API server's own refusal differs from the scraper's.
  if (status === 403 && body.includes('/proxy\\"')) return 'get on services/proxy and pods/proxy where it runs';
  if (status === 401 || status === 403)
    return `a login of the scraper: status ${status}; --prometheus URL with --prometheus-token-file`;
  if (status === 503 && body.includes('no endpoints')) return 'a running pod: its Service has none';
  if (body.includes('trying to reach service')) return 'a scraper that the API server reaches: it gets no connection';
  if (body.includes('Prometheus Agent')) return 'queries, which an agent does not answer: ask where it writes to';
  return `an answer with status 200: it is ${status}`;
}

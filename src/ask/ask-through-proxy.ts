import type { ClientRequest, IncomingMessage } from 'node:http';
import type { Place } from '../core/ask/redirect.ts';
import type { Verdict } from '../core/ask/verdict.ts';
import { member } from '../core/json.ts';
import { FIRST_BYTE_MS, TOTAL_MS } from './limits.ts';
import { only, readAnswer } from './bounded-get.ts';
import type { Asked, RequestTools } from './bounded-get.ts';
import { passedHeaders } from './scrape-headers.ts';

/** What asking through the API server needs from outside. */
export interface ProxyTools extends Pick<RequestTools, 'version' | 'after'> {
  /** Returns a GET of the path at the pod's port, which is not sent yet. */
  readonly open: (port: number, path: string, headers: Readonly<Record<string, string>>) => Promise<ClientRequest>;
  /** Returns what the API server has in front of the paths of the port. */
  readonly prefix: (port: number) => string;
}

/**
 * Sends one GET through the API server's proxy and judges the answer as {@link askOnce} does. The
 * pod sees another source address and another Host than a scraper's. Never throws; the promise is
 * fulfilled after ten seconds at the latest.
 */
export async function askThroughProxy(place: Place, path: string, tools: ProxyTools): Promise<Asked> {
  let client: ClientRequest;
  try {
    client = await tools.open(place.port, path, passedHeaders(tools.version));
  } catch {
    return only({ key: 'waiting' });
  }
  return new Promise((resolve) => {
    let answer: IncomingMessage | undefined;
    const cancels: (() => void)[] = [];
    function finish(asked: Asked, isRead = false): void {
      for (const cancel of cancels) cancel();
      if (!isRead) client.destroy();
      resolve(asked);
    }
    // The API server tries to connect for longer than that: whether the pod took the connection is
    // not known.
    cancels.push(
      tools.after(FIRST_BYTE_MS, () => answer === undefined && finish(only({ key: 'timeout' }))),
      tools.after(TOTAL_MS, () => finish(only({ key: 'too_slow', answered: true }))),
    );
    client.on('error', () => !answer?.complete && finish(only({ key: 'reset' })));
    client.on('upgrade', () => finish(only({ key: 'not_http' })));
    client.on('response', (response) => {
      answer = response;
      const failure = readFailure(response);
      readAnswer(
        response,
        place,
        path,
        (asked, isRead) => {
          const verdict = failure();
          finish(verdict === undefined ? asked : only(verdict), isRead);
        },
        (location) => withoutPrefix(location, tools.prefix(place.port)),
      );
    });
    client.end();
  });
}

/** Returns the location that the pod wrote: the API server puts its own path in front of it. */
function withoutPrefix(location: string, prefix: string): string {
  const path = location.replace(/^https?:\/\/[^/]*/, '');
  return path.startsWith(prefix) ? path.slice(prefix.length) : location;
}

/** In characters: a Status of the API server is much shorter. */
const MAX_FAILURE = 16 * 1024;

/**
 * Returns what returns, after the answer's end, the verdict where the API server wrote the answer
 * itself: a Status, because it did not reach the pod.
 */
function readFailure(answer: IncomingMessage): () => Verdict | undefined {
  if ((answer.statusCode ?? 0) < 400) return () => undefined;
  let text = '';
  answer.on('data', (chunk: Buffer) => {
    if (text.length < MAX_FAILURE) text += chunk.toString('latin1');
  });
  return () => {
    let status: unknown;
    try {
      status = JSON.parse(text);
    } catch {
      return undefined;
    }
    const message = member(status, 'message');
    const isStatus = member(status, 'kind') === 'Status' && member(status, 'apiVersion') === 'v1';
    return isStatus && typeof message === 'string' ? judgeFailure(message) : undefined;
  };
}

/** Returns what Go's words for a failed request say of the port: net/http, net. */
function judgeFailure(message: string): Verdict {
  if (message.includes('malformed HTTP')) return { key: message.includes(TLS_ALERT) ? 'https_only' : 'not_http' };
  if (message.includes('connection refused')) return { key: 'refused' };
  if (/EOF|reset by peer|broken pipe|closed/.test(message)) return { key: 'reset' };
  if (/time(?:d )?out|no route|unreachable|deadline/.test(message)) return { key: 'timeout' };
  return { key: 'waiting' };
}

/** A TLS server's alert, as Go quotes it: RFC 8446, 5.1. */
const TLS_ALERT = String.raw`\x15\x03`;

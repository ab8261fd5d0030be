import { request } from 'node:http';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { createGunzip } from 'node:zlib';
import { judgeAnswer } from '../core/ask/answer-judge.ts';
import type { AnswerJudge } from '../core/ask/answer-judge.ts';
import { redirectedPath } from '../core/ask/redirect.ts';
import type { Place } from '../core/ask/redirect.ts';
import type { Verdict } from '../core/ask/verdict.ts';
import { CONNECT_MS, FIRST_BYTE_MS, MAX_BODY, MAX_HEADERS, MAX_INTERIM, TOTAL_MS } from './limits.ts';
import { scrapeHeaders } from './scrape-headers.ts';

/** What a request needs from outside. */
export interface RequestTools {
  /** autoscrape's version, as the server sees it. */
  readonly version: string;
  /** Whether an address must not be asked: see refused-address.ts. */
  readonly refuses: (address: string) => boolean;
  /** Calls the action after so many milliseconds, unless the returned function is called before. */
  readonly after: (ms: number, action: () => void) => () => void;
}

/** What one request has shown. */
export interface Asked {
  readonly verdict: Verdict;
  /** Where the answer is a redirect within the same port: its path, which has been checked. */
  readonly redirect: string | undefined;
  /** A path of ours that the answer's looks suggest. */
  readonly suggested: string | undefined;
}

/**
 * Sends one GET as Prometheus 3 does, without the name service, a proxy, credentials or cookies, and judges the answer while it comes
 * in. Reads it to its end and then closes, since servers log answers that are cut off. Never throws: whatever the server does, the
 * promise is fulfilled after ten seconds at the latest, and what was read is gone.
 */
export function askOnce(place: Place, path: string, tools: RequestTools): Promise<Asked> {
  if (tools.refuses(place.address)) return Promise.resolve(only({ key: 'never_list' }));
  return new Promise((resolve) => {
    const socket = connect({ host: place.address, port: place.port });
    const cancels: (() => void)[] = [];
    function finish(asked: Asked, isRead = false): void {
      for (const cancel of cancels) cancel();
      // An answer that was read to its end is closed by the HTTP client, in order.
      if (!isRead) socket.destroy();
      resolve(asked);
    }
    function limit(ms: number, action: () => void): void {
      cancels.push(tools.after(ms, action));
    }
    limit(CONNECT_MS, () => {
      if (socket.connecting) finish(only({ key: 'timeout' }));
    });
    limit(FIRST_BYTE_MS, () => {
      if (socket.bytesRead === 0) finish(only({ key: 'too_slow', answered: false }));
    });
    limit(TOTAL_MS, () => finish(only({ key: 'too_slow', answered: socket.bytesRead > 0 })));
    socket.on('error', (error) => finish(only(judgeError(error))));
    socket.on('connect', () => {
      const client = send(socket, place, path, tools.version);
      let answer: IncomingMessage | undefined;
      // Prometheus' client ignores bytes behind the answer, too.
      client.on('error', (error) => !answer?.complete && finish(only(judgeError(error))));
      // The request asked for no other protocol.
      client.on('upgrade', () => finish(only({ key: 'not_http' })));
      let interim = 0;
      client.on('information', () => {
        if (++interim > MAX_INTERIM) finish(only({ key: 'not_http' }));
      });
      client.on('response', (response) => {
        answer = response;
        readAnswer(response, place, path, finish);
      });
    });
  });
}

function send(socket: Socket, place: Place, path: string, version: string): ClientRequest {
  const client = request({
    createConnection: () => socket,
    method: 'GET',
    path,
    headers: scrapeHeaders(place, version),
    setHost: false,
    maxHeaderSize: MAX_HEADERS,
  });
  // By default Node drops the headers after the two thousandth: bytes are limited already.
  client.maxHeadersCount = 0;
  client.end();
  return client;
}

/** Returns the verdict without anything that leads further. */
export function only(verdict: Verdict): Asked {
  return { verdict, redirect: undefined, suggested: undefined };
}

/** Takes the verdict, and whether the answer was read to its end. */
type Finish = (asked: Asked, isRead: boolean) => void;

/**
 * Reads an answer and judges it, and calls `finish` at its end. `relocate` returns the location that
 * the server wrote, where something in between has changed it.
 */
export function readAnswer(
  answer: IncomingMessage,
  place: Place,
  path: string,
  finish: Finish,
  relocate: (location: string) => string = (location) => location,
): void {
  const { statusCode: status = 0 } = answer;
  const written = firstHeader(answer, 'location');
  const location = written === undefined ? undefined : relocate(written);
  const redirect =
    FOLLOWED.includes(status) && location !== undefined ? redirectedPath(location, place, path) : undefined;
  const judge = judgeAnswer({
    status,
    contentType: firstHeader(answer, 'content-type'),
    fromLinkerd: firstHeader(answer, 'l5d-proxy-error') !== undefined,
  });
  const done = (verdict: Verdict, isRead: boolean): void =>
    finish({ verdict, redirect, suggested: judge.suggestedPath() }, isRead);
  answer.on('error', () => done({ key: 'reset' }, false));
  // Go's transport leaves decoding to Prometheus, which knows this word only, in this spelling.
  const coding = firstHeader(answer, 'content-encoding');
  if (coding === 'gzip') readGzip(answer, judge, done);
  else readPlain(answer, judge, coding === 'zstd', done);
}

/** Without 303, which names another resource. */
const FOLLOWED = [301, 302, 307, 308];

/** Returns the first header of that name, as Go's Header.Get does; Node would join several, or take the last. */
function firstHeader({ rawHeaders }: IncomingMessage, name: string): string | undefined {
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    if (rawHeaders[index]?.toLowerCase() === name) return rawHeaders[index + 1];
  }
  return undefined;
}

type Done = (verdict: Verdict, isRead: boolean) => void;

function readPlain(answer: IncomingMessage, judge: AnswerJudge, isUnreadable: boolean, done: Done): void {
  let length = 0;
  answer.on('data', (chunk: Buffer) => {
    length += chunk.length;
    if (length > MAX_BODY) done(judge.cutOff(), false);
    else judge.feed(chunk);
  });
  answer.on('end', () => done(isUnreadable ? judge.damaged() : judge.end(), true));
}

/** Decompresses while reading, and stops at the limit, so that a gzip bomb costs no more. */
function readGzip(answer: IncomingMessage, judge: AnswerJudge, done: Done): void {
  const gunzip = createGunzip();
  let received = 0;
  let inflated = 0;
  let damaged = false;
  const end = (verdict: Verdict, isRead: boolean): void => {
    gunzip.destroy();
    done(verdict, isRead);
  };
  answer.on('data', (chunk: Buffer) => {
    received += chunk.length;
    if (received > MAX_BODY) return end(judge.cutOff(), false);
    // What is damaged is read on, so that the server can end in order.
    if (!damaged && !gunzip.write(chunk)) answer.pause();
  });
  answer.on('end', () => {
    if (damaged) end(judge.damaged(), true);
    else gunzip.end();
  });
  // A connection that breaks off ends the inflating as well.
  answer.on('close', () => {
    if (!answer.complete) gunzip.destroy();
  });
  gunzip.on('drain', () => answer.resume());
  gunzip.on('data', (chunk: Buffer) => {
    inflated += chunk.length;
    if (inflated > MAX_BODY) end(judge.cutOff(), false);
    else judge.feed(chunk);
  });
  // Go refuses an empty body, and bytes behind the last gzip member. Node accepts both.
  gunzip.on('end', () => end(received === 0 || gunzip.bytesWritten < received ? judge.damaged() : judge.end(), true));
  gunzip.on('error', () => {
    damaged = true;
    if (answer.complete && answer.readableEnded) end(judge.damaged(), true);
    else answer.resume();
  });
}

/** Returns what an error of the connection or of the HTTP parser says of the port. */
function judgeError(error: Error): Verdict {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  if (code === 'ECONNREFUSED') return { key: 'refused' };
  if (code === 'HPE_HEADER_OVERFLOW') return { key: 'too_large', what: 'headers' };
  if (code.startsWith('HPE_')) return { key: startsAlert(error) ? 'https_only' : 'not_http' };
  if (code === 'ECONNRESET' || code === 'EPIPE' || code === 'ECONNABORTED') return { key: 'reset' };
  // No route, or a firewall's ICMP error: there was no connection.
  return { key: 'timeout' };
}

/** A TLS server's alert to somebody who speaks HTTP: RFC 8446, 5.1 and 6. */
function startsAlert(error: Error): boolean {
  const packet = 'rawPacket' in error && error.rawPacket instanceof Uint8Array ? error.rawPacket : new Uint8Array();
  return packet[0] === 0x15 && packet[1] === 0x03;
}

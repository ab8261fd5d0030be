import Fastify from 'fastify';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import type { Result } from '../core/result.ts';
import { limitConnections } from '../process/connection-limits.ts';
import { listen } from '../process/listen.ts';
import { withoutMessage } from '../process/log.ts';
import { byteBudget, readBody } from './request-body.ts';
import type { ReceivedBody } from './request-body.ts';
import type { Pair } from './certificate-files.ts';
import { createGcTrigger } from './garbage-collection.ts';
import type { ReviewAnswer, ReviewCall } from './handler.ts';
import type { HttpError } from './http-error.ts';
import * as limits from './request-limits.ts';
import { HTTP_ERROR_OUTCOMES } from './metrics.ts';
import type { WebhookMetrics } from './metrics.ts';

/** The oldest TLS version to accept. */
export type TlsVersion = '1.2' | '1.3';

/** What the server needs. */
export interface WebhookOptions {
  readonly pair: Pair;
  readonly tlsMinVersion: TlsVersion;
  /** The CA, in PEM, that has issued the certificate of each client that may call; without it anyone may. */
  readonly clientCa?: string | undefined;
  answer(call: ReviewCall): Result<ReviewAnswer, HttpError>;
  /** Returns whether the process is about to stop, so that each answer closes its connection. */
  isDraining(): boolean;
  readonly log: Logger;
  readonly metrics: WebhookMetrics;
  /** Most open connections; {@link limits.MAX_CONNECTIONS} unless a test needs fewer. */
  readonly maxConnections?: number;
}

/** The webhook's HTTPS server. */
export interface WebhookServer {
  /** Starts to listen and returns the port. Throws a UserError when the port is not available. */
  listen(host: string | undefined, port: number): Promise<number>;
  /** Sets the pair for new connections; open ones keep theirs. */
  setPair(pair: Pair): void;
  /** Sets the CA of clients for new connections, where there was one from the start. */
  setClientCa(ca: string): void;
  /** Refuses new connections. Resolves when every answer is sent, or `force` is aborted and all connections are closed. */
  close(force: AbortSignal): Promise<void>;
}

/** The paths of the webhook, and whether a call of it is about a namespace in an Istio mesh. */
const PATHS: ReadonlyMap<string, { readonly mesh: boolean }> = new Map([
  ['/mutate', { mesh: false }],
  ['/mutate/istio', { mesh: true }],
]);

// RFC 8259 §8.1: JSON between systems is UTF-8.
const JSON_TYPE = /^application\/json[ \t]*(;[ \t]*charset="?utf-8"?[ \t]*)?$/i;

/** Mozilla's intermediate list. Node disables TLS 1.3 where a list contains none of its cipher suites. */
const CIPHERS = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
].join(':');

/** Returns a webhook server that does not listen yet. */
export function createWebhookServer(options: WebhookOptions): WebhookServer {
  const { log, metrics } = options;
  let { pair: currentPair, clientCa } = options;
  const app = Fastify({
    https: {
      ...tlsOptions(options.pair, options.clientCa, options.tlsMinVersion),
      requestCert: options.clientCa !== undefined,
      headersTimeout: limits.HEADERS_MS,
      connectionsCheckingInterval: limits.CHECK_MS,
      handshakeTimeout: limits.HANDSHAKE_MS,
      ALPNProtocols: ['http/1.1'], // the only protocol that the API server uses for webhooks
    },
    requestTimeout: limits.REQUEST_MS,
    keepAliveTimeout: limits.KEEP_ALIVE_MS,
    return503OnClosing: false, // connections.close answers requests that are on their way
    exposeHeadRoutes: false,
    schemaController: { compilersFactory: { buildValidator: noSchema, buildSerializer: noSchema } },
    logger: false, // the handler logs each review; Fastify's own lines would quote requests
    // Fastify answers a path with an invalid escape itself, without our hooks. None of our paths is escaped.
    rewriteUrl: ({ url = '' }) => (/^[^?#]*%/.test(url) ? '/' : url),
  });
  const connections = limitConnections(app.server, {
    maxConnections: options.maxConnections ?? limits.MAX_CONNECTIONS,
    firstRequestMs: limits.FIRST_REVIEW_MS,
    answerMs: limits.ANSWER_MS,
    maxAgeMs: limits.MAX_AGE_MS,
    onDrop: metrics.connectionDropped,
  });
  const budget = byteBudget();
  const onBodyDone = createGcTrigger();

  /** Sends the answer. All answers come through here, so that no hook is needed. */
  function send(reply: FastifyReply, status: number, body: string): void {
    // A client that sent no valid review keeps no connection; the API server just opens another one.
    if (status !== 200 || options.isDraining() || connections.isPastMaxAge(reply.request.socket))
      reply.header('connection', 'close');
    // With the charset that Fastify would add after reading the type.
    reply.code(status).header('content-type', 'application/json; charset=utf-8').send(body);
  }
  function sendError(reply: FastifyReply, { status, message }: HttpError): void {
    metrics.requests.inc({ outcome: HTTP_ERROR_OUTCOMES[status], code: status });
    if (status === 503) {
      metrics.shed.inc();
      reply.header('retry-after', limits.RETRY_AFTER_SECONDS);
    }
    if (status === 405) reply.header('allow', 'POST');
    log.warn({ status, error: message }, 'request refused');
    send(reply, status, JSON.stringify({ error: message }));
  }

  // Raw bytes: Fastify's JSON parser refuses a whole review because of a key such as `__proto__`.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', (request, _payload, done) => {
    readBody(request.raw, budget, (body) => done(null, body));
  });
  app.addHook('onRequest', (request, reply, done) => {
    const error = checkHead(request);
    if (error === undefined) done();
    else readBody(request.raw, budget, () => sendError(reply, error), error);
  });
  app.addHook<{ Body?: ReceivedBody }>('onResponse', (request, _reply, done) => {
    // Received, not declared: otherwise 150 bytes that declare 4 MB would cost 40 ms of collecting garbage.
    onBodyDone(request.body?.receivedBytes ?? 0);
    done();
  });
  app.setErrorHandler((error, _request, reply) => {
    metrics.requests.inc({ outcome: 'error', code: 500 });
    log.error(withoutMessage(error), 'request failed (a bug)');
    send(reply, 500, '{"error":"internal error"}');
  });
  for (const [path, { mesh }] of PATHS) {
    app.post<{ Body: ReceivedBody }>(path, ({ body, socket }, reply) => {
      if (!body.ok) return sendError(reply, body.error);
      const { bytes, start } = body.value;
      let answer: Result<ReviewAnswer, HttpError>;
      try {
        answer = options.answer({ body: bytes, mesh, start });
      } finally {
        body.value.release();
      }
      if (!answer.ok) return sendError(reply, answer.error);
      const { outcome, review } = answer.value;
      const milliseconds = performance.now() - start;
      // It is written when this returns; the API server waits for nothing that follows.
      send(reply, 200, review);
      connections.markValid(socket);
      metrics.requests.inc({ outcome, code: 200 });
      metrics.duration.observe(milliseconds / 1000);
      try {
        answer.value.record();
      } catch (error) {
        // Fastify would drop it in silence: its answer to an error is the one that is sent already.
        log.error(withoutMessage(error), 'recording a review failed (a bug), its answer was sent');
      }
      return undefined;
    });
  }

  return {
    async listen(host, port) {
      await app.ready();
      return listen(app.server, { host, port, flag: '--port' });
    },
    setPair(pair) {
      currentPair = pair;
      app.server.setSecureContext(tlsOptions(currentPair, clientCa, options.tlsMinVersion));
    },
    setClientCa(ca) {
      clientCa = ca;
      app.server.setSecureContext(tlsOptions(currentPair, clientCa, options.tlsMinVersion));
    },
    close: (force) => connections.close(force),
  };
}

/** In place of Fastify's own compilers of JSON schemas, which it would load: 3 MiB. */
function noSchema(): never {
  throw new Error('no route has a schema');
}

/** Returns all options of TLS: setSecureContext resets each one that it isn't given, such as minVersion. */
function tlsOptions({ certificate, key }: Pair, clientCa: string | undefined, minVersion: TlsVersion) {
  const pair = { cert: certificate, key, ...(clientCa !== undefined && { ca: clientCa }) };
  return { ...pair, minVersion: `TLSv${minVersion}`, ciphers: CIPHERS, honorCipherOrder: true } as const;
}

/** Returns the error of a request whose path, method or headers are wrong; or undefined. */
function checkHead({ method, url, headers }: FastifyRequest): HttpError | undefined {
  const path = url.replace(/[?#].*/s, '');
  if (!PATHS.has(path)) return { status: 404, message: `not found: use ${[...PATHS.keys()].join(' or ')}` };
  if (method !== 'POST') return { status: 405, message: 'method not allowed: use POST' };
  if (!JSON_TYPE.test(headers['content-type'] ?? ''))
    return { status: 415, message: 'the content type must be application/json' };
  if ((headers['content-encoding'] ?? 'identity') !== 'identity')
    return { status: 415, message: 'the body must not be compressed' };
  return undefined;
}

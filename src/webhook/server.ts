import Fastify from 'fastify';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import { trackConnections } from '../process/connections.ts';
import { listen } from '../process/listen.ts';
import { withoutMessage } from '../process/log.ts';
import { byteBudget, readBody } from './body.ts';
import type { Body, RefusedBody } from './body.ts';
import type { Pair } from './certificate.ts';
import { garbageCollector } from './gc.ts';
import type { Answer, Call } from './handler.ts';
import * as limits from './limits.ts';
import { REFUSED } from './metrics.ts';
import type { WebhookMetrics } from './metrics.ts';
import { isRefusal } from './refusal.ts';
import type { Refusal } from './refusal.ts';

/** The oldest TLS version to accept. */
export type TlsVersion = '1.2' | '1.3';

/** What the server needs. */
export interface WebhookOptions {
  readonly pair: Pair;
  readonly tlsMinVersion: TlsVersion;
  readonly answer: (call: Call) => Answer | Refusal;
  /** Whether every answer should be its connection's last, because the process is about to stop. */
  readonly isDraining: () => boolean;
  readonly log: Logger;
  readonly metrics: WebhookMetrics;
  /** Open connections at most; {@link limits.MAX_CONNECTIONS} unless a test needs fewer. */
  readonly maxConnections?: number;
}

/** The webhook's HTTPS server. */
export interface WebhookServer {
  /** The port that is listened on from now on. Throws a UserError when it can't be had. */
  readonly listen: (host: string | undefined, port: number) => Promise<number>;
  /** New connections get this pair; open ones keep theirs. */
  readonly usePair: (pair: Pair) => void;
  /** Refuses new connections, and resolves when the last answer is out, or all are cut off because `cut` is aborted. */
  readonly close: (cut: AbortSignal) => Promise<void>;
}

/** The paths, and whether they mean that the pod's namespace is in an Istio mesh. */
const PATHS: ReadonlyMap<string, { readonly mesh: boolean }> = new Map([
  ['/mutate', { mesh: false }],
  ['/mutate/istio', { mesh: true }],
]);

// RFC 8259 §8.1: JSON between systems is UTF-8.
const JSON_TYPE = /^application\/json[ \t]*(;[ \t]*charset="?utf-8"?[ \t]*)?$/i;

/** Mozilla's intermediate list. Node takes TLS 1.3 away where a list names none of its suites. */
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

/** A webhook server that does not listen yet. */
export function createWebhookServer(options: WebhookOptions): WebhookServer {
  const { answer, isDraining, log, metrics } = options;
  const app = Fastify({
    https: {
      ...secureContext(options.pair, options.tlsMinVersion),
      headersTimeout: limits.HEADERS_MILLISECONDS,
      connectionsCheckingInterval: limits.CHECK_MILLISECONDS,
      handshakeTimeout: limits.HANDSHAKE_MILLISECONDS,
      ALPNProtocols: ['http/1.1'], // all that the API server speaks to webhooks
    },
    requestTimeout: limits.REQUEST_MILLISECONDS,
    keepAliveTimeout: limits.KEEP_ALIVE_MILLISECONDS,
    return503OnClosing: false, // connections.close has its own order
    exposeHeadRoutes: false,
    logger: false, // one line a review comes from the handler, and no other may quote a request
    // A path with half an escape in it gets an answer of Fastify's own, past all hooks. None of ours is escaped.
    rewriteUrl: ({ url = '' }) => (/^[^?#]*%/.test(url) ? '/' : url),
  });
  const connections = trackConnections(app.server, {
    limit: options.maxConnections ?? limits.MAX_CONNECTIONS,
    proofMilliseconds: limits.PROOF_MILLISECONDS,
    exchangeMilliseconds: limits.EXCHANGE_MILLISECONDS,
    maxAgeMilliseconds: limits.MAX_AGE_MILLISECONDS,
    onDrop: metrics.connectionDropped,
  });
  const budget = byteBudget();
  const doneWith = garbageCollector();

  function refuse(reply: FastifyReply, { status, message }: Refusal): void {
    metrics.requests.inc({ outcome: REFUSED[status], code: status });
    if (status === 503) {
      metrics.shed.inc();
      reply.header('retry-after', limits.RETRY_AFTER_SECONDS);
    }
    if (status === 405) reply.header('allow', 'POST');
    log.warn({ status, error: message }, 'refused');
    send(reply, status, JSON.stringify({ error: message }));
  }

  // The bytes as they came: Fastify's JSON parser refuses a whole review for a key such as `__proto__` in it.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (request, _payload, done) => {
    readBody(request.raw, budget).then((body) => done(null, body), done);
  });
  app.addHook('onRequest', (request, reply, done) => {
    const refusal = refusalByHead(request);
    if (refusal === undefined) done();
    else readBody(request.raw, budget, refusal).then(() => refuse(reply, refusal), done);
  });
  app.addHook('onSend', (request, reply, _payload, done) => {
    // Whoever sent no review has nothing to gain from staying, and the API server opens another connection.
    if (reply.statusCode !== 200 || isDraining() || connections.isPastItsAge(request.socket))
      reply.header('connection', 'close');
    done();
  });
  app.addHook<{ Body?: Body | RefusedBody }>('onResponse', (request, _reply, done) => {
    // Not what was declared: 150 bytes that announce 4 MB would cost 40 ms.
    doneWith(request.body?.received ?? 0);
    done();
  });
  app.setErrorHandler((error, _request, reply) => {
    metrics.requests.inc({ outcome: 'error', code: 500 });
    log.error(withoutMessage(error), 'bug: a request was not answered');
    send(reply, 500, '{"error":"internal error"}');
  });
  for (const [path, { mesh }] of PATHS) {
    app.post<{ Body: Body | RefusedBody }>(path, ({ body, socket }, reply) => {
      if (isRefusal(body)) return refuse(reply, body);
      const { bytes, start } = body;
      let result: Answer | Refusal;
      try {
        result = answer({ body: bytes, mesh, start });
      } finally {
        body.release();
      }
      if (isRefusal(result)) return refuse(reply, result);
      connections.prove(socket);
      metrics.requests.inc({ outcome: result.outcome, code: 200 });
      metrics.duration.observe((performance.now() - start) / 1000);
      return send(reply, 200, result.review);
    });
  }

  return {
    async listen(host, port) {
      await app.ready();
      return listen(app.server, { host, port, flag: '--port' });
    },
    usePair(pair) {
      app.server.setSecureContext(secureContext(pair, options.tlsMinVersion));
    },
    close: connections.close,
  };
}

function send(reply: FastifyReply, status: number, body: string): void {
  reply.code(status).type('application/json').send(body);
}

/** All that decides about TLS: setSecureContext forgets what it isn't told again, such as minVersion. */
function secureContext({ certificate, key }: Pair, minVersion: TlsVersion) {
  return { cert: certificate, key, minVersion: `TLSv${minVersion}`, ciphers: CIPHERS, honorCipherOrder: true } as const;
}

/** Why a request is refused before its body is looked at, or undefined. */
function refusalByHead({ method, url, headers }: FastifyRequest): Refusal | undefined {
  const path = url.replace(/[?#].*/s, '');
  if (!PATHS.has(path)) return { status: 404, message: `reviews are answered at ${[...PATHS.keys()].join(' and ')}` };
  if (method !== 'POST') return { status: 405, message: 'reviews come by POST' };
  if (!JSON_TYPE.test(headers['content-type'] ?? ''))
    return { status: 415, message: 'the content type must be application/json' };
  if ((headers['content-encoding'] ?? 'identity') !== 'identity')
    return { status: 415, message: 'the body must not be compressed' };
  return undefined;
}

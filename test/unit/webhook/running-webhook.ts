import type { TestContext } from 'node:test';
import { createAuthority } from '../../../src/webhook/certificate-authority.ts';
import type { Authority } from '../../../src/webhook/certificate-authority.ts';
import type { Rules } from '../../../src/core/rules/parse.ts';
import { createLog } from '../../../src/process/log.ts';
import { createRegistry } from '../../../src/process/metrics.ts';
import { defaultRules } from '../../../src/rules/shipped.ts';
import { pairLoader } from '../../../src/webhook/certificate-files.ts';
import type { Pair } from '../../../src/webhook/certificate-files.ts';
import { answerReview } from '../../../src/webhook/handler.ts';
import type { Handler } from '../../../src/webhook/handler.ts';
import { createWebhookMetrics } from '../../../src/webhook/metrics.ts';
import { createWebhookServer } from '../../../src/webhook/server.ts';
import type { TlsVersion, WebhookOptions, WebhookServer } from '../../../src/webhook/server.ts';
import { post } from '../../harness/autoscrape/client.ts';
import type { CallOptions, Reply, Target } from '../../harness/autoscrape/client.ts';

/** The settings of a test. */
export interface Setting {
  readonly rules?: Rules;
  readonly observe?: boolean;
  readonly ask?: boolean;
  readonly tlsMinVersion?: TlsVersion;
  readonly clientCa?: string;
  readonly isDraining?: () => boolean;
  readonly maxConnections?: number;
  /** Answers instead of the handler. */
  readonly answer?: WebhookOptions['answer'];
}

/** A webhook in this process, over real TLS. */
export interface RunningWebhook extends Target {
  readonly server: WebhookServer;
  readonly authority: Authority;
  /** The lines logged so far. */
  readonly lines: readonly string[];
  /** Sends a body: bytes and strings unchanged, any other value as JSON. */
  readonly call: (body: unknown, options?: CallOptions) => Promise<Reply>;
  /** The metrics page. */
  readonly metrics: () => Promise<string>;
}

/** Starts a webhook on a free port. It is closed at the end of the test, if there is one. */
export async function startWebhook(t?: TestContext, setting: Setting = {}): Promise<RunningWebhook> {
  const authority = createAuthority();
  const lines: string[] = [];
  const { registry, ...handler } = newHandler(setting, (line) => lines.push(line));
  const server = createWebhookServer({
    pair: newPair(authority),
    tlsMinVersion: setting.tlsMinVersion ?? '1.3',
    clientCa: setting.clientCa,
    answer: setting.answer ?? ((call) => answerReview(handler, call)),
    isDraining: setting.isDraining ?? (() => false),
    log: handler.log,
    metrics: handler.metrics,
    ...(setting.maxConnections !== undefined && { maxConnections: setting.maxConnections }),
  });
  const port = await server.listen('127.0.0.1', 0);
  t?.after(() => server.close(AbortSignal.abort()));
  const target = { port, ca: authority.certificate };
  return {
    ...target,
    server,
    authority,
    lines,
    call: (body, options) =>
      post(target, typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body), options),
    metrics: () => registry.metrics(),
  };
}

/** Returns a handler with its own registry. */
export function newHandler(
  { rules = defaultRules(), observe = false, ask = false }: Setting = {},
  write: (line: string) => void = () => {},
) {
  const registry = createRegistry();
  const handler: Handler = {
    rules: () => rules,
    observe,
    ask,
    log: createLog('debug', { write }),
    metrics: createWebhookMetrics(registry),
  };
  return { registry, ...handler };
}

/** Returns a new pair for localhost, loaded as the webhook loads one. */
export function newPair(authority: Authority): Pair {
  const { certificate, key } = authority.issue({ names: ['localhost', '127.0.0.1'] });
  const loaded = pairLoader('.')([Buffer.from(certificate), Buffer.from(key)], undefined);
  if (!loaded.ok) throw new Error(loaded.error);
  return loaded.value;
}

import { Counter, Gauge, Histogram } from '@prometheus-io/client';
import type { Registry } from '@prometheus-io/client';
import { createDropCounter } from '../process/connection-limits.ts';
import { NO_ENDPOINT, REASONS } from '../core/skip-reason.ts';
import type { SkipReason } from '../core/skip-reason.ts';
import type { Rules } from '../core/rules/parse.ts';
import type { HttpError } from './http-error.ts';

/** How a request to the webhook ended. */
export type Outcome =
  /** A patch was sent. */
  | 'annotate'
  /** The pod was allowed unchanged. */
  | 'skip'
  /** A patch would have been sent, but the webhook runs with --observe. */
  | 'observe'
  /** A bug was caught, and the pod allowed unchanged. */
  | 'error'
  /** The request was not a readable review: a 4xx. */
  | 'refuse'
  /** Too many bytes were in flight, the client should retry: a 503. */
  | 'shed';

/** The outcome that is counted for each HTTP error. */
export const HTTP_ERROR_OUTCOMES: Readonly<Record<HttpError['status'], Outcome>> = {
  400: 'refuse',
  404: 'refuse',
  405: 'refuse',
  413: 'refuse',
  415: 'refuse',
  503: 'shed',
};

/** What the webhook counts and measures. */
export type WebhookMetrics = ReturnType<typeof createWebhookMetrics>;

/**
 * Returns the webhook's metrics, registered. No label takes a value from a request: rules come from
 * the rules file, reasons from the program. So the number of series is bounded whatever is sent.
 */
export function createWebhookMetrics(registry: Registry) {
  const registers = [registry];
  const metrics = {
    requests: new Counter({
      name: 'autoscrape_admission_requests_total',
      help: 'Requests to the webhook, by outcome (annotate, skip, observe, error, refuse, shed) and HTTP status.',
      labelNames: ['outcome', 'code'] as const,
      registers,
    }),
    decisions: new Counter({
      name: 'autoscrape_admission_decisions_total',
      help: 'Decisions about pods that are being created, by outcome, reason of a skip, and rule that matched.',
      labelNames: ['outcome', 'reason', 'rule'] as const,
      registers,
    }),
    duration: new Histogram({
      name: 'autoscrape_admission_duration_seconds',
      help: 'Time from the headers of a request to its answer.',
      // A review takes about 0.2 ms; the API server waits for seconds.
      buckets: [0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1],
      registers,
    }),
    shed: new Counter({
      name: 'autoscrape_shed_total',
      help: 'Requests that got a 503 because too many request bytes were in flight.',
      registers,
    }),
    connectionDropped: createDropCounter(registry, 'webhook', ['limit', 'handshake', 'client_certificate', 'timeout']),
    certificateNotAfter: new Gauge({
      name: 'autoscrape_tls_certificate_not_after_timestamp_seconds',
      help: 'Unix time at which the certificate in use expires.',
      registers,
    }),
    certificateReloads: new Counter({
      name: 'autoscrape_tls_reload_total',
      help: 'Attempts to reload a changed certificate or client CA, by result; a fault counts again every ten seconds while it lasts.',
      labelNames: ['result'] as const,
      registers,
    }),
    rulesReloads: new Counter({
      name: 'autoscrape_config_reload_total',
      help: 'Attempts to reload a changed rules file, by result; a fault counts again every ten seconds while it lasts.',
      labelNames: ['result'] as const,
      registers,
    }),
  };
  // All series begin at 0: increase() misses what a series counts before its first scrape, and a
  // missing series is not 0 in an expression.
  for (const outcome of ['annotate', 'skip', 'observe', 'error'] as const)
    metrics.requests.inc({ outcome, code: 200 }, 0);
  metrics.requests.inc({ outcome: 'error', code: 500 }, 0);
  for (const [code, outcome] of Object.entries(HTTP_ERROR_OUTCOMES)) metrics.requests.inc({ outcome, code }, 0);
  for (const result of ['success', 'error']) {
    metrics.certificateReloads.inc({ result }, 0);
    metrics.rulesReloads.inc({ result }, 0);
  }
  return metrics;
}

/** The reasons that are counted with the rule that matched. */
const WITH_RULE: ReadonlySet<string> = new Set([
  ...NO_ENDPOINT,
  'https_endpoint',
  'mesh_https',
  'to_be_asked',
] satisfies SkipReason[]);

/** Initialises to 0 the counters of all decisions that these rules can make. */
export function initDecisionCounters({ decisions }: WebhookMetrics, { rules, https }: Rules, ask: boolean): void {
  const matching = rules.filter(({ exclude }) => exclude === undefined).map(({ name }) => name);
  const named = [...matching, 'annotation', 'label'];
  for (const rule of named) {
    decisions.inc({ outcome: 'annotate', rule }, 0);
    decisions.inc({ outcome: 'skip', reason: 'mesh_https', rule }, 0);
    if (!https) decisions.inc({ outcome: 'skip', reason: 'https_endpoint', rule }, 0);
  }
  for (const { name } of rules.filter(({ confirm }) => ask && confirm))
    decisions.inc({ outcome: 'skip', reason: 'to_be_asked', rule: name }, 0);
  for (const { name, exclude } of rules) {
    for (const reason of exclude === undefined ? NO_ENDPOINT : [exclude])
      decisions.inc({ outcome: 'skip', reason, rule: name }, 0);
  }
  for (const reason of Object.keys(REASONS)) {
    if (!WITH_RULE.has(reason)) decisions.inc({ outcome: 'skip', reason }, 0);
  }
}

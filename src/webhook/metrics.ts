import { Counter, Gauge, Histogram } from '@prometheus-io/client';
import type { Registry } from '@prometheus-io/client';
import { countDrops } from '../process/connections.ts';
import { REASONS } from '../core/reason.ts';
import type { SkipReason } from '../core/reason.ts';
import type { Rules } from '../core/rules/parse.ts';
import type { Refusal } from './refusal.ts';

/** How a request to the webhook ended. */
export type Outcome =
  /** A patch was sent. */
  | 'annotate'
  /** The pod was let through as it is. */
  | 'skip'
  /** A patch would have been sent, had the webhook not been told only to observe. */
  | 'observe'
  /** A bug was caught, and the pod let through as it is. */
  | 'error'
  /** It was no review that can be answered: a 4xx. */
  | 'refuse'
  /** It was asked to come again, because too much was going on: a 503. */
  | 'shed';

/** How a request ended that is refused with a status. */
export const REFUSED: Readonly<Record<Refusal['status'], Outcome>> = {
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
 * The webhook's metrics, registered. No label takes a value from a request: rules come from the rules file, reasons
 * from the program. So the number of series is bounded whatever is sent.
 */
export function createWebhookMetrics(registry: Registry) {
  const registers = [registry];
  const metrics = {
    requests: new Counter({
      name: 'autoscrape_admission_requests_total',
      help: 'Requests to the webhook by how they ended (annotate, skip, observe, error, refuse, shed) and HTTP status.',
      labelNames: ['outcome', 'code'] as const,
      registers,
    }),
    decisions: new Counter({
      name: 'autoscrape_admission_decisions_total',
      help: 'Decisions about pods that are being created, by outcome, the reason of a skip, and the rule that found the endpoint.',
      labelNames: ['outcome', 'reason', 'rule'] as const,
      registers,
    }),
    duration: new Histogram({
      name: 'autoscrape_admission_duration_seconds',
      help: 'Time from the headers of a request to its answer.',
      // A review takes some 0.2 ms, and the API server's patience is measured in seconds.
      buckets: [0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1],
      registers,
    }),
    shed: new Counter({
      name: 'autoscrape_shed_total',
      help: 'Requests that were asked to come again, because the bodies being received held all the memory for them.',
      registers,
    }),
    connectionDropped: countDrops(registry, 'webhook', ['limit', 'handshake', 'timeout']),
    certificateNotAfter: new Gauge({
      name: 'autoscrape_tls_certificate_not_after_timestamp_seconds',
      help: 'Unix time at which the certificate in use expires.',
      registers,
    }),
    certificateReloads: new Counter({
      name: 'autoscrape_tls_reload_total',
      help: 'Attempts to take over a changed certificate, by result; a fault counts again every ten seconds while it lasts.',
      labelNames: ['result'] as const,
      registers,
    }),
    rulesReloads: new Counter({
      name: 'autoscrape_config_reload_total',
      help: 'Attempts to take over a changed rules file, by result; a fault counts again every ten seconds while it lasts.',
      labelNames: ['result'] as const,
      registers,
    }),
  };
  // A series that is born with the first thing it counts hides that from increase(), and none at all is not 0: begin at 0.
  for (const outcome of ['annotate', 'skip', 'observe', 'error'] as const)
    metrics.requests.inc({ outcome, code: 200 }, 0);
  metrics.requests.inc({ outcome: 'error', code: 500 }, 0);
  for (const [code, outcome] of Object.entries(REFUSED)) metrics.requests.inc({ outcome, code }, 0);
  for (const result of ['success', 'error']) {
    metrics.certificateReloads.inc({ result }, 0);
    metrics.rulesReloads.inc({ result }, 0);
  }
  return metrics;
}

/** The reasons that are given with the rule that found what is not annotated. */
const WITH_RULE: ReadonlySet<string> = new Set(['switched_off', 'https_endpoint', 'mesh_https'] satisfies SkipReason[]);

/** Has the decisions that these rules can come to counted from 0 on. */
export function beginDecisions({ decisions }: WebhookMetrics, { rules, https }: Rules): void {
  const finders = rules.filter(({ exclude }) => !exclude).map(({ name }) => name);
  const named = [...finders, 'annotation', 'label'];
  for (const rule of named) {
    decisions.inc({ outcome: 'annotate', rule }, 0);
    decisions.inc({ outcome: 'skip', reason: 'mesh_https', rule }, 0);
    if (!https) decisions.inc({ outcome: 'skip', reason: 'https_endpoint', rule }, 0);
  }
  for (const { name } of rules) decisions.inc({ outcome: 'skip', reason: 'switched_off', rule: name }, 0);
  for (const reason of Object.keys(REASONS)) {
    if (!WITH_RULE.has(reason)) decisions.inc({ outcome: 'skip', reason }, 0);
  }
}

import { Counter, Gauge } from '@prometheus-io/client';
import type { Registry } from '@prometheus-io/client';
import { VERDICTS } from '../core/ask/verdict.ts';
import { SUSPECTS } from '../core/suspect-annotations.ts';
import type { SuspectKind } from '../core/suspect-annotations.ts';
import type { VerdictKey } from '../core/ask/verdict.ts';
import type { Applied } from './patch-pod.ts';
import type { Failure } from '../kube/client.ts';

/** What the reconciler counts. Labels are few and bounded: never a namespace's or a pod's name. */
export interface ReconcileMetrics {
  response(method: string, status: number): void;
  failed(operation: string, failure: Failure): void;
  applied(result: Applied['result']): void;
  missed(): void;
  /** A request to a pod had this verdict. */
  asked(verdict: VerdictKey): void;
  leading(isLeader: boolean): void;
  fullPass(unixSeconds: number): void;
  rulesReloaded(result: 'success' | 'error'): void;
}

/** The state at the time of a scrape. */
export interface ReconcileState {
  namespaces(): number;
  /** Number of pods by plan: `annotate`, `refused`, or the reason why they are skipped. */
  pods(): ReadonlyMap<string, number>;
  /** Number of pods whose own annotations are suspect, by what is suspect. */
  suspects?(): ReadonlyMap<SuspectKind, number>;
  /** Number of workloads that are asked, by result; undefined where asking is off. */
  workloads?(): ReadonlyMap<string, number> | undefined;
}

/** What requests are for. */
const OPERATIONS = [
  'list namespaces',
  'watch namespaces',
  'list pods',
  'watch pods',
  'patch pods',
  'get pods',
  'list services',
  'watch services',
  'lease',
  'check guard',
] as const;

/**
 * The statuses of requests that fail: no response, no rights, not found, conflict, gone, invalid,
 * too many, a fault or an outage. A series that appears with its first failure hides that failure
 * from increase(), so these begin at 0.
 */
const LIKELY_CODES = ['0', '401', '403', '404', '409', '410', '422', '429', '500', '502', '503', '504'] as const;

/** Registers the reconciler's metrics and returns them. */
export function createReconcileMetrics(registry: Registry, state: ReconcileState): ReconcileMetrics {
  const registers = [registry];
  const namespaces = new Gauge({
    name: 'autoscrape_reconcile_namespaces',
    help: 'Opted-in namespaces that are watched.',
    registers: [],
    collect() {
      this.set(state.namespaces());
    },
  });
  const pods = new Gauge({
    name: 'autoscrape_reconcile_pods',
    help: 'Pods in opted-in namespaces: to annotate, refused by the API server, or the reason why they are skipped.',
    labelNames: ['plan'],
    registers: [],
    collect() {
      this.reset();
      for (const [plan, count] of state.pods()) this.set({ plan }, count);
    },
  });
  const suspects = new Gauge({
    name: 'autoscrape_reconcile_suspect_annotations',
    help: 'Pods in opted-in namespaces whose own scrape annotations are probably wrong, by what is; explain says more.',
    labelNames: ['kind'],
    registers: [],
    collect() {
      const counts = state.suspects?.();
      for (const kind of SUSPECTS) this.set({ kind }, counts?.get(kind) ?? 0);
    },
  });
  const requests = new Counter({
    name: 'autoscrape_reconcile_api_requests_total',
    help: 'Requests to the API server, by HTTP status; code 0: there was no response.',
    labelNames: ['method', 'code'],
    registers,
  });
  const failures = new Counter({
    name: 'autoscrape_reconcile_failures_total',
    help: 'Requests that failed and are retried, by what they were for; code 0: there was no response.',
    labelNames: ['operation', 'code'],
    registers,
  });
  for (const operation of OPERATIONS) {
    for (const code of LIKELY_CODES) failures.inc({ operation, code }, 0);
  }
  const changes = new Counter({
    name: 'autoscrape_reconcile_changes_total',
    help: 'Changes of pods that were attempted, by result.',
    labelNames: ['action', 'result'],
    registers,
  });
  // A series that appears with its first failure hides that failure from increase(): begin at 0.
  for (const result of ['done', 'superseded', 'gone', 'refused', 'failed'])
    changes.inc({ action: 'annotate', result }, 0);
  const missed = new Counter({
    name: 'autoscrape_reconcile_missed_by_webhook_total',
    help: 'Pods created in an opted-in namespace while it was watched, which the reconciler annotated instead of the webhook.',
    registers,
  });
  const workloads = new Gauge({
    name: 'autoscrape_ask_workloads',
    help: 'Workloads that are asked for metrics over HTTP, by the last result; each is asked at one of its pods.',
    labelNames: ['result'],
    registers: [],
    collect() {
      this.reset();
      for (const [result, count] of state.workloads?.() ?? []) this.set({ result }, count);
    },
  });
  const asked = new Counter({
    name: 'autoscrape_ask_requests_total',
    help: 'HTTP requests to pods that ask for metrics, by verdict.',
    labelNames: ['verdict'],
    registers,
  });
  for (const verdict of Object.keys(VERDICTS)) {
    if (verdict !== 'never_list' && verdict !== 'waiting') asked.inc({ verdict }, 0); // no request has these
  }
  const leader = new Gauge({
    name: 'autoscrape_reconcile_leader',
    help: '1 for the leader, 0 for a replica that stands by.',
    registers,
  });
  const lastPass = new Gauge({
    name: 'autoscrape_reconcile_last_full_pass_timestamp_seconds',
    help: 'Unix time of the last full pass: since then every opted-in namespace was listed and each pod attempted; 0: none yet.',
    registers,
  });
  const reloads = new Counter({
    name: 'autoscrape_config_reload_total', // the webhook has it too, so that one alert serves both
    help: 'Attempts to reload a changed rules file, by result; a fault counts again every ten seconds while it lasts.',
    labelNames: ['result'],
    registers,
  });
  for (const result of ['success', 'error']) reloads.inc({ result }, 0);
  for (const metric of [namespaces, pods, suspects, workloads]) registry.registerMetric(metric);
  return {
    response: (method, status) => requests.inc({ method, code: String(status) }),
    failed: (operation, { status }) => failures.inc({ operation, code: String(status) }),
    applied: (result) => changes.inc({ action: 'annotate', result }),
    missed: () => missed.inc(),
    asked: (verdict) => asked.inc({ verdict }),
    leading: (isLeader) => leader.set(isLeader ? 1 : 0),
    fullPass: (unixSeconds) => lastPass.set(unixSeconds),
    rulesReloaded: (result) => reloads.inc({ result }),
  };
}

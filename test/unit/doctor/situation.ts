import assert from 'node:assert/strict';
import type { Verdict } from '../../../src/core/ask/verdict.ts';
import type { FoundEndpoint } from '../../../src/doctor/endpoint/ask-endpoint.ts';
import type { FoundScrapers } from '../../../src/doctor/scraper/find-scrapers.ts';
import { diagnose } from '../../../src/doctor/diagnose-pod.ts';
import type { Diagnosing } from '../../../src/doctor/diagnose-pod.ts';
import type { PodReport } from '../../../src/doctor/finding.ts';
import { renderDiagnosis } from '../../../src/doctor/render.ts';
import type { ScraperState } from '../../../src/doctor/scraper/read-scraper.ts';
import { countTimeouts } from '../../../src/doctor/scraper/timeouts.ts';
import { seriesReader } from '../../../src/doctor/scraper/series.ts';
import { readJobs, readsAnnotation } from '../../../src/doctor/scraper/loaded-configuration.ts';
import type { ScraperApi } from '../../../src/doctor/scraper/scraper-api.ts';
import type { ClusterReader } from '../../../src/doctor/object-cache.ts';
import type { Rules } from '../../../src/core/rules/parse.ts';
import type { JsonObject } from '../../../src/core/json.ts';
import type { Dropped, Target } from '../../../src/doctor/scraper/prometheus-targets.ts';
import { relate } from '../../../src/explain/related-objects.ts';
import { findSelectors } from '../../../src/manifest/release-selectors.ts';
import { readWorkloads } from '../../../src/manifest/workload.ts';
import { defaultRules } from '../../../src/rules/shipped.ts';

// What doctor's tests look at: one pod, what a Prometheus says of it, and objects around it.

export const NOW = Date.parse('2026-01-01T01:00:00Z');
const rules = defaultRules();
export const WRITTEN = { 'prometheus.io/scrape': 'true', 'prometheus.io/port': '8080' };
const PORTS = [{ name: 'metrics', containerPort: 8080 }];

interface PodWords {
  readonly annotations?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
  readonly ports?: readonly object[];
  readonly status?: object;
  readonly metadata?: object;
  readonly sidecar?: string;
}

export function pod({ annotations = WRITTEN, labels = {}, ports = PORTS, status, metadata, sidecar }: PodWords = {}) {
  return {
    metadata: {
      name: 'orders-1',
      uid: 'u1',
      labels,
      annotations,
      creationTimestamp: '2026-01-01T00:00:00Z',
      ...metadata,
    },
    spec: {
      containers: [{ name: 'app', image: 'app:1', ports }, ...(sidecar === undefined ? [] : [{ name: sidecar }])],
    },
    status: { phase: 'Running', podIP: '10.1.2.3', ...status },
  };
}

const OPTED_IN = { metadata: { name: 'shop', labels: { 'autoscrape.io/inject': 'enabled' } } };

export function target(words: Partial<Target> = {}): Target {
  return {
    pool: 'kubernetes-pods',
    url: 'http://10.1.2.3:8080/metrics',
    health: 'up',
    error: '',
    scrapedAt: NOW - 3000,
    timeoutMs: 10_000,
    tookMs: 20,
    labels: LABELS,
    discovered: {},
    ...words,
  };
}

export function down(error: string): readonly Target[] {
  return [target({ health: 'down', error })];
}

export const METRICS: Verdict = { key: 'metrics', format: 'text', series: 214, beyondRuntime: true, sure: true };
const NONE_DROPPED: Dropped = { targets: [], isCut: false };

/** What a pod and its surroundings are like; a pod that is annotated, answers and is up, unless told otherwise. */
export interface Situation {
  /** The namespace's name. */
  readonly name?: string;
  readonly pod?: PodWords;
  readonly namespace?: unknown;
  readonly verdict?: Verdict;
  readonly overHttps?: Verdict;
  readonly found?: FoundEndpoint;
  readonly owner?: unknown;
  readonly named?: Diagnosing['named'];
  readonly active?: readonly Target[];
  readonly dropped?: Dropped;
  /** The jobs of the loaded configuration, as YAML. */
  readonly jobs?: string;
  readonly state?: Partial<ScraperState>;
  /** What the scraper has of the target. */
  readonly stored?: Stored;
  /** How long the endpoint takes, in ms. */
  readonly ms?: number;
  /** Objects of the cluster by their plural. */
  readonly objects?: Readonly<Record<string, readonly JsonObject[]>>;
  /** Collections that can't be read. */
  readonly forbidden?: readonly string[];
  readonly rules?: Rules;
  readonly sameAddress?: string;
  /** Objects of releases of the chart; without any the labels alone decide. */
  readonly installed?: readonly { readonly kind: string; readonly object: unknown }[];
  /** What is needed to know the selectors in force. */
  readonly selectorsNeed?: string;
  readonly isGone?: boolean;
  readonly scraper?: Diagnosing['scraper'];
  /** What scrapes as well, and can't be asked. */
  readonly others?: FoundScrapers['others'];
}

function relatedOf(namespace: unknown, { installed = [] }: Situation) {
  const value = { ...(namespace as object | undefined), apiVersion: 'v1', kind: 'Namespace' };
  return relate(
    readWorkloads(namespace === undefined ? [] : [{ value, line: 0 }]).others,
    'shop',
    findSelectors(installed),
  );
}

export function print(report: PodReport): string {
  return renderDiagnosis({ sections: [], reports: [report], versions: [] }, 'full');
}

export const JOB = `- job_name: kubernetes-pods
  relabel_configs:
  - source_labels: [__meta_kubernetes_pod_annotation_prometheus_io_scrape]
    regex: "true"
    action: keep
`;

/** Whose pods are in the namespace monitoring, with the label app=prometheus. */
const SCRAPER_POD = {
  metadata: { namespace: 'monitoring', name: 'prometheus-0', labels: { app: 'prometheus' } },
  spec: { serviceAccountName: 'prometheus' },
  status: { podIP: '10.9.9.9', phase: 'Running' },
};

interface Stored {
  readonly scraped?: number;
  readonly kept?: number;
  /** Scrapes of the last hour that were answered, of 60. */
  readonly answered?: number;
  /** How often one failed after one that did not. */
  readonly falls?: number;
  /** How the series are labelled, and how many there are. */
  readonly groups?: readonly (readonly [labels: Record<string, string>, count: number])[];
  readonly starts?: number;
  /** Prometheus' own page. */
  readonly page?: string;
}

const LABELS = { job: 'kubernetes-pods', instance: '10.1.2.3:8080', namespace: 'shop', pod: 'orders-1' };

/** Answers the queries of series.ts. */
function results(
  expression: string,
  stored: Stored,
): readonly (readonly [labels: Record<string, string>, value: number])[] {
  const {
    scraped = 214,
    kept = scraped,
    answered = 60,
    falls = 0,
    groups = [[{ namespace: 'shop', pod: 'orders-1' }, kept]],
    starts = 0,
  } = stored;
  if (expression.startsWith('{__name__'))
    return [
      [{ ...LABELS, __name__: 'scrape_samples_scraped' }, scraped],
      [{ ...LABELS, __name__: 'scrape_samples_post_metric_relabeling' }, kept],
    ];
  if (expression.startsWith('sum_over_time')) return [[LABELS, answered]];
  if (expression.startsWith('count_over_time')) return [[LABELS, 60]];
  if (expression.startsWith('resets')) return [[LABELS, falls]];
  if (expression.startsWith('count by')) return groups;
  assert.match(expression, /^max\(changes\(process_start_time_seconds/);
  return [[{}, starts]];
}

function stateOf({ jobs = JOB, state, stored = {} }: Situation): ScraperState {
  const read = readJobs(`global: {}\nscrape_configs:\n${jobs}`);
  const nothing = { ok: false, error: 'nothing' } as const;
  const api: ScraperApi = {
    data(path) {
      const expression = new URL(path, 'http://p').searchParams.get('query');
      if (expression === null) return Promise.resolve(nothing);
      const result = results(expression, stored).map(([metric, value]) => ({ metric, value: [0, String(value)] }));
      return Promise.resolve({ ok: true, value: { result } });
    },
    items: () => Promise.resolve(nothing),
    status: () => Promise.resolve(undefined),
    text: () => Promise.resolve(stored.page === undefined ? nothing : { ok: true, value: stored.page }),
  };
  return {
    scraper: { name: 'Prometheus monitoring/p', kind: 'Prometheus', api, isGuess: true, pods: [SCRAPER_POD] },
    version: '3.14.0',
    jobs: read,
    reading: read.filter((job) => readsAnnotation(job, 'prometheus.io/scrape')),
    reloaded: true,
    loadedAt: NOW - 3_600_000,
    active: new Map([['kubernetes-pods', 3]]),
    timeouts: countTimeouts([]),
    kept: [target()],
    dropped: new Map([['kubernetes-pods', 3]]),
    ...state,
  };
}

function reader({ objects = {}, forbidden = [] }: Situation): ClusterReader {
  return {
    list: ({ plural }, { namespace } = {}) => {
      if (forbidden.includes(plural)) return Promise.resolve({ ok: false, error: `list on ${plural}` });
      const found = (objects[plural] ?? []).filter(
        ({ metadata }) => namespace === undefined || (metadata as JsonObject)['namespace'] === namespace,
      );
      return Promise.resolve({ ok: true, value: found });
    },
    get: ({ plural }, _, name) =>
      Promise.resolve({
        ok: true,
        value: (objects[plural] ?? []).find(({ metadata }) => (metadata as JsonObject)['name'] === name),
      }),
    version: () => Promise.resolve('v1.37.0'),
  };
}

export async function look(situation: Situation): Promise<PodReport> {
  const { verdict = METRICS, active = [target()], dropped = NONE_DROPPED } = situation;
  const state = stateOf(situation);
  return diagnose(pod(situation.pod), {
    namespace: situation.name ?? 'shop',
    related: relatedOf('namespace' in situation ? situation.namespace : OPTED_IN, situation),
    rules: situation.rules ?? rules,
    selectorsNeed: situation.selectorsNeed,
    named: situation.named ?? 'pod',
    scraper: situation.scraper ?? {
      prometheus: 'Prometheus monitoring/p',
      active,
      dropped,
      state,
      others: situation.others ?? [],
    },
    ask: () =>
      Promise.resolve(
        situation.isGone === true
          ? { isGone: true }
          : { verdict, ms: situation.ms ?? 40, overHttps: situation.overHttps },
      ),
    findEndpoint: () => Promise.resolve(situation.found),
    owner: () => Promise.resolve(situation.owner),
    series: seriesReader(1),
    sameAddress: () => Promise.resolve(situation.sameAddress),
    cluster: reader(situation),
    now: NOW,
  });
}

export function ids({ lines }: PodReport): readonly string[] {
  return lines.flatMap((line) => ('id' in line ? [line.id] : []));
}

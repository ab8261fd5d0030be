import { objectIn, text, textEntries } from '../../core/json.ts';
import type { Labels } from './relabel.ts';

// The answers of Prometheus' API: https://prometheus.io/docs/prometheus/latest/querying/api/#targets

/** A target that is scraped. */
export interface Target {
  readonly pool: string;
  readonly url: string;
  /** `up`, `down`, or `unknown` before the first scrape. */
  readonly health: string;
  /** Empty where there is none. */
  readonly error: string;
  /** Unix time in ms of the last scrape; undefined before the first. */
  readonly scrapedAt: number | undefined;
  /** The scrape's timeout in ms; undefined where the scraper does not say. */
  readonly timeoutMs: number | undefined;
  /** How long the last scrape took, in ms. */
  readonly tookMs: number;
  readonly labels: Labels;
  readonly discovered: Labels;
}

/** What one scraper drops of one pod, as far as it keeps that. */
export interface Dropped {
  readonly targets: readonly DroppedTarget[];
  /** Whether there are more than these: `keep_dropped_targets` cuts the list. */
  readonly isCut: boolean;
}

/** A target that relabelling drops. */
export interface DroppedTarget {
  /** Empty before Prometheus 3.3. */
  readonly pool: string;
  readonly discovered: Labels;
}

/** Returns an active target. What is missing is empty. */
export function readTarget(target: unknown): Target {
  const {
    scrapePool,
    scrapeUrl,
    health,
    lastError,
    lastScrape,
    lastScrapeDuration,
    scrapeTimeout,
    labels,
    discoveredLabels,
  } = objectIn({ target }, 'target');
  const scrapedAt = Date.parse(text(lastScrape));
  return {
    pool: text(scrapePool),
    url: text(scrapeUrl),
    health: text(health),
    error: text(lastError),
    // Go's zero time is of the year 1.
    scrapedAt: scrapedAt > 0 ? scrapedAt : undefined,
    timeoutMs: readDuration(text(scrapeTimeout)),
    tookMs: typeof lastScrapeDuration === 'number' ? lastScrapeDuration * 1000 : 0,
    labels: asLabels(labels),
    discovered: asLabels(discoveredLabels),
  };
}

/** Returns a dropped target. */
export function readDroppedTarget(target: unknown): DroppedTarget {
  const { scrapePool, discoveredLabels } = objectIn({ target }, 'target');
  return { pool: text(scrapePool), discovered: asLabels(discoveredLabels) };
}

function asLabels(value: unknown): Labels {
  return Object.fromEntries(textEntries(value));
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Returns milliseconds of a duration as Prometheus prints it: `1m30s`. */
function readDuration(written: string): number | undefined {
  const parts = [...written.matchAll(/(\d+)(ms|s|m|h)/g)];
  if (parts.length === 0) return undefined;
  return parts.reduce((sum, [, number, unit]) => sum + Number(number) * (UNITS[unit ?? ''] ?? 0), 0);
}

/** Returns the namespace and name of the pod that service discovery made the target of, as one key; undefined for other targets. */
export function podKeyOf(discovered: Labels): string | undefined {
  const { __meta_kubernetes_namespace: namespace, __meta_kubernetes_pod_name: name } = discovered;
  return namespace === undefined || name === undefined ? undefined : `${namespace}/${name}`;
}

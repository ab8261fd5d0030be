import { nameOf, namespaceOf } from '../../core/metadata.ts';
import { objectIn, objectsIn, textEntries } from '../../core/json.ts';
import type { JsonObject } from '../../core/json.ts';
import type { Result } from '../../core/result.ts';
import { finding, quoted } from '../finding.ts';
import type { Line } from '../finding.ts';
import type { ScraperState } from './read-scraper.ts';
import type { Labels } from './relabel.ts';
import type { Target } from './prometheus-targets.ts';

/** What is stored of a target. */
export interface SeriesChecked {
  readonly lines: readonly Line[];
  /** Samples of the last scrape that are stored; undefined where that is not known. */
  readonly samples: number | undefined;
}

/** Looks at the series of a target that is up. `pod` is the one that it was made of. */
export type SeriesOf = (state: ScraperState, target: Target, pod: JsonObject) => Promise<SeriesChecked>;

/** Of so many pods each is looked at for itself; of more only what one query tells of all. */
const MAX_CLOSELY = 10;

/** Instances in one query: its URL must not become too long. */
const MAX_INSTANCES = 50;

/** Returns what looks at series: two queries for all targets of a scraper, and two more for each of few pods. */
export function seriesReader(pods: number): SeriesOf {
  const batches = new Map<ScraperState, Promise<Result<Batch, string>>>();
  return async (state, target, pod) => {
    const batch = batches.get(state) ?? readBatch(state);
    batches.set(state, batch);
    const read = await batch;
    if (!read.ok)
      return { lines: [{ state: 'unchecked', title: 'the series', needs: read.error }], samples: undefined };
    const key = keyOf(target.labels);
    const [scraped, stored] = [read.value.scraped.get(key), read.value.stored.get(key)];
    const lines: Line[] = [];
    if (scraped !== undefined && stored !== undefined) lines.push(counted(scraped, stored, target, state));
    const up = read.value.up.get(key);
    if (up !== undefined) lines.push(...flapping(up, state.scraper.name, pod));
    if (pods <= MAX_CLOSELY && stored !== undefined) lines.push(...(await lookClosely(state, target, pod, stored)));
    return { lines, samples: stored };
  };
}

/** The scrapes of the last hour. */
interface LastHour {
  readonly answered: number;
  readonly asked: number;
  /** How often one failed right after one that did not: before its first answer a pod starts. */
  readonly falls: number;
}

interface Batch {
  readonly scraped: ReadonlyMap<string, number>;
  readonly stored: ReadonlyMap<string, number>;
  readonly up: ReadonlyMap<string, LastHour>;
}

async function readBatch(state: ScraperState): Promise<Result<Batch, string>> {
  if (state.scraper.kind === 'vmagent') return { ok: false, error: 'the database that vmagent writes to' };
  const matchers = matchersOf(state.kept);
  const [samples, answered, asked, falls] = await Promise.all([
    query(state, `{__name__=~"scrape_samples_scraped|scrape_samples_post_metric_relabeling",${matchers}}`),
    query(state, `sum_over_time(up{${matchers}}[1h])`),
    query(state, `count_over_time(up{${matchers}}[1h])`),
    query(state, `resets(up{${matchers}}[1h])`),
  ]);
  if (!samples.ok) return samples;
  const byName = Map.groupBy(samples.value, ({ labels }) => labels['__name__']);
  const counts = new Map((asked.ok ? asked.value : []).map(({ labels, value }) => [keyOf(labels), value]));
  const fallen = byLabels(falls.ok ? falls.value : []);
  const up = new Map(
    (answered.ok ? answered.value : []).map(({ labels, value }) => {
      const key = keyOf(labels);
      return [key, { answered: value, asked: counts.get(key) ?? value, falls: fallen.get(key) ?? 0 }];
    }),
  );
  return {
    ok: true,
    value: {
      scraped: byLabels(byName.get('scrape_samples_scraped')),
      stored: byLabels(byName.get('scrape_samples_post_metric_relabeling')),
      up,
    },
  };
}

function oneOf(label: string, values: readonly string[]): string {
  return `${label}=~"${values.map(inPattern).join('|')}"`;
}

function matchersOf(targets: readonly Target[]): string {
  const valuesOf = (label: string): string[] => [...new Set(targets.flatMap(({ labels }) => labels[label] ?? []))];
  const instances = valuesOf('instance');
  return [
    oneOf('job', valuesOf('job')),
    ...(instances.length <= MAX_INSTANCES ? [oneOf('instance', instances)] : []),
  ].join();
}

/** Returns a value for between the quotes of a PromQL pattern. */
function inPattern(value: string): string {
  return value
    .replaceAll(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`)
    .replaceAll('\\', '\\\\')
    .replaceAll('"', String.raw`\"`);
}

interface Sample {
  readonly labels: Labels;
  readonly value: number;
}

async function query({ scraper }: ScraperState, expression: string): Promise<Result<readonly Sample[], string>> {
  const answer = await scraper.api.data(`/api/v1/query?${new URLSearchParams({ query: expression }).toString()}`);
  if (!answer.ok) return answer;
  return {
    ok: true,
    value: objectsIn(answer.value, 'result').map(({ metric, value }) => ({
      labels: Object.fromEntries(textEntries(metric)),
      value: Array.isArray(value) ? Number(value[1]) : Number.NaN,
    })),
  };
}

function byLabels(samples: readonly Sample[] = []): ReadonlyMap<string, number> {
  return new Map(samples.map(({ labels, value }) => [keyOf(labels), value]));
}

/** Labels as one string: what Prometheus stores about a scrape has exactly those of the target. */
function keyOf(labels: Labels): string {
  const pairs = Object.entries(labels).filter(([name]) => name !== '__name__');
  return JSON.stringify(pairs.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

function counted(scraped: number, stored: number, { pool }: Target, { scraper }: ScraperState): Line {
  if (stored === 0 && scraped > 0)
    return finding(
      'series-dropped',
      'scraped, and nothing is stored',
      `${scraper.name} gets ${scraped} samples, and metric_relabel_configs of the job ${quoted(pool)} drops all of them.`,
      `Change metric_relabel_configs of the job ${quoted(pool)}.`,
    );
  if (scraped === 0)
    return { state: 'ok', title: '0 samples: several client libraries have none before the first event' };
  const dropped = scraped === stored ? '' : `, of ${scraped} before metric_relabel_configs`;
  return { state: 'ok', title: `${stored} samples in the last scrape${dropped}` };
}

/** Fewer failures than these are no habit. */
const FEW_FAILURES = 3;

function flapping({ answered, asked, falls }: LastHour, name: string, pod: JsonObject): Line[] {
  const failed = asked - answered;
  if (falls === 0 || failed < FEW_FAILURES || failed / asked < 0.05) return [];
  return [
    finding(
      'target-flapping',
      'up now, and not always',
      `${name} says that it answered ${answered} of ${asked} scrapes of the last hour.`,
      `Compare the times with restarts (kubectl get pod ${nameOf(pod)} -n ${namespaceOf(pod)}) and with the timeout: the page may be slow under load.`,
    ),
  ];
}

/** Labels that relabelling gives to targets, and apps to their series. */
const SHARED = ['namespace', 'pod', 'container', 'service', 'node'] as const;

async function lookClosely(state: ScraperState, target: Target, pod: JsonObject, stored: number): Promise<Line[]> {
  const { job = '', instance = '' } = target.labels;
  const matchers = `job=${JSON.stringify(job)},instance=${JSON.stringify(instance)}`;
  const own = SHARED.filter((label) => target.labels[label] !== undefined);
  const grouped = [...own, ...own.map((label) => `exported_${label}`), 'exported_job', 'exported_instance'];
  const [groups, starts] = await Promise.all([
    query(state, `count by (${grouped.join(', ')}) ({${matchers},__name__!~"up|scrape_.+"})`),
    query(state, `max(changes(process_start_time_seconds{${matchers}}[15m]))`),
  ]);
  return [
    ...(groups.ok ? colliding(groups.value, target, state) : []),
    ...(groups.ok ? await repeated(groups.value, stored, state) : []),
    ...(starts.ok ? severalWorkers(starts.value[0]?.value ?? 0, pod) : []),
  ];
}

function colliding(groups: readonly Sample[], { labels }: Target, { scraper }: ScraperState): Line[] {
  for (const { labels: found, value } of groups) {
    const exported = Object.keys(found).find((name) => name.startsWith('exported_'));
    // A label of the target that the series lack was dropped by metric_relabel_configs.
    const taken = SHARED.find((name) => found[name] !== undefined && ![undefined, found[name]].includes(labels[name]));
    if (exported === undefined && taken === undefined) continue;
    const label = exported?.replace('exported_', '') ?? taken ?? '';
    const kept = exported === undefined ? label : exported;
    return [
      finding(
        'series-labels-collide',
        `the app's own label ${label} collides with the target's`,
        exported === undefined
          ? `${value} series have ${label}="${quoted(found[label] ?? '')}" of the app in place of "${quoted(labels[label] ?? '')}": the job has honor_labels.`
          : `${scraper.name} keeps the app's value of ${value} series as ${kept}="${quoted(found[kept] ?? '')}".`,
        `query them as {${kept}="${quoted(found[kept] ?? '')}"}, or rename the label in the app`,
      ),
    ];
  }
  return [];
}

/** A page that has one series twice: Prometheus stores the first, counts both, and says it in its log only. */
async function repeated(groups: readonly Sample[], stored: number, state: ScraperState): Promise<Line[]> {
  const distinct = groups.reduce((sum, { value }) => sum + value, 0);
  if (stored <= distinct) return [];
  const page = await state.scraper.api.text('/metrics');
  const duplicates = /^prometheus_target_scrapes_sample_duplicate_timestamp_total (\S+)$/m.exec(
    page.ok ? page.value : '',
  );
  // Samples with a time of their own may be too old for a query.
  if (duplicates === null || Number(duplicates[1]) === 0) return [];
  return [
    finding(
      'series-repeated',
      'the page has a series more than once',
      `Of ${stored} samples ${distinct} are series of their own; ${state.scraper.name} drops the others.`,
      'Serve each series once: promtool check metrics names a metric that is there twice.',
    ),
  ];
}

/** A container that starts again changes it too, and then its status says when. */
function severalWorkers(changes: number, pod: JsonObject): Line[] {
  const restarts = objectsIn(objectIn(pod, 'status'), 'containerStatuses').map(
    ({ restartCount }) => Number(restartCount) || 0,
  );
  if (changes <= Math.max(2, ...restarts)) return [];
  return [
    finding(
      'series-of-workers',
      'probably several processes answer in turn',
      `process_start_time_seconds has changed ${changes} times in 15 minutes.`,
      "Use the client library's multiprocess mode, or one worker.",
    ),
  ];
}

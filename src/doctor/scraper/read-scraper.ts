import { nameOf, namespaceOf } from '../../core/metadata.ts';
import { objectIn, own, text } from '../../core/json.ts';
import type { PodInScraper } from './check-targets.ts';
import type { FoundScrapers, Scraper } from './find-scrapers.ts';
import { hasOtherFiles, readJobs, readsAnnotation } from './loaded-configuration.ts';
import type { ScrapeJob } from './loaded-configuration.ts';
import { OTHER_FORM } from './scraper-api.ts';
import { podKeyOf, readDroppedTarget, readTarget } from './prometheus-targets.ts';
import type { DroppedTarget, Target } from './prometheus-targets.ts';
import { countTimeouts } from './timeouts.ts';
import type { Timeouts } from './timeouts.ts';

/** What one scraper says of itself. */
export interface ScraperState {
  readonly scraper: Scraper;
  /** Such as `3.14.0`; undefined where it does not say. */
  readonly version: string | undefined;
  /** The jobs of its loaded configuration; undefined where it can't be read. */
  readonly jobs: readonly ScrapeJob[] | undefined;
  /** Those that read the scrape annotation of pods. */
  readonly reading: readonly ScrapeJob[];
  /** Whether the last reload succeeded; undefined where it does not say. */
  readonly reloaded: boolean | undefined;
  /** Unix time in ms of the configuration that is loaded. */
  readonly loadedAt: number | undefined;
  /** Targets by pool. */
  readonly active: ReadonlyMap<string, number>;
  /** How many targets are up and how many time out, to compare one with. */
  readonly timeouts: Timeouts;
  /** The targets of the pods that are looked at. */
  readonly kept: readonly Target[];
  /** Dropped targets by pool; undefined where that was not read, or it does not keep them. */
  readonly dropped: ReadonlyMap<string, number> | undefined;
}

/** Why nothing could be read. */
export interface Unread {
  readonly title: string;
  readonly needs: string;
  /** Whether nothing was found that scrapes, though everything could be read. */
  readonly isNone?: boolean;
}

/** What the scrapers say of a pod. */
export type Scrapers = (pod: unknown) => PodInScraper | Unread;

/** What was read of all scrapers. */
export interface ScrapersRead {
  readonly scrapers: Scrapers;
  readonly states: readonly ScraperState[];
  /** What has the labels of a scraper and is none, by its own answer. */
  readonly strangers: readonly Scraper[];
}

/**
 * Returns what the scrapers say of the pods: of several the one that has a target of a pod, as shards share them.
 * `key` is the scrape annotation.
 */
export async function readScrapers(found: FoundScrapers, pods: readonly unknown[], key: string): Promise<ScrapersRead> {
  const all = await Promise.all(found.scrapers.map((scraper) => readScraper(scraper, pods, key, found.others)));
  const read = all.flatMap((one) => ('stranger' in one ? [] : [one]));
  const states = read.flatMap((one) => ('state' in one ? [one.state] : []));
  const strangers = all.flatMap((one) => ('stranger' in one ? [one.stranger] : []));
  const scrapers = (pod: unknown): PodInScraper | Unread => {
    const says = read.map((one) => ('state' in one ? one.of(pod) : one));
    const withTargets = says.filter((one): one is PodInScraper => 'active' in one && one.active.length > 0);
    const up = withTargets.find(({ active }) => active.some(({ health }) => health === 'up'));
    // Where one could not be read, the pod may be its target.
    const unread = says.find((one): one is Unread => 'needs' in one);
    // Where several have no target, the one that reads annotations says why.
    const reading = says.find((one) => 'active' in one && one.state.reading.length > 0);
    return up ?? withTargets[0] ?? unread ?? reading ?? says[0] ?? noScraper(found);
  };
  return { scrapers, states, strangers };
}

function noScraper({ others, needs }: FoundScrapers): Unread {
  const [other] = others;
  if (other !== undefined) return { title: other.name, needs: `a look at ${other.page}` };
  if (needs !== undefined) return { title: 'Prometheus', needs: `${needs}, or --prometheus` };
  return {
    title: 'Prometheus',
    needs: '--prometheus: none is behind a Service with its well-known labels',
    isNone: true,
  };
}

type Read =
  | { readonly state: ScraperState; readonly of: (pod: unknown) => PodInScraper }
  | Unread
  | { readonly stranger: Scraper };

/** Statuses that say that the path is not served. */
const NOT_SERVED: readonly unknown[] = [404, 405, 410, 501];

/**
 * Returns whether what has the labels of a scraper is none by its own answer: JSON of another form, no HTTP at all, or no
 * such path. A Prometheus with a route prefix (--web.route-prefix) has no such path either, but sends who asks for `/` there.
 */
async function isStranger({ api, isGuess }: Scraper, error: string): Promise<boolean> {
  if (!isGuess) return false;
  if (error === OTHER_FORM) return true;
  const status = await api.status('/api/v1/targets?state=active');
  if (status === 'none') return true;
  if (!NOT_SERVED.includes(status)) return false;
  const root = await api.status('/');
  return typeof root === 'number' && (root < 300 || root >= 400);
}

async function readScraper(
  scraper: Scraper,
  pods: readonly unknown[],
  key: string,
  others: FoundScrapers['others'],
): Promise<Read> {
  const { api, name: title } = scraper;
  const wanted = new Map(pods.map((pod) => [`${namespaceOf(pod)}/${nameOf(pod)}`, pod]));
  const targets = new Map<unknown, Target[]>();
  const active = new Map<string, number>();
  const timeouts = countTimeouts(pods);
  const answer = await api.items('/api/v1/targets?state=active', (item) => {
    const pool = text(objectIn({ item }, 'item').scrapePool);
    active.set(pool, (active.get(pool) ?? 0) + 1);
    timeouts.add(item);
    // Only what is kept is read in full: a large cluster has 60,000 targets.
    const pod = podOf(item, wanted);
    const known = targets.get(pod);
    if (known !== undefined) known.push(readTarget(item));
    else if (pod !== undefined) targets.set(pod, [readTarget(item)]);
  });
  const problem = answer.ok ? OTHER_FORM : answer.error;
  if (!answer.ok || !Array.isArray(answer.value['activeTargets']))
    return (await isStranger(scraper, problem)) ? { stranger: scraper } : { title, needs: problem };
  const isMissing = pods.some((pod) => !targets.has(pod));
  const [config, runtime, build, dropped] = await Promise.all([
    api.data('/api/v1/status/config'),
    api.data('/api/v1/status/runtimeinfo'),
    api.data('/api/v1/status/buildinfo'),
    // It is large where there is much to scrape, and only tells why a target is missing.
    isMissing ? readDropped(scraper, wanted, targets) : undefined,
  ]);
  const yaml = config.ok ? text(config.value['yaml']) : '';
  const printed = config.ok ? readJobs(yaml) : [];
  const reading = printed.filter((job) => readsAnnotation(job, key));
  // Where none of those that are printed reads annotations, one of another file may.
  const jobs = config.ok && (reading.length > 0 || !hasOtherFiles(yaml)) ? printed : undefined;
  const loadedAt = runtime.ok ? Date.parse(text(runtime.value['lastConfigTime'])) : Number.NaN;
  const reloaded = runtime.ok ? runtime.value['reloadConfigSuccess'] : undefined;
  const state: ScraperState = {
    scraper,
    version: build.ok ? text(build.value['version']) || undefined : undefined,
    jobs,
    reading,
    reloaded: typeof reloaded === 'boolean' ? reloaded : undefined,
    loadedAt: Number.isNaN(loadedAt) ? undefined : loadedAt,
    active,
    timeouts,
    kept: [...targets.values()].flat(),
    dropped: dropped?.counts,
  };
  return {
    state,
    of: (pod) => ({
      prometheus: title,
      state,
      active: targets.get(pod) ?? [],
      others,
      dropped: dropped && { targets: dropped.targets.get(pod) ?? [], isCut: dropped.isCut },
    }),
  };
}

/** Of one pod: as many ports and jobs as say something. */
const MAX_DROPPED = 200;

async function readDropped(
  { api, kind }: Scraper,
  wanted: ReadonlyMap<string, unknown>,
  active: ReadonlyMap<unknown, unknown>,
): Promise<
  | { readonly targets: Map<unknown, DroppedTarget[]>; readonly counts: Map<string, number>; readonly isCut: boolean }
  | undefined
> {
  const targets = new Map<unknown, DroppedTarget[]>();
  let listed = 0;
  const answer = await api.items('/api/v1/targets?state=dropped', (item) => {
    listed += 1;
    const pod = podOf(item, wanted);
    if (pod === undefined || active.has(pod)) return;
    const known = targets.get(pod) ?? [];
    if (known.length < MAX_DROPPED) targets.set(pod, [...known, readDroppedTarget(item)]);
  });
  // vmagent keeps what it drops only with -promscrape.dropOriginalLabels=false.
  if (!answer.ok || !Array.isArray(answer.value['droppedTargets']) || (kind === 'vmagent' && listed === 0))
    return undefined;
  // Since Prometheus 2.47; before it the list was never cut.
  const counts = new Map<string, number>();
  for (const [pool, count] of Object.entries(objectIn(answer.value, 'droppedTargetCounts')))
    if (typeof count === 'number') counts.set(pool, count);
  const sum = [...counts.values()].reduce((all, count) => all + count, 0);
  return { targets, counts, isCut: sum > listed };
}

function podOf(target: unknown, wanted: ReadonlyMap<string, unknown>): unknown {
  const labels = objectIn(target, 'discoveredLabels');
  const key = podKeyOf({
    __meta_kubernetes_namespace: text(labels['__meta_kubernetes_namespace']),
    __meta_kubernetes_pod_name: text(labels['__meta_kubernetes_pod_name']),
  });
  const pod = key === undefined ? undefined : wanted.get(key);
  const [uid, found] = [text(objectIn(pod, 'metadata').uid), own(labels, '__meta_kubernetes_pod_uid')];
  // A pod of the same name that is gone has another uid.
  return uid !== '' && typeof found === 'string' && found !== uid ? undefined : pod;
}

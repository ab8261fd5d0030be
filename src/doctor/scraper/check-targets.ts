import type { VerdictKey } from '../../core/ask/verdict.ts';
import type { JsonObject } from '../../core/json.ts';
import type { Stated } from '../pod/check-pod.ts';
import type { ClusterReader } from '../object-cache.ts';
import { explainDouble } from './duplicate-targets.ts';
import { finding, quoted, quotedAddress } from '../finding.ts';
import type { Line } from '../finding.ts';
import { explainMissing } from './missing-target.ts';
import type { OtherScraper } from './find-scrapers.ts';
import type { ScraperState } from './read-scraper.ts';
import { explainDown } from './scrape-errors.ts';
import type { Dropped, Target } from './prometheus-targets.ts';

/** What one Prometheus says about one pod. */
export interface PodInScraper {
  /** Such as `monitoring/prometheus-server`. */
  readonly prometheus: string;
  /** Its targets of this pod. */
  readonly active: readonly Target[];
  /** What it drops of this pod; undefined where that could not be read. */
  readonly dropped: Dropped | undefined;
  /** What it says of itself. */
  readonly state: ScraperState;
  /** What scrapes in the cluster as well, and can't be asked. */
  readonly others: readonly OtherScraper[];
}

/** What is known of the pod by now. */
export interface KnownPod {
  readonly pod: JsonObject;
  readonly namespace: string;
  readonly address: string;
  /** Where its annotations send a scraper; undefined without annotations. */
  readonly stated: Stated | undefined;
  /** The TCP ports that its containers declare. */
  readonly declared: readonly number[];
  /** How long the endpoint took, where it answered with metrics when it was asked. */
  readonly answered: { readonly ms: number } | undefined;
  /** What it answered else; undefined where it was not asked. */
  readonly verdict: VerdictKey | undefined;
  /** Whether a mesh's proxy is in front of it. */
  readonly isMeshed: boolean;
  readonly isNew: boolean;
  /** The scrape annotation. */
  readonly key: string;
  /** Unix time in ms. */
  readonly now: number;
}

/** What the targets show, and the answer to whether the pod is scraped. */
export interface TargetsChecked {
  readonly lines: readonly Line[];
  readonly scraped: boolean | undefined;
  /** After "is scraped: ", where it is. */
  readonly answer: string;
  /** The target that is up. */
  readonly target: Target | undefined;
}

function isNot(lines: readonly Line[], scraped: false | undefined): TargetsChecked {
  return { lines, scraped, answer: '', target: undefined };
}

/** Returns what a Prometheus says of the pod's targets, up to the first break. */
export async function checkTargets(says: PodInScraper, pod: KnownPod, cluster: ClusterReader): Promise<TargetsChecked> {
  if (says.active.length === 0) {
    const lines = await explainMissing(says, pod, cluster);
    // A warning is what is not known for sure: another scraper, or too early.
    return isNot(lines, lines.some(({ state }) => state === 'cross') ? false : undefined);
  }
  const { target, isStated } = chooseTarget(says.active, pod);
  const at = `${quotedAddress(target.url)} in pool ${quoted(target.pool)}`;
  if (target.health !== 'up' && target.health !== 'down')
    return isNot(
      [
        finding(
          'target-not-yet',
          'a target, not scraped yet',
          `${says.prometheus} has ${at} and has not asked it yet.`,
          'Run this again in a minute.',
        ),
      ],
      undefined,
    );
  if (target.health === 'down') {
    const lines = await explainDown(target, says, pod, cluster);
    return isNot(lines, lines.some((line) => 'id' in line && line.id === 'pod-new') ? undefined : false);
  }
  const ago =
    target.scrapedAt === undefined ? '' : `, ${Math.max(0, Math.round((pod.now - target.scrapedAt) / 1000))} s ago`;
  const lines: Line[] = [{ state: 'ok', title: `${says.prometheus} says up${ago}: ${at}` }];
  const url = URL.parse(target.url);
  if (pod.isMeshed && url?.port === '15090')
    lines.push(
      finding(
        'target-istio-port',
        "only Istio's proxy is scraped",
        `${says.prometheus} scrapes port 15090, which has Envoy's own metrics; those of the app are merged at 15020.`,
        'write into the pod template: prometheus.io/port: "15020", prometheus.io/path: /stats/prometheus',
      ),
    );
  else if (!isStated && pod.stated !== undefined)
    lines.push(
      finding(
        'target-elsewhere',
        'scraped at another address than the annotations say',
        `${says.prometheus} scrapes ${at}.`,
        "Where its metrics are not the ones wanted, correct the scrape job's relabelling of address and path.",
      ),
    );
  const twins = says.active.filter((other) => other.url === target.url);
  if (twins.length > 1) lines.push(explainDouble(twins, says.prometheus, pod));
  const others = says.active.filter(
    (other) => other.url !== target.url && other.pool === target.pool && other.health === 'down',
  );
  if (others.length > 0 && pod.stated !== undefined)
    lines.push(
      finding(
        'target-other-ports',
        `${others.length} other target${others.length === 1 ? '' : 's'} of the pod ${others.length === 1 ? 'is' : 'are'} down`,
        `${says.prometheus} has in pool ${quoted(target.pool)}: ${others
          .slice(0, 3)
          .map(({ url: other }) => quotedAddress(other))
          .join(', ')}. Without a port annotation a job makes a target of each declared port.`,
        `write into the pod template: prometheus.io/port: "${url?.port ?? ''}"`,
      ),
    );
  if (says.state.reloaded === false)
    lines.push({
      ...finding(
        'scraper-reload-failed',
        'the scraper runs with an old configuration',
        `${says.prometheus} could not load its newest configuration.`,
        'Look at its log, and check the file: promtool check config',
      ),
      state: 'warning',
    });
  return { lines, scraped: true, answer: `up${ago}`, target };
}

/** Returns the target at the annotated address, or else the one in the best state. */
function chooseTarget(
  active: readonly Target[],
  { stated, address }: KnownPod,
): { readonly target: Target; readonly isStated: boolean } {
  const atStated = best(active.filter(({ url }) => stated !== undefined && isAt(url, address, stated)));
  const target = atStated ?? best(active);
  if (target === undefined) throw new Error('no target to choose from');
  return { target, isStated: atStated !== undefined };
}

function best(targets: readonly Target[]): Target | undefined {
  return ['up', 'down'].map((state) => targets.find(({ health }) => health === state)).find(Boolean) ?? targets[0];
}

/** Returns whether a scrape URL is the endpoint that the annotations of the pod with this address name. */
export function isAt(scrapeUrl: string, address: string, { scheme, port, path }: Stated): boolean {
  const url = URL.parse(scrapeUrl);
  if (url === null) return false;
  const actual = url.port || (url.protocol === 'https:' ? '443' : '80');
  const host = url.hostname.replaceAll(/[[\]]/g, '');
  return (
    url.protocol === `${scheme}:` &&
    (address === '' || address.includes(':') || host === address) &&
    (port === undefined || actual === String(port)) &&
    url.pathname === path
  );
}

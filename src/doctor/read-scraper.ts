import { objectIn, text } from '../core/json.ts';
import type { PodInScraper } from './check-targets.ts';
import type { Prometheus } from './prometheus.ts';
import { isOfPod, readActive, readDropped, readsAnnotations } from './scraper.ts';
import type { Dropped, Target } from './scraper.ts';

/** What one Prometheus says of any pod, or why nothing could be read. */
type Read = ((pod: unknown) => PodInScraper) | { readonly title: string; readonly needs: string };

/** What any of them says of a pod. */
export type Scrapers = (pod: unknown) => PodInScraper | { readonly title: string; readonly needs: string };

/**
 * Returns what the Prometheuses say of the pods: of several the one that has a target of a pod,
 * as shards share them. `key` is the scrape annotation.
 */
export async function readScrapers(
  all: readonly Prometheus[],
  pods: readonly unknown[],
  key: string,
): Promise<Scrapers> {
  const read = await Promise.all(all.map((prometheus) => readScraper(prometheus, pods, key)));
  return (pod) => {
    const says = read.map((one) => (typeof one === 'function' ? one(pod) : one));
    const withTargets = says.find((one) => 'active' in one && one.active.length > 0);
    // Where one could not be read, the pod may be its target.
    const unread = says.find((one) => 'needs' in one);
    // Where several have no target, the one that reads annotations says why.
    const reading = says.find((one) => 'active' in one && one.reads !== false);
    return withTargets ?? unread ?? reading ?? says[0] ?? { title: 'Prometheus', needs: '--prometheus' };
  };
}

async function readScraper(prometheus: Prometheus, pods: readonly unknown[], key: string): Promise<Read> {
  const title = prometheus.name;
  const answer = await prometheus.get('/api/v1/targets?state=active');
  if (!answer.ok) return { title, needs: answer.error };
  const active = readActive(answer.value);
  if (active === undefined) return { title, needs: "an answer of Prometheus' form" };
  const targets = new Map(pods.map((pod) => [pod, active.filter(isOf(pod))]));
  let dropped: Dropped | undefined;
  let reads: boolean | undefined;
  // Both are large where there is much to scrape, and only tell why a target is missing.
  if ([...targets.values()].some((found) => found.length === 0)) {
    const [droppedAnswer, config] = [
      await prometheus.get('/api/v1/targets?state=dropped'),
      await prometheus.get('/api/v1/status/config'),
    ];
    dropped = droppedAnswer.ok ? readDropped(droppedAnswer.value) : undefined;
    reads = config.ok ? readsAnnotations(config.value, key) : undefined;
  }
  return (pod) => ({
    prometheus: title,
    active: targets.get(pod) ?? [],
    dropped: dropped && { ...dropped, targets: dropped.targets.filter(isOf(pod)) },
    reads,
  });
}

function isOf(pod: unknown): (target: Pick<Target, 'discovered'>) => boolean {
  const { namespace, name, uid } = objectIn(pod, 'metadata');
  return ({ discovered }) => isOfPod(discovered, text(namespace), text(name), text(uid));
}

import { nameOf } from '../../core/metadata.ts';
import type { JsonObject } from '../../core/json.ts';
import { podProxyPath } from '../../kube/pod-proxy.ts';
import { portOf } from './our-objects.ts';
import type { Installation } from './our-objects.ts';
import { readPage } from './read-page.ts';

/** A page of Prometheus' text format, as our own processes write it. */
export interface OurMetrics {
  /** Returns the sum of the metric over the series whose labels match; undefined where there is none. */
  readonly sum: (name: string, labels?: RegExp) => number | undefined;
  /** Returns a label's value in the first series of the metric; undefined where there is none. */
  readonly label: (name: string, label: string) => string | undefined;
}

/** Returns the page by its names. It holds our own metrics, which have no escapes in labels. */
export function readOurMetrics(page: string): OurMetrics {
  const lines = page.split('\n');
  const seriesOf = (name: string): readonly string[] =>
    lines.filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`));
  return {
    sum(name, labels = /(?:)/) {
      const found = seriesOf(name).filter((line) => labels.test(line.slice(name.length, line.lastIndexOf(' '))));
      if (found.length === 0) return undefined;
      return found.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
    },
    label(name, label) {
      const [line = ''] = seriesOf(name);
      return new RegExp(`[{,]${label}="([^"]*)"`).exec(line)?.[1];
    },
  };
}

/** In bytes: ours have some 50 KB. */
const MAX_METRICS = 1024 * 1024;

/** Returns the metrics of a pod of ours, read through the API server; undefined where they can't be. */
export async function metricsOf(
  { kube, namespaceOfRelease: namespace }: Pick<Installation, 'kube' | 'namespaceOfRelease'>,
  pod: JsonObject,
): Promise<OurMetrics | undefined> {
  const target = { namespace, pod: nameOf(pod), port: portOf(pod, 'health') ?? 8080 };
  const page = await readPage(
    () => kube.open(`${podProxyPath(target)}/metrics`, { accept: 'text/plain' }),
    MAX_METRICS,
  );
  return page === undefined ? undefined : readOurMetrics(page);
}

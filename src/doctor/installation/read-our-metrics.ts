import type { JsonObject } from '../../core/json.ts';
import { podProxyPath } from '../../kube/pod-proxy.ts';
import { readOurMetrics } from './our-metrics.ts';
import type { OurMetrics } from './our-metrics.ts';
import { nameOf, portOf } from './our-objects.ts';
import type { Installation } from './our-objects.ts';
import { readPage } from './read-page.ts';

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

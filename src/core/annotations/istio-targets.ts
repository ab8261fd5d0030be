import { isAlikeTo } from './scrape-keys.ts';

/**
 * Which endpoints of a pod Istio's agent merges into its own, since 1.31: `port:path`, with commas between them. It replaces
 * the port annotation, and an entry that Istio cannot read makes its injector reject the pod
 * (https://github.com/istio/istio/pull/59924). Older versions do not read it.
 */
export const ISTIO_TARGETS_KEY = 'prometheus.istio.io/scrape-targets';

/** https://istio.io/latest/docs/ops/integrations/prometheus/#option-1-metrics-merging */
const MERGE_KEY = 'prometheus.istio.io/merge-metrics';

/** Returns whether Istio's agent merges the pod's metrics into its own, unless the mesh as a whole does not. */
export function isMergedByIstio(annotations: ReadonlyMap<string, string>): boolean {
  return annotations.get(MERGE_KEY) !== 'false';
}

/** Returns whether the pod says in any spelling that Istio reads alike which endpoints the agent takes. */
export function statesIstioTargets(annotations: ReadonlyMap<string, string>): boolean {
  return [...annotations.keys()].some((key) => isAlikeTo(ISTIO_TARGETS_KEY, key));
}

/** Where metrics are, as far as the annotation says it. */
interface Target {
  readonly port: number;
  readonly path: string;
  readonly scheme: 'http' | 'https';
}

/** Returns whether the endpoint can be one of them. Its port can be scraped, so it is none that Istio reserves. */
export function isIstioTarget({ path, scheme }: Target): boolean {
  return scheme === 'http' && /^\/[^,\s]*$/.test(path);
}

/** Returns the annotation's value. */
export function renderIstioTargets(endpoints: readonly Target[]): string {
  return endpoints.map(({ port, path }) => `${port}:${path}`).join(',');
}

import { readStated } from './annotations/keys.ts';
import type { Decision } from './decision.ts';
import type { Endpoint } from './rules/endpoint.ts';
import type { Pod } from './pod/pod.ts';
import { ISTIO_MERGED_PORT } from './pod/port.ts';
import type { Rules } from './rules/rule.ts';
import { search } from './rules/evaluate-rules.ts';
import * as warning from './warning.ts';

// What scrapers do with an endpoint is measured by test/cluster/consumers.test.ts and shown in docs/consumers.md.

/** Returns the warnings for an endpoint that some scrapers' own rules can't read as it is written. */
export function consumerWarnings(pod: Pod, endpoint: Endpoint): string[] {
  const inSidecar = endpoint.declared && pod.sidecars.some(({ name }) => name === endpoint.container);
  return [
    ...(endpoint.declared ? [] : [warning.undeclared(endpoint.port)]),
    ...(inSidecar ? [warning.nativeSidecar(endpoint.port)] : []),
    ...(endpoint.scheme === 'https' ? [warning.https()] : []),
  ];
}

/**
 * Returns what is worth knowing of how scrapers read the decision, in sentences; too common or too harmless for a warning at
 * each creation.
 */
export function consumerNotes(pod: Pod, decision: Decision, rules: Rules, mesh: boolean): string[] {
  if (decision.outcome === 'skip') return decision.reason === 'istio_merged' ? istioNotes(pod, rules) : [];
  const [endpoint] = decision.endpoints;
  return [...grafanaNotes(pod, endpoint), ...victoriaMetricsNotes(pod, endpoint, mesh), ...slowNotes(pod, rules)];
}

const GRAFANA_CONTAINER = 'k8s.grafana.com/metrics.container';

function grafanaNotes(pod: Pod, endpoint: Endpoint): string[] {
  const [first, ...others] = pod.containers;
  if (first === undefined || others.length === 0 || pod.annotations.has(GRAFANA_CONTAINER)) return [];
  const named = pod.containers.find(({ name }) => name === endpoint.container) ?? first;
  return [
    `Grafana's k8s-monitoring makes one target of each of the ${pod.containers.length} containers, all at this endpoint; ` +
      `the annotation ${GRAFANA_CONTAINER}: ${named.name} leaves one.`,
  ];
}

function victoriaMetricsNotes(pod: Pod, endpoint: Endpoint, mesh: boolean): string[] {
  if (mesh) {
    return [
      `Istio's injector takes this endpoint into its merge at port ${ISTIO_MERGED_PORT}, which no container declares: ` +
        "VictoriaMetrics' chart doesn't scrape it.",
    ];
  }
  const declaring = pod.containers.filter((container) =>
    container.candidates.some(({ number }) => number === endpoint.port),
  );
  return declaring.length < 2
    ? []
    : [
        `${declaring.length} containers declare port ${endpoint.port}: VictoriaMetrics' chart makes a target of each; ` +
          'declare it where it is served.',
      ];
}

function slowNotes(pod: Pod, { annotationKeys }: Rules): string[] {
  return readStated(annotationKeys, pod.annotations).slow === 'true'
    ? ["scrape-slow is read by Prometheus' community chart only."]
    : [];
}

/** Istio's proxy carries what the pod said when it was injected; without it, nothing of the pod's own is merged. */
function istioNotes(pod: Pod, rules: Rules): string[] {
  const proxy = [...pod.containers, ...pod.sidecars].find(({ name }) => name === 'istio-proxy');
  if (proxy === undefined || proxy.environment().has('ISTIO_PROMETHEUS_ANNOTATIONS')) return [];
  const found = search(pod, rules);
  if (found.kind !== 'found' || found.endpoints[0].scheme === 'https') return [];
  return [
    `Istio's injector knew nothing of port ${found.endpoints[0].port} and merges none of it: autoscrape must be asked first ` +
      '(its configuration\'s name has to sort before "istio-sidecar-injector"), and the pod be created anew.',
  ];
}

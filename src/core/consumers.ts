import { GRAFANA_CONTAINER } from './annotations/dialects/grafana.ts';
import { isMergedByIstio } from './annotations/istio-targets.ts';
import { MARKER_KEY } from './annotations/marker.ts';
import { readScrapeAnnotations } from './annotations/scrape-keys.ts';
import type { Decision, Skip } from './decision.ts';
import { statedEndpoint, usablePort } from './named-endpoint.ts';
import type { Endpoint } from './rules/endpoint.ts';
import type { Pod } from './pod/pod.ts';
import { ISTIO_MERGED_PORT } from './pod/port.ts';
import type { Rules } from './rules/rule.ts';
import { evaluateRules } from './rules/evaluate-rules.ts';
import * as warning from './warning.ts';
import { writeDialects } from './write-dialects.ts';
import type { DialectSurroundings } from './write-dialects.ts';

// test/cluster/consumers.test.ts measures what scrapers do with an endpoint; docs/consumers.md
// shows it.

/** Returns the warnings for an endpoint that the configuration of some scrapers cannot scrape. */
export function consumerWarnings(pod: Pod, endpoint: Endpoint): string[] {
  const inSidecar = endpoint.declared && pod.sidecars.some(({ name }) => name === endpoint.container);
  return [
    ...(endpoint.declared ? [] : [warning.undeclared(endpoint.port)]),
    ...(inSidecar ? [warning.nativeSidecar(endpoint.port)] : []),
    ...(endpoint.scheme === 'https' ? [warning.https()] : []),
  ];
}

/**
 * Returns notes on how scrapers read the decision, one sentence each. They are too common or too
 * harmless for a warning at each creation.
 */
export function consumerNotes(pod: Pod, decision: Decision, rules: Rules, mesh: boolean): string[] {
  const stated = readScrapeAnnotations(rules.annotationKeys, pod.annotations);
  if (decision.outcome === 'skip') {
    return decision.reason === 'istio_merged'
      ? istioNotes(pod, rules)
      : notWrittenInDialects(decision, { pod, rules, mesh, stated });
  }
  const [endpoint] = decision.endpoints;
  return [
    ...(Object.hasOwn(decision.annotations, GRAFANA_CONTAINER) ? [] : grafanaNotes(pod, endpoint)),
    ...victoriaMetricsNotes(pod, endpoint, mesh),
    ...(stated.slow === 'true' ? ["Only Prometheus' community chart reads scrape-slow."] : []),
    ...(Object.values(rules.annotationKeys).some((key) => Object.hasOwn(decision.annotations, key)) ? [] : [REPEATED]),
    ...writeDialects(decision.endpoints, { pod, rules, mesh, stated }).notes,
  ];
}

const REPEATED =
  "The pod's own scrape annotations stay as they are; what is added repeats them in the other dialects of the rules.";

/** Returns why a pod that has scrape annotations gets none in the dialects of the rules. */
function notWrittenInDialects(skipped: Skip, surroundings: DialectSurroundings): string[] {
  const { pod, rules, stated } = surroundings;
  const { reason } = skipped;
  if (rules.dialects.length === 0 || (reason !== 'already_annotated' && reason !== 'already_injected')) return [];
  if (skipped.suspects !== undefined)
    return ['Once what is suspect is corrected, the endpoint is written in the other dialects, too.'];
  const port = stated.port === undefined ? undefined : usablePort(pod, stated.port);
  if (port === undefined) return [];
  const { annotations, notes } = writeDialects([statedEndpoint(surroundings, port)], surroundings);
  const isMissing = Object.keys(annotations).length > 0;
  if (reason === 'already_injected') return isMissing ? [ANNOTATED_BEFORE] : [];
  return isMissing && pod.annotations.has(MARKER_KEY) ? [FOREIGN_MARKER] : [...notes];
}

const ANNOTATED_BEFORE =
  'The pod was annotated before the rules asked for all of their dialects, and keeps what it has: its successor gets them.';

const FOREIGN_MARKER = `Nothing is written in other dialects, because the pod came with ${MARKER_KEY}: remove it from the manifest.`;

function grafanaNotes(pod: Pod, endpoint: Endpoint): string[] {
  const [first, ...others] = pod.containers;
  if (first === undefined || others.length === 0 || pod.annotations.has(GRAFANA_CONTAINER)) return [];
  const named = pod.containers.find(({ name }) => name === endpoint.container) ?? first;
  return [
    `Grafana's k8s-monitoring makes a target for each of the ${pod.containers.length} containers, all at this endpoint; ` +
      `with the annotation ${GRAFANA_CONTAINER}: ${named.name} it makes only one.`,
  ];
}

function victoriaMetricsNotes(pod: Pod, endpoint: Endpoint, mesh: boolean): string[] {
  if (mesh && isMergedByIstio(pod.annotations)) {
    return [
      `Istio's agent merges this endpoint into its own at port ${ISTIO_MERGED_PORT}, which no container declares: ` +
        "VictoriaMetrics' chart does not scrape it.",
    ];
  }
  const declaring = pod.containers.filter((container) =>
    container.candidates.some(({ number }) => number === endpoint.port),
  );
  return declaring.length < 2
    ? []
    : [
        `${declaring.length} containers declare port ${endpoint.port}: VictoriaMetrics' chart makes a target for each; ` +
          'declare it only in the container that serves it.',
      ];
}

/**
 * Istio's injector copies the pod's annotations into the proxy; without them, the agent merges none
 * of the pod's metrics.
 */
function istioNotes(pod: Pod, rules: Rules): string[] {
  const proxy = [...pod.containers, ...pod.sidecars].find(({ name }) => name === 'istio-proxy');
  if (proxy === undefined || proxy.environment().has('ISTIO_PROMETHEUS_ANNOTATIONS')) return [];
  const found = evaluateRules(pod, rules);
  if (found.kind !== 'found' || found.endpoints[0].scheme === 'https') return [];
  return [
    `Istio's injector did not know of port ${found.endpoints[0].port}, so its agent does not merge that port's metrics: ` +
      'autoscrape must run first (the name of its webhook configuration must sort before "istio-sidecar-injector"), ' +
      'and the pod must be created again.',
  ];
}

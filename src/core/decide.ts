import { readScrapeAnnotations, stepsOfReading } from './annotations/keys.ts';
import type { ScrapeAnnotations } from './annotations/keys.ts';
import { MAX_SUGGESTED } from './limits.ts';
import { OPT_IN_LABEL, readOptIn } from './opt-in.ts';
import { consumerWarnings } from './consumers.ts';
import type { Decision } from './decision.ts';
import type { Endpoint } from './rules/endpoint.ts';
import { endpointsAt, renderPath, probedScheme, configuredPath } from './rules/evaluate-rule.ts';
import { claims, MARKER_KEY, readMarker, renderMarker } from './annotations/marker.ts';
import { isOtherProtocol, readPod } from './pod/pod.ts';
import type { Pod } from './pod/pod.ts';
import { ISTIO_MERGED_PORT, isScrapable, readPortNumber } from './pod/port.ts';
import type { SkipReason } from './skip-reason.ts';
import type { Rules } from './rules/rule.ts';
import { podCandidates, evaluateRules, findPorts } from './rules/evaluate-rules.ts';
import * as warning from './warning.ts';
import { isExhausted, spend, startWork } from './step-budget.ts';
import type { Work } from './step-budget.ts';

/** What the caller knows of the pod that the pod doesn't say. */
export interface Surroundings {
  /** Istio will inject its proxy: the namespace says so. The pod's own labels `sidecar.istio.io/inject` and `istio.io/rev` override. */
  readonly mesh?: boolean;
}

/**
 * Returns what is to be done with the object: total on any JSON value, never throws, changes nothing.
 *
 * The first row that holds wins. Rows 8, 11 and 13 take the path and scheme that they aren't given from the first rule that
 * has a candidate at their port; the rule's name is then that rule's, else `annotation` or `label`.
 *
 * | #  | pod                                                             | decision                                        |
 * | -- | --------------------------------------------------------------- | ----------------------------------------------- |
 * | 1  | not a pod that can be read                                      | skip unreadable                                 |
 * | 2  | mirror of a static pod                                          | skip mirror_pod                                 |
 * | 3  | label autoscrape.io/inject, any value but "enabled" and "true"  | skip opted_out; warn unless "disabled", "false" |
 * | 4  | autoscrape.io/injected, and its values are still there          | skip already_injected                           |
 * | 5  | any spelling of scrape says something other than "true"         | skip declined; warn on a near miss              |
 * | 6  | two spellings of one key, different values                      | skip conflicting_keys; warn                     |
 * | 7a | scrape "true", Istio's merged port                              | skip istio_merged                               |
 * | 7b | scrape (or scrape-slow) "true", a port                          | skip already_annotated; warn if nobody can use it |
 * | 8  | scrape (or scrape-slow) "true", no port, one candidate in the pod | annotate: what is missing                     |
 * | 9  | scrape (or scrape-slow) "true", no port, several or none        | skip already_annotated; warn                    |
 * | 10 | port without scrape, unusable                                   | skip bad_port_annotation; warn                  |
 * | 11 | port without scrape, usable                                     | annotate: the user's port, what is missing      |
 * | 12 | label autoscrape.io/rule or /port that names nothing usable     | skip bad_rule_label, bad_port_label; warn       |
 * | 13 | label autoscrape.io/port and/or /rule                           | annotate: what the labels say                   |
 * | 14 | a rule finds an endpoint                                        | annotate                                        |
 * | 15 | (14, but https and not switched on, or in a mesh)               | skip https_endpoint, mesh_https                 |
 * | 16 | a rule or the catalogue sees that metrics are off               | skip switched_off                               |
 * | 17 | nothing found                                                   | skip no_candidate                               |
 *
 * Whatever the row, a pod on which more steps would be spent than a decision may take (limits.ts) is skipped as `too_complex`, with
 * a warning. Guards on every annotate: no https from a rule or label where 15 forbids it, no marker that claims what the pod brought along
 * (`changed_since`; warn), and no annotations near 256 KiB (`too_large`; warn).
 */
export function decide(
  object: unknown,
  rules: Rules,
  { mesh = false }: Surroundings = {},
  work: Work = startWork(),
): Decision {
  const pod = readPod(object, work);
  if (pod === undefined) return skip('unreadable');
  const decision = decideOn(pod, rules, mesh);
  return isExhausted(work) ? TOO_COMPLEX : decision;
}

function decideOn(pod: Pod, rules: Rules, mesh: boolean): Decision {
  if (pod.annotations.has('kubernetes.io/config.mirror')) return skip('mirror_pod');
  const optIn = pod.labels.get(OPT_IN_LABEL);
  if (optIn !== undefined) {
    const meaning = readOptIn(optIn);
    if (meaning === 'no') return skip('opted_out');
    if (meaning === 'unknown') return skip('opted_out', warning.unknownOptIn(optIn));
  }
  const marker = readMarker(pod.annotations.get(MARKER_KEY));
  if (
    marker !== undefined &&
    Object.entries(marker.added).every(([key, value]) => pod.annotations.get(key) === value)
  ) {
    return skip('already_injected');
  }
  if (!spend(pod.work, pod.annotations.size * stepsOfReading(rules.annotationKeys))) return TOO_COMPLEX;
  const subject: Subject = {
    pod,
    rules,
    mesh: isMeshed(pod, mesh),
    stated: readScrapeAnnotations(rules.annotationKeys, pod.annotations),
  };
  return byAnnotation(subject) ?? byLabel(subject) ?? byRule(subject);
}

/** A pod that may be annotated, with everything that decides how. */
interface Subject {
  readonly pod: Pod;
  readonly rules: Rules;
  readonly mesh: boolean;
  readonly stated: ScrapeAnnotations;
}

function skip(reason: SkipReason, ...warnings: readonly string[]): Decision {
  return { outcome: 'skip', reason, warnings };
}

const TOO_COMPLEX = skip('too_complex', warning.tooComplex());

function skipFound(reason: SkipReason, rule: string): Decision {
  return { outcome: 'skip', reason, rule, warnings: [] };
}

/** Returns whether Istio's proxy is in the pod or, as far as its labels and its namespace say, will be. */
export function isMeshed(pod: Pod, byNamespace: boolean): boolean {
  if ([...pod.containers, ...pod.sidecars].some(({ name }) => name === 'istio-proxy')) return true;
  const label = pod.labels.get('sidecar.istio.io/inject');
  // Istio's webhooks also select pods by their own revision label, in namespaces that say nothing.
  return label === 'true' || ((byNamespace || pod.labels.has('istio.io/rev')) && label !== 'false');
}

/** Rows 5 to 11. */
function byAnnotation(subject: Subject): Decision | undefined {
  const { pod, rules, stated } = subject;
  const keys = rules.annotationKeys;
  const [negation] = stated.negations;
  if (negation !== undefined) return skip('declined', ...warning.nearMiss(keys.scrape, negation));
  const [conflict] = stated.conflicts;
  if (conflict !== undefined) return skip('conflicting_keys', warning.conflict(conflict));

  const usable = stated.port === undefined ? undefined : usablePort(pod, stated.port);
  if (stated.scrape === 'true' || stated.slow === 'true') {
    if (stated.port === ISTIO_MERGED_PORT) return skip('istio_merged');
    if (stated.port !== undefined)
      return skip('already_annotated', ...(usable === undefined ? [warning.unusablePort(keys.port)] : []));
    const numbers = new Set(podCandidates(pod, rules).map(({ number }) => number));
    const [only] = numbers;
    if (only === undefined || numbers.size > 1)
      return skip('already_annotated', warning.everyPort(keys.port, numbers.size));
    return annotateAt(subject, only, 'annotation');
  }
  if (stated.port === undefined) return undefined;
  return usable === undefined
    ? skip('bad_port_annotation', warning.unusablePort(keys.port))
    : annotateAt(subject, usable, 'annotation');
}

/** Rows 12 and 13. */
function byLabel(subject: Subject): Decision | undefined {
  const { pod, rules } = subject;
  const portLabel = pod.labels.get('autoscrape.io/port');
  const ruleLabel = pod.labels.get('autoscrape.io/rule');
  if (portLabel === undefined && ruleLabel === undefined) return undefined;

  const finders = ruleLabel === undefined ? [] : rules.rules.filter(({ exclude }) => !exclude);
  const rule = finders.find(({ name }) => name === ruleLabel);
  if (ruleLabel !== undefined && rule === undefined) {
    const names = finders.map(({ name }) => name);
    const letters = Math.min(ruleLabel.length, MAX_SUGGESTED) * names.join('').length;
    return skip('bad_rule_label', warning.unknownRule(ruleLabel, spend(pod.work, letters) ? names : []));
  }
  const port = portLabel === undefined ? undefined : labelledPort(pod, rules, portLabel);
  if (portLabel !== undefined && port === undefined)
    return skip('bad_port_label', warning.unusablePort('autoscrape.io/port'));
  if (rule === undefined) return port === undefined ? undefined : annotateAt(subject, port, 'label');

  const found = findPorts(rule, pod, rules);
  const candidates = podCandidates(pod, rules);
  const numbers = new Set(candidates.map(({ number }) => number));
  const only = numbers.size === 1 ? [...numbers][0] : undefined;
  const chosen = port ?? rule.port ?? found[0]?.port.port ?? only;
  if (chosen === undefined) return skip('bad_rule_label', warning.ruleFindsNoPort(rule.name));
  const at = found.find((candidate) => candidate.port.port === chosen);
  const [known] = at === undefined ? [] : endpointsAt(at.found, [at.port], rules);
  const endpoint = known ?? {
    ...unknownEndpoint(pod, rules, chosen),
    ...(rule.path !== undefined && { path: renderPath(rule.path, undefined) ?? '/metrics' }),
    ...(rule.scheme !== undefined && { scheme: rule.scheme }),
  };
  return annotate(subject, rule.name, [endpoint]);
}

/** Rows 14 to 17. */
function byRule(subject: Subject): Decision {
  const result = evaluateRules(subject.pod, subject.rules);
  switch (result.kind) {
    case 'found':
      return annotate(subject, result.rule.name, result.endpoints);
    case 'off':
      return skipFound('switched_off', result.rule.name);
    case 'nothing':
      return skip('no_candidate');
  }
}

/** An endpoint at a port that the user names; path and scheme as the first rule has them that knows the port. */
function annotateAt(subject: Subject, port: number, namedBy: 'annotation' | 'label'): Decision {
  const { pod, rules } = subject;
  const known = evaluateRules(pod, rules, port);
  return known.kind === 'found'
    ? annotate(subject, known.rule.name, [known.endpoints[0]])
    : annotate(subject, namedBy, [unknownEndpoint(pod, rules, port)]);
}

/** The endpoint at a port that no rule knows. */
function unknownEndpoint(pod: Pod, rules: Rules, port: number): Endpoint {
  const declaring = podCandidates(pod, rules).find(({ number }) => number === port);
  const container = declaring?.container;
  return {
    container: container?.name ?? '',
    port,
    path: (container && configuredPath(container, rules)) ?? '/metrics',
    scheme: (container && probedScheme(container, port)) ?? 'http',
    declared: declaring !== undefined,
  };
}

function usablePort(pod: Pod, text: string): number | undefined {
  const port = readPortNumber(text);
  return port !== undefined && isScrapable(port) && !isOtherProtocol(pod, port) ? port : undefined;
}

function labelledPort(pod: Pod, rules: Rules, label: string): number | undefined {
  if (label === '') return undefined; // the name of every port that has none
  return usablePort(pod, label) ?? podCandidates(pod, rules).find(({ name }) => name === label)?.number;
}

/** All annotations of a pod together, in bytes (apimachinery's TotalAnnotationSizeLimitB). */
const ANNOTATIONS_LIMIT = 256 * 1024;
/** Kept free for those who come after us: controllers and injectors add theirs, and must not be what tips the pod over. */
const ANNOTATIONS_RESERVE = 4 * 1024;

function annotate(subject: Subject, rule: string, endpoints: readonly [Endpoint, ...Endpoint[]]): Decision {
  const { pod, rules, mesh, stated } = subject;
  const keys = rules.annotationKeys;
  const [endpoint, ...others] = endpoints;
  const scheme = stated.scheme ?? endpoint.scheme;
  // Istio's agent scrapes over http and leaves the scheme key as it is, which breaks the target for good.
  if (scheme === 'https' && mesh) return skipFound('mesh_https', rule);
  if (stated.scheme === undefined && endpoint.scheme === 'https' && !rules.https)
    return skipFound('https_endpoint', rule);
  const added: Record<string, string> = {};
  if (stated.scrape === undefined && stated.slow !== 'true') added[keys.scrape] = 'true';
  if (stated.port === undefined) added[keys.port] = String(endpoint.port);
  if (stated.path === undefined) added[keys.path] = endpoint.path;
  if (stated.scheme === undefined && endpoint.scheme === 'https') added[keys.scheme] = 'https';
  // A marker that a copied manifest brought along is the user's text and stays. Where it says of the user's own annotations that we
  // added them, ours must not make it true: uninject would remove them as well.
  const brought = readMarker(pod.annotations.get(MARKER_KEY));
  if (brought !== undefined && claims(brought, pod.annotations)) return skip('changed_since', warning.brokenMarker());
  const marker = pod.annotations.has(MARKER_KEY) ? {} : { [MARKER_KEY]: renderMarker({ rule, added }) };
  const annotations = { ...added, ...marker };
  if (isTooLarge([...pod.annotations, ...Object.entries(annotations)])) return skip('too_large', warning.tooLarge());
  // What the user has written of path and scheme is where the endpoint is, whatever the rule would have said.
  const written: Endpoint = {
    ...endpoint,
    path: stated.path ?? endpoint.path,
    scheme: scheme === 'https' ? 'https' : 'http',
  };
  return {
    outcome: 'annotate',
    rule,
    endpoints: [written, ...others],
    annotations,
    warnings: consumerWarnings(pod, written),
  };
}

function isTooLarge(annotations: readonly (readonly [string, string])[]): boolean {
  const limit = ANNOTATIONS_LIMIT - ANNOTATIONS_RESERVE;
  const units = annotations.reduce((sum, [key, value]) => sum + key.length + value.length, 0);
  // A UTF-16 unit takes one to three bytes, so only pods near the limit are worth encoding.
  if (units * 3 <= limit) return false;
  if (units > limit) return true;
  const encoder = new TextEncoder();
  return annotations.reduce((sum, pair) => sum + encoder.encode(pair.join('')).length, 0) > limit;
}

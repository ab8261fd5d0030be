import { allowsAsking, ASK_LABEL, askLabelProblem } from './ask-label.ts';
import { readScrapeAnnotations, stepsOfReading } from './annotations/scrape-keys.ts';
import { MAX_SUGGESTED } from './limits.ts';
import { OPT_IN_LABEL, readOptIn } from './inject-label.ts';
import { annotate, annotateInDialects } from './annotate.ts';
import type { Subject } from './annotate.ts';
import { skip, skipFound } from './decision.ts';
import type { Decision } from './decision.ts';
import type { Endpoint } from './rules/endpoint.ts';
import { endpointsAt, renderPath } from './rules/evaluate-rule.ts';
import { MARKER_KEY, readMarker } from './annotations/marker.ts';
import { readPod } from './pod/pod.ts';
import type { Pod } from './pod/pod.ts';
import { ISTIO_MERGED_PORT } from './pod/port.ts';
import type { Rules } from './rules/rule.ts';
import { podCandidates, evaluateRules, findPorts } from './rules/evaluate-rules.ts';
import {
  endpointAt,
  endpointsBeside,
  labelledPort,
  statedEndpoint,
  unknownEndpoint,
  usablePort,
} from './named-endpoint.ts';
import { suspectAnnotations } from './suspect-annotations.ts';
import * as warning from './warning.ts';
import { isExhausted, spend, startWork } from './step-budget.ts';
import type { Work } from './step-budget.ts';

/** What the caller knows about the pod and the pod itself does not say. */
export interface Surroundings {
  /**
   * Whether the namespace has Istio inject its proxy. The pod's labels `sidecar.istio.io/inject`
   * and `istio.io/rev` override this.
   */
  readonly mesh?: boolean;
  /**
   * Whether the reconciler asks pods, so that a pod for which a rule only hints (`confirm: true`)
   * is left to it.
   */
  readonly ask?: boolean;
  /** Whether the pod exists already, so that no injector reads its annotations any more. */
  readonly live?: boolean;
  /** The pod's namespace; by default the one that the pod names. A template names none. */
  readonly namespace?: string | undefined;
}

/**
 * Returns the decision on the object. It accepts any JSON value, never throws and does not change
 * the object.
 *
 * The first row that matches decides. "scrape" and "port" are the annotations of the pod; rows 7 to
 * 9 treat scrape-slow like scrape. In rows 8 and 11, and in 13 without a rule label, a missing path
 * or scheme comes from the first rule that finds the port, and the decision names that rule. Where
 * no rule finds the port, the decision names `annotation` or `label` instead.
 *
 * | #  | pod                                            | decision                                |
 * | -- | ---------------------------------------------- | --------------------------------------- |
 * | 1  | is not a valid pod                             | skip unreadable                         |
 * | 2  | is the mirror of a static pod                  | skip mirror_pod                         |
 * | 3  | autoscrape.io/inject is not enabled or true    | skip opted_out; warn if the value is    |
 * |    |                                                | not disabled or false either            |
 * | 4  | has all that autoscrape.io/injected lists      | skip already_injected                   |
 * | 5  | any spelling of scrape is not "true"           | skip declined; warn if it is similar    |
 * | 6  | two spellings of one key have different values | skip conflicting_keys; warn             |
 * | 7a | scrape is "true", port is Istio's merged port  | skip istio_merged                       |
 * | 7b | scrape is "true", port is set                  | skip already_annotated; warn where that |
 * |    |                                                | is suspect (suspect-annotations.ts)     |
 * | 7c | as 7b, nothing is suspect, and the rules ask   | annotate: repeat it in these dialects   |
 * |    | for dialects in which the pod says nothing     |                                         |
 * | 8  | scrape is "true", no port, one candidate       | annotate: add the missing annotations   |
 * | 9  | scrape is "true", no port, several or none     | skip already_annotated; warn            |
 * | 10 | no scrape, port is set but not usable          | skip bad_port_annotation; warn          |
 * | 11 | no scrape, port is usable                      | annotate: add the missing annotations   |
 * | 12 | label autoscrape.io/rule or autoscrape.io/port | skip bad_rule_label or bad_port_label;  |
 * |    | names no usable rule or port                   | warn                                    |
 * | 13 | label autoscrape.io/rule or autoscrape.io/port | annotate: use that rule and that port   |
 * | 14 | rules find endpoints                           | annotate the first; confirm: see below  |
 * | 14a| as 14 with confirm, and asking is on           | skip to_be_asked                        |
 * | 15 | as 14, but it is https that is not switched on | skip https_endpoint or mesh_https       |
 * |    | or in a mesh                                   |                                         |
 * | 16 | a rule or the catalogue shows that metrics are | skip switched_off, unreachable, guarded |
 * |    | switched off, on loopback only, protected by   | or served_elsewhere                     |
 * |    | credentials, or served by something else       |                                         |
 * | 17 | no rule finds an endpoint                      | skip no_candidate                       |
 *
 * Which of several endpoints is the first is decided by the containers (rules/precedence.ts), except that those which row
 * 15 would skip come last. A warning names the others.
 *
 * In row 14, `confirm` is true where the rule says `confirm: true` and asking is of use: not in an
 * Istio mesh, where the injector writes its own port before anybody could ask; not at an https
 * endpoint, because only http is asked; and not where the pod's label autoscrape.io/ask is not
 * enabled or true, because then nobody asks. Where that label matters (rows 14 with such a rule, and
 * 17), a value that is not disabled or false either gives a warning.
 *
 * In every row, a pod that needs more steps than one decision may take (limits.ts) is skipped as
 * `too_complex`, with a warning. Every annotate row has three guards, which skip the pod: an https
 * endpoint that row 15 forbids; a copied marker that claims annotations of the user
 * (`changed_since`, with a warning); annotations of nearly 256 KiB (`too_large`, with a warning).
 */
export function decide(
  object: unknown,
  rules: Rules,
  { mesh = false, ask = false, live = false, namespace }: Surroundings = {},
  work: Work = startWork(),
): Decision {
  const pod = readPod(object, work, namespace);
  if (pod === undefined) return skip('unreadable');
  const decision = leaveToAsking(decideOn(pod, rules, mesh, live), ask);
  return isExhausted(work) ? TOO_COMPLEX : decision;
}

/**
 * Returns the decision on a pod that {@link decide} leaves to asking, after the endpoint has
 * answered: to annotate it, unless one of the guards of every such row skips the pod.
 */
export function decideByAnswer(
  object: unknown,
  rules: Rules,
  { mesh = false, live = false, namespace }: Surroundings,
  endpoint: Endpoint,
): Decision {
  const pod = readPod(object, startWork(), namespace);
  if (pod === undefined) return skip('unreadable');
  const stated = readScrapeAnnotations(rules.annotationKeys, pod.annotations);
  return annotate({ pod, rules, mesh: isMeshed(pod, mesh), live, stated }, [endpoint]);
}

/** Row 14a. */
function leaveToAsking(decision: Decision, ask: boolean): Decision {
  return ask && decision.outcome === 'annotate' && decision.confirm
    ? skipFound('to_be_asked', decision.rule)
    : decision;
}

function decideOn(pod: Pod, rules: Rules, mesh: boolean, live: boolean): Decision {
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
    live,
    stated: readScrapeAnnotations(rules.annotationKeys, pod.annotations),
  };
  return byAnnotation(subject) ?? byLabel(subject) ?? byRule(subject);
}

const TOO_COMPLEX = skip('too_complex', warning.tooComplex());

/**
 * Returns whether the pod contains Istio's proxy, or will according to its labels and namespace.
 */
export function isMeshed(pod: Pod, byNamespace: boolean): boolean {
  if ([...pod.containers, ...pod.sidecars].some(({ name }) => name === 'istio-proxy')) return true;
  const label = pod.labels.get('sidecar.istio.io/inject');
  // Istio's webhooks also select pods by their own revision label, where the namespace has no
  // label.
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
    if (stated.port !== undefined) return alreadyAnnotated(subject);
    const numbers = new Set(podCandidates(pod, rules).map(({ number }) => number));
    const [only] = numbers;
    if (only === undefined || numbers.size > 1) return alreadyAnnotated(subject);
    return annotate(subject, [endpointAt(subject, only, 'annotation')]);
  }
  if (stated.port === undefined) return undefined;
  return usable === undefined
    ? skip('bad_port_annotation', warning.unusablePort(keys.port))
    : annotateStated(subject, endpointAt(subject, usable, 'annotation'));
}

/** Rows 7b, 7c and 9. */
function alreadyAnnotated(subject: Subject): Decision {
  const { pod, rules, stated } = subject;
  const suspects = suspectAnnotations(pod, rules, stated);
  if (rules.dialects.length > 0 && suspects.length === 0 && stated.port !== undefined) {
    const port = usablePort(pod, stated.port);
    const repeated = port === undefined ? undefined : annotateInDialects(subject, statedEndpoint(subject, port));
    if (repeated !== undefined) return repeated;
  }
  const decision = skip('already_annotated', ...suspects.map((suspect) => suspect.warning));
  return suspects.length === 0 ? decision : { ...decision, suspects: suspects.map(({ kind }) => kind) };
}

/** Rows 12 and 13. */
function byLabel(subject: Subject): Decision | undefined {
  const { pod, rules } = subject;
  const portLabel = pod.labels.get('autoscrape.io/port');
  const ruleLabel = pod.labels.get('autoscrape.io/rule');
  if (portLabel === undefined && ruleLabel === undefined) return undefined;

  const finders = ruleLabel === undefined ? [] : rules.rules.filter(({ exclude }) => exclude === undefined);
  const rule = finders.find(({ name }) => name === ruleLabel);
  if (ruleLabel !== undefined && rule === undefined) {
    const names = finders.map(({ name }) => name);
    const letters = Math.min(ruleLabel.length, MAX_SUGGESTED) * names.join('').length;
    return skip('bad_rule_label', warning.unknownRule(ruleLabel, spend(pod.work, letters) ? names : []));
  }
  const port = portLabel === undefined ? undefined : labelledPort(pod, rules, portLabel);
  if (portLabel !== undefined && port === undefined)
    return skip('bad_port_label', warning.unusablePort('autoscrape.io/port'));
  if (rule === undefined)
    return port === undefined ? undefined : annotateStated(subject, endpointAt(subject, port, 'label'));

  const found = findPorts(rule, pod, rules);
  const candidates = podCandidates(pod, rules);
  const numbers = new Set(candidates.map(({ number }) => number));
  const only = numbers.size === 1 ? [...numbers][0] : undefined;
  const chosen = port ?? rule.port ?? found[0]?.port.port ?? only;
  if (chosen === undefined) return skip('bad_rule_label', warning.ruleFindsNoPort(rule.name));
  const at = found.find((candidate) => candidate.port.port === chosen);
  const [known] = at === undefined ? [] : endpointsAt(at.found, [at.port], rules);
  const endpoint = known ?? {
    ...unknownEndpoint(pod, rules, chosen, rule.name),
    ...(rule.path !== undefined && { path: renderPath(rule.path, undefined) ?? '/metrics' }),
    ...(rule.scheme !== undefined && { scheme: rule.scheme }),
  };
  return annotateStated(subject, endpoint);
}

/** Rows 14 to 17. */
function byRule(subject: Subject): Decision {
  const result = evaluateRules(subject.pod, subject.rules);
  switch (result.kind) {
    case 'found': {
      const endpoints = scrapableFirst(subject, result.endpoints);
      const because = endpoints === result.endpoints ? result.because : 'scrapable';
      return result.rule.confirm
        ? withConfirm(subject, annotate(subject, endpoints, because, true))
        : annotate(subject, endpoints, because);
    }
    case 'off':
      return skipFound(result.reason, result.rule.name);
    case 'nothing':
      return skip('no_candidate', ...askWarnings(subject.pod));
  }
}

/** Returns the endpoints with the first that scrapers can be sent to at the front: perhaps not https ones. */
function scrapableFirst(
  { rules, mesh, stated }: Subject,
  endpoints: readonly [Endpoint, ...Endpoint[]],
): readonly [Endpoint, ...Endpoint[]] {
  if (endpoints.length === 1 || stated.scheme !== undefined || (rules.https && !mesh)) return endpoints;
  const http = endpoints.find(({ scheme }) => scheme === 'http');
  if (http === undefined || http === endpoints[0]) return endpoints;
  return [http, ...endpoints.filter((endpoint) => endpoint !== http)];
}

/** Returns the decision of a rule with `confirm: true`. */
function withConfirm({ pod, mesh }: Subject, decision: Decision): Decision {
  if (decision.outcome === 'skip') return decision;
  const isHttp = decision.endpoints[0].scheme === 'http';
  return {
    ...decision,
    confirm: isHttp && !mesh && allowsAsking(pod.labels.get(ASK_LABEL)),
    warnings: [...decision.warnings, ...askWarnings(pod)],
  };
}

function askWarnings(pod: Pod): string[] {
  const problem = askLabelProblem(pod.labels.get(ASK_LABEL));
  return problem === undefined ? [] : [warning.unknownAsk(problem)];
}

/**
 * Annotates the endpoint that the user names. It says where the metrics of its own container are; those of other
 * containers come after it.
 */
function annotateStated(subject: Subject, endpoint: Endpoint): Decision {
  return annotate(subject, [endpoint, ...endpointsBeside(endpoint, subject)], 'stated');
}

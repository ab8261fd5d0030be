import { consumerNotes } from './consumers.ts';
import { decide, isMeshed } from './decide.ts';
import type { Surroundings } from './decide.ts';
import type { Decision } from './decision.ts';
import { endpointsAt, evaluateRule } from './rules/evaluate-rule.ts';
import type { FailedCondition } from './rules/evaluate-rule.ts';
import { isOtherProtocol, readPod } from './pod/pod.ts';
import type { Container, Pod } from './pod/pod.ts';
import { ISTIO_PORTS, isScrapable } from './pod/port.ts';
import type { Rule, Rules } from './rules/rule.ts';
import { ownContainers } from './rules/evaluate-rules.ts';
import type { NoEndpoint } from './skip-reason.ts';
import { isExhausted, spend } from './step-budget.ts';

/** One port of the pod, declared or named by a setting, with the result of each rule for it. */
export interface Candidate {
  readonly container: string;
  readonly port: number;
  /** The declared port's name, or empty. */
  readonly name: string;
  /** A sentence on why no rule may match it; undefined for a port that can be scraped. */
  readonly excluded: string | undefined;
  /** The rules that find an endpoint here, in order, with its path and scheme. */
  readonly matched: readonly { readonly rule: string; readonly path: string; readonly scheme: 'http' | 'https' }[];
  /** The other rules, in order, each with the reason in a sentence. */
  readonly notMatched: readonly { readonly rule: string; readonly because: string }[];
}

/** A decision, with the result of every rule for every port. */
export interface Explanation {
  readonly decision: Decision;
  readonly candidates: readonly Candidate[];
  /** Sentences on how scrapers read the decision. */
  readonly notes: readonly string[];
}

/**
 * Returns the decision on the object, the result of each rule for each of its ports, and notes on
 * scrapers. This takes more steps than the decision, and may take as many again as a decision:
 * where they are not enough, only the decision is returned.
 */
export function explain(object: unknown, rules: Rules, surroundings: Surroundings = {}): Explanation {
  const decision = decide(object, rules, surroundings);
  const pod = readPod(object, undefined, surroundings.namespace);
  if (pod === undefined || (decision.outcome === 'skip' && decision.reason === 'too_complex'))
    return { decision, candidates: [], notes: [] };
  const candidates = [...pod.containers, ...pod.sidecars].flatMap((container) => candidatesOf(container, pod, rules));
  const notes = [
    ...otherEndpoints(decision, candidates, rules),
    ...consumerNotes(pod, decision, rules, isMeshed(pod, surroundings.mesh ?? false)),
  ];
  return isExhausted(pod.work) ? { decision, candidates: [], notes: [TOO_COMPLEX] } : { decision, candidates, notes };
}

/**
 * Returns notes on the ports that rules find besides the endpoints of the decision, such as another rule's port in the
 * same container. Rules that only hint are left out.
 */
function otherEndpoints(decision: Decision, candidates: readonly Candidate[], rules: Rules): string[] {
  if (decision.outcome === 'skip') return [];
  const { endpoints } = decision;
  const decided = new Set(endpoints.map(({ port }) => port));
  const firm = new Set(rules.rules.filter(({ confirm }) => !confirm).map(({ name }) => name));
  const others = candidates.flatMap(({ container, port, matched }) => {
    const found = matched.find(({ rule }) => firm.has(rule));
    return found === undefined || decided.has(port) ? [] : [{ container, port, ...found }];
  });
  return others.slice(0, MAX_OTHERS).map(({ container, port, path, rule }) => {
    const decider = endpoints.find((endpoint) => endpoint.container === container);
    return (
      `Port ${port} of container ${container} (${path}, rule ${rule}) is not scraped, because ` +
      `${decidedBy(decider?.rule ?? decision.rule)} decides for ${decider === undefined ? 'the pod' : 'its container'}: ` +
      'a PodMonitor, or a scrape configuration by port name, takes several.'
    );
  });
}

function decidedBy(rule: string): string {
  return rule === 'annotation' || rule === 'label' ? `the pod's own ${rule}` : `rule ${rule}`;
}

/** Notes on other endpoints of one pod: a decision may list 64 of them. */
const MAX_OTHERS = 4;

const TOO_COMPLEX = 'The pod is too complex to show the result of each rule for each of its ports.';

/** Steps of the result of one rule for one port. */
const RESULT = 20;

function candidatesOf(container: Container, pod: Pod, rules: Rules): Candidate[] {
  const results = rules.rules.map((rule) => {
    const result = evaluateRule(rule, container, pod, rules);
    const ports = typeof result === 'object' && result.kind === 'found' ? result.ports : [];
    return { rule, result, ports: new Map(ports.map((port) => [port.port, port])) };
  });
  const numbers = new Set(container.declared());
  for (const { ports } of results) for (const number of ports.keys()) numbers.add(number);
  if (!spend(pod.work, RESULT * rules.rules.length * numbers.size)) return [];
  const isInjected = ownContainers([container], rules).length === 0;
  const names = new Map(
    container.ports
      .filter(({ name }) => name !== '')
      .toReversed()
      .map(({ number, name }) => [number, name]),
  );
  return [...numbers].map((number) => {
    const excluded = isInjected
      ? `container ${container.name} is injected, and serves metrics of its own`
      : whyExcluded(number, pod);
    const matched: Candidate['matched'][number][] = [];
    const notMatched: Candidate['notMatched'][number][] = [];
    for (const { rule, result, ports } of results) {
      if (typeof result === 'string') notMatched.push({ rule: rule.name, because: whyFailed(result, rule) });
      else if (result.kind === 'off') notMatched.push({ rule: rule.name, because: WHY_NONE[result.reason] });
      else {
        const port = ports.get(number);
        if (port === undefined)
          notMatched.push({ rule: rule.name, because: `it finds port ${result.ports[0].port} instead` });
        else if (excluded === undefined) {
          const [endpoint] = endpointsAt(result, [port], rules);
          if (endpoint !== undefined) matched.push({ rule: rule.name, path: endpoint.path, scheme: endpoint.scheme });
        }
      }
    }
    return { container: container.name, port: number, name: names.get(number) ?? '', excluded, matched, notMatched };
  });
}

function whyExcluded(port: number, pod: Pod): string | undefined {
  if (isOtherProtocol(pod, port)) return 'declared, but not for TCP';
  if (ISTIO_PORTS.has(port)) return 'cannot be scraped: Istio reserves it, and rejects pods that are annotated with it';
  if (!isScrapable(port)) return 'cannot be scraped: a port is a number from 1 to 65535';
  return undefined;
}

const WHY_NONE: Readonly<Record<NoEndpoint, string>> = {
  switched_off: "the container's metrics are switched off",
  unreachable: "the container's metrics are on loopback only",
  guarded: "the container's metrics are protected by credentials",
  served_elsewhere: "the container's metrics are served elsewhere",
};

/** Returns a sentence on why the rule does not match. */
function whyFailed(condition: FailedCondition, { when }: Rule): string {
  switch (condition) {
    case 'namespace':
      return `the namespace does not match ${when.namespace?.source ?? ''}`;
    case 'podLabels':
      return "the pod's labels do not match";
    case 'container':
      return `the container's name does not match ${when.container?.source ?? ''}`;
    case 'image':
      return `the image does not match ${when.image?.source ?? ''}`;
    case 'portName':
      return `no port name matches ${when.portName?.source ?? ''}`;
    case 'otherPortName':
      return `no other port's name matches ${when.otherPortName?.source ?? ''}`;
    case 'portNumber':
      return `no port is ${when.portNumber?.join(' or ') ?? ''}`;
    case 'probePath':
      return `no probe path matches ${when.probePath?.source ?? ''}`;
    case 'argument':
      return `no argument matches ${when.argument?.source ?? ''}`;
    case 'env':
      return `no variable matches ${when.env?.pattern.source ?? ''}`;
    case 'setting':
      return `no argument and no variable matches ${when.setting?.pattern.source ?? ''}`;
    case 'framework':
    case 'stated':
      return `the settings do not say where ${when.framework ?? 'a framework'} serves metrics`;
    case 'catalogue':
      return 'the catalogue does not list this image with these ports and arguments';
    case 'declared':
      return 'the container does not declare the port that the rule finds';
    case 'unless':
      return "the rule's exception (unless) matches";
    case 'which_port':
      return 'the conditions match, but none of them names a single port';
  }
}

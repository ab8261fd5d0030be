import { consumerNotes } from './consumers.ts';
import { decide, isMeshed } from './decide.ts';
import type { Surroundings } from './decide.ts';
import type { Decision } from './decision.ts';
import { endpointsAt, findIn } from './rules/evaluate-rule.ts';
import type { Finding, Found } from './rules/evaluate-rule.ts';
import { isOtherProtocol, readPod } from './pod/pod.ts';
import type { Container, Pod } from './pod/pod.ts';
import { isScrapable } from './pod/port.ts';
import type { Rule, Rules } from './rules/rule.ts';
import { ownContainers } from './rules/evaluate-rules.ts';
import { isExhausted, spend } from './step-budget.ts';

/** One port of the pod, declared or stated, with what each rule says of it. */
export interface Candidate {
  readonly container: string;
  readonly port: number;
  /** The declared port's name, or empty. */
  readonly name: string;
  /** Why no rule may take it, in words; undefined for a port that can be scraped. */
  readonly excluded: string | undefined;
  /** The rules that find an endpoint here, in order, with the path and scheme that they give it. */
  readonly taken: readonly { readonly rule: string; readonly path: string; readonly scheme: 'http' | 'https' }[];
  /** The other rules, in order, each with what is missing, in words. */
  readonly refused: readonly { readonly rule: string; readonly because: string }[];
}

/** A decision with everything that was weighed. */
export interface Explanation {
  readonly decision: Decision;
  readonly candidates: readonly Candidate[];
  /** What is worth knowing of how scrapers read the decision, in sentences. */
  readonly notes: readonly string[];
}

/**
 * Returns what `decide` decides of the object, what each rule says of each of its ports, and what scrapers make of it. That
 * takes more steps than the decision and has as many again: where they don't suffice, the decision stands alone.
 */
export function explain(object: unknown, rules: Rules, surroundings: Surroundings = {}): Explanation {
  const decision = decide(object, rules, surroundings);
  const pod = readPod(object);
  if (pod === undefined || (decision.outcome === 'skip' && decision.reason === 'too_complex'))
    return { decision, candidates: [], notes: [] };
  const candidates = [...pod.containers, ...pod.sidecars].flatMap((container) => candidatesOf(container, pod, rules));
  const notes = consumerNotes(pod, decision, rules, isMeshed(pod, surroundings.mesh ?? false));
  return isExhausted(pod.work) ? { decision, candidates: [], notes: [TOO_MUCH] } : { decision, candidates, notes };
}

const TOO_MUCH = 'There is too much in this pod to show what each rule says of each of its ports.';

/** Steps of what one rule says of one port. */
const VERDICT = 20;

function candidatesOf(container: Container, pod: Pod, rules: Rules): Candidate[] {
  const findings = rules.rules.map((rule) => {
    const finding = findIn(rule, container, pod, rules);
    const ports = finding.kind === 'found' ? finding.ports : [];
    return { rule, finding, ports: new Map(ports.map((port) => [port.port, port])) };
  });
  const numbers = new Set(container.declared());
  for (const { ports } of findings) for (const number of ports.keys()) numbers.add(number);
  if (!spend(pod.work, VERDICT * rules.rules.length * numbers.size)) return [];
  const isInjected = ownContainers([container], rules).length === 0;
  const names = new Map(
    container.ports
      .filter(({ name }) => name !== '')
      .toReversed()
      .map(({ number, name }) => [number, name]),
  );
  return [...numbers].map((number) => {
    const excluded = isInjected ? `container ${container.name} is one that others inject` : whyExcluded(number, pod);
    const taken: Candidate['taken'][number][] = [];
    const refused: Candidate['refused'][number][] = [];
    for (const { rule, finding, ports } of findings) {
      if (finding.kind !== 'found') refused.push({ rule: rule.name, because: inWords(finding, rule) });
      else {
        const port = ports.get(number);
        if (port === undefined)
          refused.push({ rule: rule.name, because: `finds port ${finding.ports[0].port} instead` });
        else if (excluded === undefined) {
          const [endpoint] = endpointsAt(finding, [port], rules);
          if (endpoint !== undefined) taken.push({ rule: rule.name, path: endpoint.path, scheme: endpoint.scheme });
        }
      }
    }
    return { container: container.name, port: number, name: names.get(number) ?? '', excluded, taken, refused };
  });
}

function whyExcluded(port: number, pod: Pod): string | undefined {
  if (isOtherProtocol(pod, port)) return 'declared, but not for TCP';
  if (!isScrapable(port)) return 'not a port that can be scraped (out of range, or kept by Istio for itself)';
  return undefined;
}

/** Returns why the rule finds nothing, in words: complete the sentence "the rule doesn't take it, because …". */
function inWords(finding: Exclude<Finding, Found>, { when }: Rule): string {
  if (finding.kind === 'off') return 'the container says that its metrics are switched off';
  switch (finding.by) {
    case 'podLabels':
      return "the pod's labels don't match";
    case 'container':
      return `the container isn't called ${when.container?.source ?? ''}`;
    case 'image':
      return `the image isn't ${when.image?.source ?? ''}`;
    case 'portName':
      return `no port is called ${when.portName?.source ?? ''}`;
    case 'portNumber':
      return `no port is ${when.portNumber?.join(' or ') ?? ''}`;
    case 'probePath':
      return `no probe asks for ${when.probePath?.source ?? ''}`;
    case 'argument':
      return `no argument says ${when.argument?.source ?? ''}`;
    case 'env':
      return `no variable says ${when.env?.pattern.source ?? ''}`;
    case 'catalogue':
      return "the catalogue doesn't know the image, or not with these ports and arguments";
    case 'declared':
      return "the container doesn't declare the port that the rule finds";
    case 'unless':
      return "the rule's own exception holds";
    case 'which_port':
      return 'it fits the container, but leaves open which port';
  }
}

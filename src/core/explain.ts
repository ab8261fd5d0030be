import { consumerNotes } from './consumers.ts';
import { decide, isMeshed } from './decide.ts';
import type { Surroundings } from './decide.ts';
import type { Decision } from './decision.ts';
import { findIn } from './finding.ts';
import type { Refusal } from './finding.ts';
import { isOtherProtocol, readPod } from './pod.ts';
import type { Container, Pod } from './pod.ts';
import { isScrapable } from './port.ts';
import type { Rule, Rules } from './rule.ts';
import { ownContainers } from './search.ts';

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

/** Returns what `decide` decides of the object, what each rule says of each of its ports, and what scrapers make of it. */
export function explain(object: unknown, rules: Rules, surroundings: Surroundings = {}): Explanation {
  const pod = readPod(object);
  const decision = decide(object, rules, surroundings);
  if (pod === undefined) return { decision, candidates: [], notes: [] };
  return {
    decision,
    candidates: [...pod.containers, ...pod.sidecars].flatMap((container) => candidatesOf(container, pod, rules)),
    notes: consumerNotes(pod, decision, rules, isMeshed(pod, surroundings.mesh ?? false)),
  };
}

function candidatesOf(container: Container, pod: Pod, rules: Rules): Candidate[] {
  const findings = rules.rules.map((rule) => ({ rule, finding: findIn(rule, container, pod, rules) }));
  const stated = findings.flatMap(({ finding }) => (finding.kind === 'endpoints' ? finding.endpoints : []));
  const numbers = new Set([...container.ports.map(({ number }) => number), ...stated.map(({ port }) => port)]);
  return [...numbers].map((port) => {
    const excluded = whyExcluded(container, port, pod, rules);
    return {
      container: container.name,
      port,
      name: container.ports.find(({ number, name }) => number === port && name !== '')?.name ?? '',
      excluded,
      taken: findings.flatMap(({ rule, finding }) => {
        const endpoint =
          finding.kind === 'endpoints' ? finding.endpoints.find((found) => found.port === port) : undefined;
        return endpoint === undefined || excluded !== undefined
          ? []
          : [{ rule: rule.name, path: endpoint.path, scheme: endpoint.scheme }];
      }),
      refused: findings.flatMap(({ rule, finding }) => {
        if (finding.kind === 'endpoints') {
          return finding.endpoints.some((found) => found.port === port)
            ? []
            : [{ rule: rule.name, because: `finds port ${finding.endpoints[0].port} instead` }];
        }
        return [
          {
            rule: rule.name,
            because:
              finding.kind === 'off'
                ? 'the container says that its metrics are switched off'
                : inWords(finding.by, rule),
          },
        ];
      }),
    };
  });
}

function whyExcluded(container: Container, port: number, pod: Pod, rules: Rules): string | undefined {
  if (ownContainers([container], rules).length === 0) return `container ${container.name} is one that others inject`;
  if (isOtherProtocol(pod, port)) return 'declared, but not for TCP';
  if (!isScrapable(port)) return 'not a port that can be scraped (out of range, or kept by Istio for itself)';
  return undefined;
}

/** Returns why the condition fails, in words: complete the sentence "the rule doesn't take it, because …". */
function inWords(by: Refusal, { when }: Rule): string {
  switch (by) {
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

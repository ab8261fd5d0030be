import type { Subject } from './annotate.ts';
import { isOtherProtocol } from './pod/pod.ts';
import type { Pod } from './pod/pod.ts';
import { isScrapable, readPortNumber } from './pod/port.ts';
import type { Endpoint } from './rules/endpoint.ts';
import { configuredPath, saidScheme } from './rules/evaluate-rule.ts';
import { evaluateRules, podCandidates } from './rules/evaluate-rules.ts';
import type { Rules } from './rules/rule.ts';

// The endpoint that a label or an annotation of the pod names, and what the rules know of it.

/** Returns the endpoint at the port that the user names, with the path and scheme of the first rule that finds it. */
export function endpointAt({ pod, rules }: Subject, port: number, namedBy: 'annotation' | 'label'): Endpoint {
  const known = evaluateRules(pod, rules, port);
  return known.kind === 'found' ? known.endpoints[0] : unknownEndpoint(pod, rules, port, namedBy);
}

/** Returns the endpoint that the author has written, as scrapers read it. */
export function statedEndpoint(
  { pod, rules, stated }: Pick<Subject, 'pod' | 'rules' | 'stated'>,
  port: number,
): Endpoint {
  const scheme = stated.scheme === 'https' ? 'https' : 'http';
  return { ...unknownEndpoint(pod, rules, port, 'annotation'), path: stated.path ?? '/metrics', scheme };
}

/** Returns the endpoint at a port that no rule finds. */
export function unknownEndpoint(pod: Pod, rules: Rules, port: number, rule: string): Endpoint {
  const declaring = podCandidates(pod, rules).find(({ number }) => number === port);
  const container = declaring?.container;
  return {
    rule,
    container: container?.name ?? '',
    port,
    path: (container && configuredPath(container, rules)) ?? '/metrics',
    scheme: (container && saidScheme(container, port)) ?? 'http',
    declared: declaring !== undefined,
  };
}

/** Returns the endpoints of other containers, beside the one that the user names. */
export function endpointsBeside(
  { container: own, port: ownPort }: Endpoint,
  { pod, rules }: Subject,
): readonly Endpoint[] {
  const isAlone = [...pod.containers, ...pod.sidecars].every(({ name }) => name === own);
  if (own === '' || isAlone) return [];
  const found = evaluateRules(pod, rules);
  if (found.kind !== 'found' || found.rule.confirm) return [];
  return found.endpoints.filter(({ container, port }) => container !== own && port !== ownPort);
}

/** Returns the port that the string names, or undefined where a scraper cannot use it. */
export function usablePort(pod: Pod, text: string): number | undefined {
  const port = readPortNumber(text);
  return port !== undefined && isScrapable(port) && !isOtherProtocol(pod, port) ? port : undefined;
}

/** Returns the port that the label means, by its number or by its name, or undefined. */
export function labelledPort(pod: Pod, rules: Rules, label: string): number | undefined {
  if (label === '') return undefined; // ports without a name have this name
  return usablePort(pod, label) ?? podCandidates(pod, rules).find(({ name }) => name === label)?.number;
}

import { MAX_ENDPOINTS } from '../limits.ts';
import type { Endpoint } from './endpoint.ts';
import { endpointsAt, evaluateRule } from './evaluate-rule.ts';
import type { RuleMatch } from './evaluate-rule.ts';
import type { NamedPort } from './evaluate-conditions.ts';
import type { Container, Pod, Port } from '../pod/pod.ts';
import type { Rule, Rules } from './rule.ts';
import type { NoEndpoint } from '../skip-reason.ts';
import { isExhausted } from '../step-budget.ts';

/** The result of all rules in one pod. */
export type RulesResult =
  | { readonly kind: 'found'; readonly rule: Rule; readonly endpoints: readonly [Endpoint, ...Endpoint[]] }
  | { readonly kind: 'off'; readonly rule: Rule; readonly reason: NoEndpoint }
  | { readonly kind: 'nothing' };

/**
 * Returns the workload's own containers: the containers that meshes and agents inject serve metrics
 * of their own.
 */
export function ownContainers(containers: readonly Container[], rules: Rules): Container[] {
  return containers.filter(({ name, work }) => !rules.ignoreContainers.some((ignored) => ignored.matches(name, work)));
}

/** A declared port that can be scraped, with the container that declares it. */
export interface CandidatePort extends Port {
  readonly container: Container;
}

/** Returns every port of the pod that can be scraped, regular containers first. */
export function podCandidates(pod: Pod, rules: Rules): CandidatePort[] {
  return ownContainers([...pod.containers, ...pod.sidecars], rules).flatMap((container) =>
    container.candidates.map((port) => ({ ...port, container })),
  );
}

/**
 * Returns the result of the first rule that finds an endpoint, at any port or only at the given
 * one. All rules are evaluated in the regular containers before the native sidecars, because the
 * application comes before its sidecar, and VictoriaMetrics does not see init containers' ports.
 */
export function evaluateRules(pod: Pod, rules: Rules, at?: number): RulesResult {
  let off: { readonly rule: Rule; readonly reason: NoEndpoint } | undefined;
  for (const group of [pod.containers, pod.sidecars]) {
    let searched = ownContainers(group, rules);
    for (const rule of rules.rules) {
      if (searched.length === 0 || isExhausted(pod.work)) break;
      const endpoints: Endpoint[] = [];
      let excluded: Set<Container> | undefined; // allocated on first use: most rules find nothing
      for (const container of searched) {
        const result = evaluateRule(rule, container, pod, rules);
        if (typeof result === 'string') continue;
        if (result.kind === 'off') {
          excluded = (excluded ?? new Set()).add(container);
          off ??= { rule, reason: result.reason };
        }
        if (result.kind === 'found') addEndpoints(endpoints, result, rules, at);
      }
      const [first, ...others] = endpoints;
      if (first !== undefined) return { kind: 'found', rule, endpoints: [first, ...others] };
      if (excluded !== undefined) searched = without(searched, excluded);
    }
  }
  return off === undefined ? { kind: 'nothing' } : { kind: 'off', ...off };
}

function addEndpoints(endpoints: Endpoint[], result: RuleMatch, rules: Rules, at: number | undefined): void {
  const ports = at === undefined ? result.ports : result.ports.filter(({ port }) => port === at);
  endpoints.push(...endpointsAt(result, ports.slice(0, MAX_ENDPOINTS - endpoints.length), rules));
}

function without(containers: readonly Container[], some: ReadonlySet<Container>): Container[] {
  return containers.filter((container) => !some.has(container));
}

/** A port that a rule finds, with the match that an endpoint is made from. */
export interface FoundPort {
  readonly found: RuleMatch;
  readonly port: NamedPort;
}

/**
 * Returns the ports that one rule finds, regular containers before native sidecars, for a pod whose
 * label names the rule.
 */
export function findPorts(rule: Rule, pod: Pod, rules: Rules): readonly FoundPort[] {
  for (const group of [pod.containers, pod.sidecars]) {
    const ports = ownContainers(group, rules).flatMap((container) => {
      const result = evaluateRule(rule, container, pod, rules);
      return typeof result === 'object' && result.kind === 'found'
        ? result.ports.map((port) => ({ found: result, port }))
        : [];
    });
    if (ports.length > 0) return ports;
  }
  return [];
}

import { MAX_ENDPOINTS } from '../limits.ts';
import type { Endpoint } from './endpoint.ts';
import { endpointsAt, findIn } from './evaluate-rule.ts';
import type { Found } from './evaluate-rule.ts';
import type { NamedPort } from './conditions.ts';
import type { Container, Pod, Port } from '../pod/pod.ts';
import type { Rule, Rules } from './rule.ts';
import { isExhausted } from '../step-budget.ts';

/** What the rules say of a whole pod. */
export type Search =
  | { readonly kind: 'found'; readonly rule: Rule; readonly endpoints: readonly [Endpoint, ...Endpoint[]] }
  | { readonly kind: 'off'; readonly rule: Rule }
  | { readonly kind: 'nothing' };

/** Returns the containers that are the workload's own: what meshes and agents inject serves metrics of theirs. */
export function ownContainers(containers: readonly Container[], rules: Rules): Container[] {
  return containers.filter(({ name, work }) => !rules.ignoreContainers.some((ignored) => ignored.matches(name, work)));
}

/** A declared port that can be scraped, and who declares it. */
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
 * Returns what the first rule that finds an endpoint finds, at whatever port or at the given one. Regular containers go
 * through all rules before native sidecars do: an application with a sidecar is meant to be found first, and
 * VictoriaMetrics does not see init containers' ports.
 */
export function search(pod: Pod, rules: Rules, at?: number): Search {
  let off: Rule | undefined;
  for (const group of [pod.containers, pod.sidecars]) {
    let searched = ownContainers(group, rules);
    for (const rule of rules.rules) {
      if (searched.length === 0 || isExhausted(pod.work)) break;
      const endpoints: Endpoint[] = [];
      let silent: Set<Container> | undefined; // most rules find nothing, and nothing is made for them
      for (const container of searched) {
        const finding = findIn(rule, container, pod, rules);
        if (finding.kind === 'off') silent = (silent ?? new Set()).add(container);
        if (finding.kind === 'found') addEndpoints(endpoints, finding, rules, at);
      }
      const [first, ...others] = endpoints;
      if (first !== undefined) return { kind: 'found', rule, endpoints: [first, ...others] };
      if (silent !== undefined) {
        off ??= rule;
        searched = without(searched, silent);
      }
    }
  }
  return off === undefined ? { kind: 'nothing' } : { kind: 'off', rule: off };
}

function addEndpoints(endpoints: Endpoint[], finding: Found, rules: Rules, at: number | undefined): void {
  const ports = at === undefined ? finding.ports : finding.ports.filter(({ port }) => port === at);
  endpoints.push(...endpointsAt(finding, ports.slice(0, MAX_ENDPOINTS - endpoints.length), rules));
}

function without(containers: readonly Container[], some: ReadonlySet<Container>): Container[] {
  return containers.filter((container) => !some.has(container));
}

/** A port that a rule finds, of which an endpoint can be made. */
export interface FoundPort {
  readonly found: Found;
  readonly port: NamedPort;
}

/** Returns what one rule finds, regular containers before native sidecars: for a workload that names the rule itself. */
export function searchWith(rule: Rule, pod: Pod, rules: Rules): readonly FoundPort[] {
  for (const group of [pod.containers, pod.sidecars]) {
    const ports = ownContainers(group, rules).flatMap((container) => {
      const finding = findIn(rule, container, pod, rules);
      return finding.kind === 'found' ? finding.ports.map((port) => ({ found: finding, port })) : [];
    });
    if (ports.length > 0) return ports;
  }
  return [];
}

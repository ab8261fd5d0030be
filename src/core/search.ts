import type { Endpoint } from './decision.ts';
import { findIn } from './finding.ts';
import type { Container, Pod, Port } from './pod.ts';
import type { Rule, Rules } from './rule.ts';

/** What the rules say of a whole pod. */
export type Search =
  | { readonly kind: 'found'; readonly rule: Rule; readonly endpoints: readonly [Endpoint, ...Endpoint[]] }
  | { readonly kind: 'off'; readonly rule: Rule }
  | { readonly kind: 'nothing' };

/** Returns the containers that are the workload's own: what meshes and agents inject serves metrics of theirs. */
export function ownContainers(containers: readonly Container[], rules: Rules): Container[] {
  return containers.filter(({ name }) => !rules.ignoreContainers.some((ignored) => ignored.matches(name)));
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
 * Returns what the first rule that finds an endpoint finds. Regular containers go through all rules before native sidecars
 * do: an application with a sidecar is meant to be found first, and VictoriaMetrics does not see init containers' ports.
 */
export function search(pod: Pod, rules: Rules, accept: (endpoint: Endpoint) => boolean = () => true): Search {
  let off: Rule | undefined;
  for (const group of [pod.containers, pod.sidecars]) {
    let searched = ownContainers(group, rules);
    for (const rule of rules.rules) {
      if (searched.length === 0) break;
      const endpoints: Endpoint[] = [];
      const silent: Container[] = [];
      for (const container of searched) {
        const finding = findIn(rule, container, pod, rules);
        if (finding.kind === 'endpoints') endpoints.push(...finding.endpoints.filter(accept));
        if (finding.kind === 'off') silent.push(container);
      }
      const [first, ...others] = endpoints;
      if (first !== undefined) return { kind: 'found', rule, endpoints: [first, ...others] };
      if (silent.length > 0) {
        off ??= rule;
        searched = searched.filter((container) => !silent.includes(container));
      }
    }
  }
  return off === undefined ? { kind: 'nothing' } : { kind: 'off', rule: off };
}

/** Returns what one rule finds, regular containers before native sidecars: for a workload that names the rule itself. */
export function searchWith(rule: Rule, pod: Pod, rules: Rules): readonly Endpoint[] {
  for (const group of [pod.containers, pod.sidecars]) {
    const endpoints = ownContainers(group, rules).flatMap((container) => {
      const finding = findIn(rule, container, pod, rules);
      return finding.kind === 'endpoints' ? finding.endpoints : [];
    });
    if (endpoints.length > 0) return endpoints;
  }
  return [];
}

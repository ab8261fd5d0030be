import { MAX_ENDPOINTS } from '../limits.ts';
import type { Endpoint } from './endpoint.ts';
import { endpointsAt, evaluateRule } from './evaluate-rule.ts';
import type { RuleMatch } from './evaluate-rule.ts';
import type { NamedPort } from './evaluate-conditions.ts';
import type { Container, Pod, Port } from '../pod/pod.ts';
import type { Rule, Rules } from './rule.ts';
import type { NoEndpoint } from '../skip-reason.ts';
import { hasSigns, startSearch } from './needed-signs.ts';
import type { SearchedContainer } from './needed-signs.ts';
import { isExhausted } from '../step-budget.ts';
import { mainContainer } from './precedence.ts';
import type { Precedence } from './precedence.ts';

/** The result of all rules in one pod. */
export type RulesResult =
  | {
      readonly kind: 'found';
      /** The rule of the first endpoint. */
      readonly rule: Rule;
      /** At most one for each port: first the one that comes before the others, and then the others in the pod's order. */
      readonly endpoints: readonly [Endpoint, ...Endpoint[]];
      /** Why the first one comes before the others; undefined where it is the only one. */
      readonly because: Precedence | undefined;
    }
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
 * Returns the pod's endpoints: for each of its containers, all ports of the first rule that finds one
 * there, and where that rule says `continue`, those of the next one. The containers decide which endpoint
 * comes first (precedence.ts), not the order of the rules, with these exceptions:
 *
 * - A rule with `confirm` only hints. What it finds counts where no other rule finds anything.
 * - Native sidecars come after the regular containers: the application comes before its sidecar, and
 *   VictoriaMetrics does not see init containers' ports.
 * - Where a rule finds a proxy in front of the metrics (`proxy`), the other containers are behind it.
 *
 * With `at`, only that port counts, and the first rule that finds it decides.
 */
export function evaluateRules(pod: Pod, rules: Rules, at?: number): RulesResult {
  let off: { readonly rule: Rule; readonly reason: NoEndpoint } | undefined;
  const certain: ContainerEndpoints[] = [];
  let proxied = false;
  for (const group of [pod.containers, pod.sidecars]) {
    const hints: ContainerEndpoints[] = [];
    let searched = ownContainers(group, rules).map(startSearch);
    for (const rule of rules.rules) {
      if (searched.length === 0 || isExhausted(pod.work)) break;
      const isUseless = rule.confirm ? certain.length > 0 || hints.length > 0 : proxied && !rule.proxy;
      if (isUseless) continue;
      let settled: SearchedContainer[] | undefined; // allocated on first use: most rules find nothing
      for (const one of searched) {
        if (!hasSigns(one, rule.signs, rules.signs)) continue;
        const { container } = one;
        const result = evaluateRule(rule, container, pod, rules);
        if (typeof result === 'string') continue;
        if (result.kind === 'off') off ??= { rule, reason: result.reason };
        else {
          const endpoints = endpointsOf(result, rules, at);
          if (endpoints.length === 0) continue;
          (rule.confirm ? hints : certain).push({ rule, container, endpoints });
          proxied ||= rule.proxy;
          if (rule.continues) continue;
        }
        (settled ??= []).push(one);
      }
      if (settled !== undefined) searched = without(searched, settled);
      if (at !== undefined && certain.length + hints.length > 0) break;
    }
    if (certain.length === 0 && hints.length > 0) return inOrder(hints, pod, off);
    if (at !== undefined && certain.length > 0) break;
  }
  return inOrder(certain, pod, off);
}

function without<Item>(items: readonly Item[], some: readonly Item[]): Item[] {
  return items.length === some.length ? [] : items.filter((item) => !some.includes(item));
}

/** The endpoints of one container, by one rule. */
interface ContainerEndpoints {
  readonly rule: Rule;
  readonly container: Container;
  readonly endpoints: readonly Endpoint[];
}

function endpointsOf(result: RuleMatch, rules: Rules, at: number | undefined): readonly Endpoint[] {
  const ports = at === undefined ? result.ports : result.ports.filter(({ port }) => port === at);
  return endpointsAt(result, ports.slice(0, MAX_ENDPOINTS), rules);
}

/** Returns all that was found as one result: the main container's endpoints first, each port once. */
function inOrder(
  found: readonly ContainerEndpoints[],
  pod: Pod,
  off: { readonly rule: Rule; readonly reason: NoEndpoint } | undefined,
): RulesResult {
  const [only, another] = found;
  if (only === undefined) return off === undefined ? { kind: 'nothing' } : { kind: 'off', ...off };
  if (another === undefined) return combine(only.rule, only.endpoints, undefined);
  const order = new Map([...pod.containers, ...pod.sidecars].map((container, i) => [container, i]));
  const declared = found.toSorted((a, b) => (order.get(a.container) ?? 0) - (order.get(b.container) ?? 0));
  const [first = only.container, ...others] = new Set(declared.map(({ container }) => container));
  const { main, because } =
    others.length === 0 ? { main: first, because: 'first_rule' as const } : mainContainer([first, ...others], pod);
  // Of several rules in the main container, the one that was tried first.
  const chosen = found.find(({ container }) => container === main) ?? only;
  const rest = declared.filter((each) => each !== chosen).flatMap(({ endpoints }) => endpoints);
  return combine(chosen.rule, [...chosen.endpoints, ...rest], because);
}

function combine(rule: Rule, endpoints: readonly Endpoint[], because: Precedence | undefined): RulesResult {
  const [only, another] = endpoints;
  if (only !== undefined && another === undefined) return { kind: 'found', rule, endpoints: [only], because };
  const ports = new Set<number>();
  const [first, ...others] = endpoints.filter(({ port }) => ports.size < ports.add(port).size);
  if (first === undefined) return { kind: 'nothing' };
  const why = others.length > 0 ? (because ?? 'first_port') : undefined;
  return { kind: 'found', rule, endpoints: [first, ...others.slice(0, MAX_ENDPOINTS - 1)], because: why };
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

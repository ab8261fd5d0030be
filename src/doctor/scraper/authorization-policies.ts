import { nameOf, namespaceOf } from '../../core/metadata.ts';
import { objectIn, objectsIn, own, text, textEntries } from '../../core/json.ts';
import type { JsonObject } from '../../core/json.ts';
import { requirementsOf } from '../../core/rules/selector-json.ts';
import { satisfies } from '../../core/rules/selector.ts';
import { isMeshed } from './mesh-proxy.ts';

// Istio's AuthorizationPolicies: https://istio.io/latest/docs/reference/config/security/authorization-policy/. CUSTOM comes before
// DENY, and DENY before ALLOW; AUDIT decides nothing. What needs a token, an address or CEL is not evaluated: `undefined`.

/** A scrape: who asks the pod for what. */
export interface Scrape {
  /** Of the scraper; undefined where it is not known. */
  readonly from: JsonObject | undefined;
  readonly to: JsonObject;
  readonly port: number;
  readonly path: string;
}

/** The policy that refuses the scrape, with what to do. */
export interface Refusal {
  readonly because: string;
  readonly todo: string;
}

type Match = boolean | undefined;

/** Returns what refuses the scrape, of the policies of the pod's namespace and of the mesh's root; undefined where all let it in. */
export function refusedBy(policies: readonly JsonObject[], root: string, scrape: Scrape): Refusal | undefined {
  const applying = policies.filter((policy) => applies(policy, root, scrape.to));
  const of = (action: string): readonly JsonObject[] =>
    applying.filter((policy) => (text(objectIn(policy, 'spec')['action']) || 'ALLOW') === action);
  const unsure = (policy: JsonObject, why: string): Refusal => ({
    because: `${titleOf(policy)} may refuse it: ${why}.`,
    todo: `${edit(policy)}: see whether its rules are about ${nameOfScraper(scrape)}`,
  });
  const denying = of('DENY').map((policy) => ({ policy, match: matches(policy, scrape) }));
  const denied = denying.find(({ match }) => match === true);
  if (denied !== undefined)
    return {
      because: `${titleOf(denied.policy)} refuses it.`,
      todo: `${edit(denied.policy)}: leave port ${scrape.port} out of its rules (notPorts)`,
    };
  const allowing = of('ALLOW').map((policy) => ({ policy, match: matches(policy, scrape) }));
  const [first] = allowing;
  if (first !== undefined && allowing.every(({ match }) => match === false))
    return {
      because: `${allowing.map(({ policy }) => titleOf(policy)).join(' and ')} ${allowing.length === 1 ? 'lets' : 'let'} in others, and not ${nameOfScraper(scrape)}.`,
      todo: `${edit(first.policy)}: add to its rules: ${ruleFor(scrape)}`,
    };
  const custom = of('CUSTOM').find((policy) => matches(policy, scrape) !== false);
  if (custom !== undefined) return unsure(custom, 'it asks an external authorizer');
  const perhaps =
    denying.find(({ match }) => match === undefined) ??
    (allowing.some(({ match }) => match === true) ? undefined : allowing.find(({ match }) => match === undefined));
  return perhaps && unsure(perhaps.policy, 'not all of its conditions are evaluated here');
}

/** A policy of the root namespace is one of all namespaces. One with targets is about gateways, and a dry run refuses nothing. */
function applies(policy: JsonObject, root: string, pod: JsonObject): boolean {
  const spec = objectIn(policy, 'spec');
  const place = namespaceOf(policy);
  if (place !== namespaceOf(pod) && place !== root) return false;
  if (objectsIn(spec, 'targetRefs').length > 0 || own(spec, 'targetRef') !== undefined) return false;
  if (objectIn(objectIn(policy, 'metadata'), 'annotations')['istio.io/dry-run'] === 'true') return false;
  return satisfies(new Map(textEntries(objectIn(pod, 'metadata').labels)), requirementsOf(spec['selector']));
}

/** No rules match nothing, and an empty rule everything. */
function matches(policy: JsonObject, scrape: Scrape): Match {
  return anyOf(objectsIn(objectIn(policy, 'spec'), 'rules').map((rule) => ruleMatches(rule, scrape)));
}

function ruleMatches(rule: JsonObject, scrape: Scrape): Match {
  const [from, to] = [objectsIn(rule, 'from'), objectsIn(rule, 'to')];
  return allOf([
    from.length === 0 ? true : anyOf(from.map((each) => sourceMatches(objectIn(each, 'source'), scrape))),
    to.length === 0 ? true : anyOf(to.map((each) => operationMatches(objectIn(each, 'operation'), scrape))),
    objectsIn(rule, 'when').length === 0 ? true : undefined,
  ]);
}

/** What only mutual TLS says of who asks. Without a proxy of the mesh the scraper has none of it. */
const IDENTITY: readonly string[] = ['principals', 'namespaces', 'serviceAccounts', 'requestPrincipals'];

function sourceMatches(source: JsonObject, { from }: Scrape): Match {
  return allOf(
    Object.keys(source).map((key): Match => {
      const isNot = key.startsWith('not');
      const positive = isNot ? key.charAt(3).toLowerCase() + key.slice(4) : key;
      // With a proxy it may still ask without one: its targets are addresses of pods.
      if (IDENTITY.includes(positive)) return from === undefined || isMeshed(from) ? undefined : isNot;
      return undefined;
    }),
  );
}

function operationMatches(operation: JsonObject, { port, path }: Scrape): Match {
  const known: Readonly<Record<string, string>> = { ports: String(port), paths: path, methods: 'GET' };
  return allOf(
    Object.entries(operation).map(([key, listed]): Match => {
      const isNot = key.startsWith('not');
      const value = known[isNot ? key.charAt(3).toLowerCase() + key.slice(4) : key];
      if (value === undefined || !Array.isArray(listed)) return undefined;
      // Templates of paths, such as /a/{*}.
      if (listed.some((pattern) => text(pattern).includes('{'))) return undefined;
      return listed.some((pattern) => isLike(text(pattern), value)) !== isNot;
    }),
  );
}

/** Exact, or with an asterisk at one end, or one alone for any. */
function isLike(pattern: string, value: string): boolean {
  if (pattern === '*') return value !== '';
  if (pattern.endsWith('*')) return value.startsWith(pattern.slice(0, -1));
  return pattern.startsWith('*') ? value.endsWith(pattern.slice(1)) : value === pattern;
}

function anyOf(all: readonly Match[]): Match {
  if (all.includes(true)) return true;
  return all.includes(undefined) ? undefined : false;
}

function allOf(all: readonly Match[]): Match {
  if (all.includes(false)) return false;
  return all.includes(undefined) ? undefined : true;
}

function titleOf(policy: JsonObject): string {
  const action = text(objectIn(policy, 'spec')['action']) || 'ALLOW';
  return `AuthorizationPolicy ${namespaceOf(policy)}/${nameOf(policy)} (${action})`;
}

function edit(policy: JsonObject): string {
  return `kubectl edit authorizationpolicy ${nameOf(policy)} -n ${namespaceOf(policy)}`;
}

function nameOfScraper({ from }: Scrape): string {
  return from === undefined ? 'Prometheus' : `${namespaceOf(from)}/${nameOf(from)}`;
}

/** An identity is only known of who asks by a proxy of the mesh. */
function ruleFor({ port, path }: Scrape): string {
  return `{to: [{operation: {methods: [GET], ports: ["${port}"], paths: [${JSON.stringify(path)}]}}]}`;
}

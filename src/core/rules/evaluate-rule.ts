import { MAX_TEXT } from '../limits.ts';
import type { Endpoint } from './endpoint.ts';
import { lookUpPort } from './catalogue.ts';
import type { ImageEntry } from './catalogue.ts';
import { evaluateConditions } from './evaluate-conditions.ts';
import type { Match, NamedPort, NoEndpointKnown } from './evaluate-conditions.ts';
import { isOtherProtocol, probedPort } from '../pod/pod.ts';
import type { Container, Pod } from '../pod/pod.ts';
import { isScrapable } from '../pod/port.ts';
import type { ConditionName, Rule, Rules } from './rule.ts';
import { isPlainPath } from '../pod/path.ts';
import { readSetting } from './flag-or-variable.ts';
import type { NoEndpoint } from '../skip-reason.ts';
import { spend } from '../step-budget.ts';

/**
 * Why a rule finds nothing in a container: the condition that failed (`unless`: its exception
 * holds), or `which_port` where all conditions hold but none of them names a port and the container
 * has several.
 */
export type FailedCondition = ConditionName | 'unless' | 'which_port';

/**
 * A rule that matches a container: its ports, from which endpoints are made when they are needed.
 */
export interface RuleMatch {
  readonly kind: 'found';
  readonly rule: Rule;
  readonly container: Container;
  /** What the rule's patterns without a port captured. */
  readonly groups: ReadonlyMap<string, string>;
  readonly ports: readonly [NamedPort, ...NamedPort[]];
  /** What the catalogue knows of the container's image, where the rule does not say what to scrape. */
  readonly entries: readonly ImageEntry[];
}

/** The result of one rule in one container. */
export type RuleResult =
  | RuleMatch
  /** Something is known of the container's metrics, and it has no endpoint that can be scraped. */
  | NoEndpointKnown
  /** A string, for which nothing is allocated: most rules fail in most containers of every pod. */
  | FailedCondition;

function isMatch(result: ReturnType<typeof evaluateConditions> | undefined): result is Match {
  return typeof result === 'object' && result.kind === 'match';
}

const NO_ENTRIES: readonly ImageEntry[] = [];

/** Steps of evaluating one rule in one container, and of one port that it names. */
const RULE = 2;
const PORT = 5;

/** Returns the result of the rule in the container. */
export function evaluateRule(rule: Rule, container: Container, pod: Pod, rules: Rules): RuleResult {
  const { work } = pod;
  if (!spend(work, RULE)) return 'which_port';
  const match = evaluateConditions(rule.when, container, pod, rules);
  if (typeof match === 'string') return match;
  if (match.kind === 'off') return match;
  const exception = rule.unless === undefined ? undefined : evaluateConditions(rule.unless, container, pod, rules);
  // A rule with exclude is about the container, so that one excepted port is enough.
  if (rule.exclude !== undefined) return isMatch(exception) ? 'unless' : { kind: 'off', reason: rule.exclude };

  const isExcepted = isMatch(exception) && exception.named === undefined;
  const named =
    rule.port === undefined ? (match.named ?? onlyPort(container)) : [{ ...match.named?.[0], port: rule.port }];
  const exceptions = isMatch(exception) ? (exception.named ?? []) : [];
  if (!spend(work, PORT * (named.length + exceptions.length))) return 'which_port';
  const excepted = new Set(exceptions.map(({ port }) => port));
  const left = isExcepted ? [] : named.filter(({ port }) => !excepted.has(port));
  const scrapable = left.filter(({ port }) => isScrapable(port) && !isOtherProtocol(pod, port));
  const usable = scrapable.filter(({ loopback }) => loopback !== true);
  if (usable.length < scrapable.length && usable.length === 0) return { kind: 'off', reason: 'unreachable' };
  const [first, ...others] = usable;
  if (first !== undefined) {
    const isStated = rule.when.catalogue || (rule.path !== undefined && rule.scheme !== undefined);
    const entries = isStated ? NO_ENTRIES : rules.catalogue.find(container);
    const none = whyNone(rule, container, first.port, entries);
    if (none !== undefined) return { kind: 'off', reason: none };
    return { kind: 'found', rule, container, groups: match.groups, ports: [first, ...others], entries };
  }
  return left.length < named.length ? 'unless' : 'which_port';
}

/**
 * Returns why the catalogue says that there is nothing to scrape at the first of the ports that the
 * rule has found. A rule that says what to scrape is believed.
 */
function whyNone(
  { when, port, path, scheme }: Rule,
  container: Container,
  first: number,
  entries: readonly ImageEntry[],
): NoEndpoint | undefined {
  if (when.catalogue || port !== undefined || path !== undefined || scheme !== undefined) return undefined;
  const known = lookUpPort(entries, container, first);
  return known?.kind === 'off' ? known.reason : undefined;
}

/**
 * Returns the container's only port: a rule that matches but names no port can only mean that one.
 */
function onlyPort({ candidates }: Container): NamedPort[] {
  const [first] = candidates;
  return first !== undefined && candidates.every(({ number }) => number === first.number)
    ? [{ port: first.number }]
    : [];
}

/**
 * Returns the endpoints at these ports of the match. The path that the container sets is looked up
 * once, because a pod may have thousands of ports and arguments.
 */
export function endpointsAt(
  { rule, container, groups, entries }: RuleMatch,
  ports: readonly NamedPort[],
  rules: Rules,
): readonly Endpoint[] {
  const configured = rule.path === undefined && ports.length > 0 ? configuredPath(container, rules) : undefined;
  return ports.map((found) => {
    // The rule's own path comes first, then the path that the container sets, then the catalogue's
    // path for the image at this port, whichever rule matched.
    const known =
      rule.path === undefined || rule.scheme === undefined ? catalogueAt(container, found, entries) : undefined;
    const path =
      rule.path === undefined ? configured : renderPath(rule.path, new Map([...groups, ...(found.groups ?? [])]));
    return {
      rule: rule.name,
      container: container.name,
      port: found.port,
      path: path ?? known?.path ?? '/metrics',
      scheme: rule.scheme ?? saidScheme(container, found.port) ?? known?.scheme ?? 'http',
      declared: container.declared().has(found.port),
    };
  });
}

function catalogueAt(
  container: Container,
  found: NamedPort,
  entries: readonly ImageEntry[],
): { path: string | undefined; scheme: 'http' | 'https' } | undefined {
  if (found.path !== undefined) return { path: found.path, scheme: found.scheme ?? 'http' };
  const known = lookUpPort(entries, container, found.port);
  return known?.kind === 'found' ? known : undefined;
}

/**
 * Returns https where the kubelet probes the port with TLS, or where it does not probe the port whose
 * name says so: scrapers must use TLS, too.
 */
export function saidScheme(container: Container, port: number): 'https' | undefined {
  const { probes, candidates, work } = container;
  if (!spend(work, candidates.length)) return undefined;
  const probe = probes.filter((each) => probedPort(each, container) === port);
  const isTls =
    probe.length > 0
      ? probe.some(({ tls }) => tls)
      : candidates.some(({ number, name }) => number === port && TLS_NAME.test(name));
  return isTls ? 'https' : undefined;
}

/** Names such as https, https-minio and admin-tls. */
const TLS_NAME = /^(?:https|tls|ssl)(?:-|$)|^[a-z]+-(?:https|tls|ssl)$/;

/**
 * Returns the path of the metrics that the container sets, or undefined where it sets no valid one.
 */
export function configuredPath(container: Container, { pathFrom }: Rules): string | undefined {
  for (const setting of pathFrom) {
    const path = readSetting(container, setting, 'path', isPlainPath);
    if (path !== undefined) return path;
  }
  return undefined;
}

/**
 * Returns the path of a rule's template, in which `${name}` is what a pattern's group captured;
 * undefined where that is not a path.
 */
export function renderPath(template: string, groups: ReadonlyMap<string, string> | undefined): string | undefined {
  const path = template.replaceAll(/\$\{(\w+)\}/g, (_, name: string) => groups?.get(name) ?? '');
  return path.length <= MAX_TEXT && /^\/[\x21-\x7e]*$/.test(path) && !/[?#]/.test(path) ? path : undefined;
}

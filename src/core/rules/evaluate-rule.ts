import { MAX_TEXT } from '../limits.ts';
import type { Endpoint } from './endpoint.ts';
import { matchIn } from './conditions.ts';
import type { NamedPort } from './conditions.ts';
import { isOtherProtocol, probedPort } from '../pod/pod.ts';
import type { Container, Pod } from '../pod/pod.ts';
import { isScrapable } from '../pod/port.ts';
import type { Conditions, Rule, Rules } from './rule.ts';
import { stated } from './setting.ts';
import { spend } from '../step-budget.ts';

/** Why a rule found nothing in a container: the condition that failed, or that it fits but names no single port. */
export type Refusal = keyof Conditions | 'unless' | 'which_port';

/** Where one rule finds metrics in one container: its ports, of which endpoints are made as they are needed. */
export interface Found {
  readonly kind: 'found';
  readonly rule: Rule;
  readonly container: Container;
  /** What the rule's patterns without a port took from the container. */
  readonly groups: ReadonlyMap<string, string>;
  readonly ports: readonly [NamedPort, ...NamedPort[]];
}

/** What one rule says of one container. */
export type Finding =
  | Found
  /** The container's metrics are switched off, or only loopback reaches them. */
  | { readonly kind: 'off' }
  | { readonly kind: 'refused'; readonly by: Refusal };

/** One object a reason, since most rules refuse most containers of every pod. */
const refusals = new Map<Refusal, Finding>();

function refused(by: Refusal): Finding {
  const known = refusals.get(by);
  if (known !== undefined) return known;
  const finding: Finding = { kind: 'refused', by };
  refusals.set(by, finding);
  return finding;
}

/** Steps of looking at one rule in one container, and at one port that it names. */
const RULE = 2;
const PORT = 5;

/** Returns what the rule finds in the container. */
export function findIn(rule: Rule, container: Container, pod: Pod, rules: Rules): Finding {
  const { work } = pod;
  if (!spend(work, RULE)) return refused('which_port');
  const match = matchIn(rule.when, container, pod, rules);
  if (match === 'off') return { kind: 'off' };
  if (typeof match === 'string') return refused(match);
  const exception = rule.unless === undefined ? undefined : matchIn(rule.unless, container, pod, rules);
  const isExcepted = typeof exception === 'object' && exception.named === undefined;
  if (rule.exclude) return isExcepted ? refused('unless') : { kind: 'off' };

  const named =
    rule.port === undefined ? (match.named ?? onlyPort(container)) : [{ ...match.named?.[0], port: rule.port }];
  const exceptions = typeof exception === 'object' ? (exception.named ?? []) : [];
  if (!spend(work, PORT * (named.length + exceptions.length))) return refused('which_port');
  const excepted = new Set(exceptions.map(({ port }) => port));
  const left = isExcepted ? [] : named.filter(({ port }) => !excepted.has(port));
  const [first, ...others] = left.filter(({ port }) => isScrapable(port) && !isOtherProtocol(pod, port));
  if (first !== undefined) return { kind: 'found', rule, container, groups: match.groups, ports: [first, ...others] };
  return refused(left.length < named.length ? 'unless' : 'which_port');
}

/** The container's one port, where it has just one: where a rule fits the container but names no port, it can only mean that. */
function onlyPort({ candidates }: Container): NamedPort[] {
  const [first] = candidates;
  return first !== undefined && candidates.every(({ number }) => number === first.number)
    ? [{ port: first.number }]
    : [];
}

/**
 * Returns the endpoints at the ports, which the finding holds. What the container states of its path is looked for once: there may
 * be thousands of ports and of words.
 */
export function endpointsAt(
  { rule, container, groups }: Found,
  ports: readonly NamedPort[],
  rules: Rules,
): readonly Endpoint[] {
  const stated = rule.path === undefined && ports.length > 0 ? statedPath(container, rules) : undefined;
  return ports.map((found) => {
    // The rule's own path wins, then one that the container states; else the catalogue may know the image's path on that very
    // port, whichever rule found it.
    const known =
      rule.path === undefined || rule.scheme === undefined ? catalogueAt(container, found, rules) : undefined;
    const path = rule.path === undefined ? stated : filledIn(rule.path, new Map([...groups, ...(found.groups ?? [])]));
    return {
      container: container.name,
      port: found.port,
      path: path ?? known?.path ?? '/metrics',
      scheme: rule.scheme ?? probedScheme(container, found.port) ?? known?.scheme ?? 'http',
      declared: container.declared().has(found.port),
    };
  });
}

function catalogueAt(
  container: Container,
  found: NamedPort,
  rules: Rules,
): { path: string; scheme: 'http' | 'https' } | undefined {
  if (found.path !== undefined) return { path: found.path, scheme: found.scheme ?? 'http' };
  return rules.catalogue.find(container).find((entry) => entry.ports.includes(found.port));
}

/** Returns https where the kubelet probes the port with TLS: a scraper has to speak it, too. */
export function probedScheme(container: Container, port: number): 'https' | undefined {
  return container.probes.some((probe) => probe.tls && probedPort(probe, container) === port) ? 'https' : undefined;
}

/** What is no path of a URL, whatever the variable is called: METRICS_PATH=/var/lib/metrics. */
const DIRECTORY = /^\/(data|dev|etc|home|mnt|opt|proc|root|run|srv|tmp|usr|var)(\/|$)/;

/** What a path is made of where nothing is left for a shell or the kubelet to put in: no `$(PREFIX)`, no `;`. */
const PLAIN = /^\/[-\w.~%:@+=/]*$/;

/** Returns the path that the container states of its metrics; undefined where it states none, or none that can be read. */
export function statedPath(container: Container, { pathFrom }: Rules): string | undefined {
  for (const statement of pathFrom) {
    const path = stated(container, statement, 'path', isPlainPath);
    if (path !== undefined) return path;
  }
  return undefined;
}

function isPlainPath(text: string): boolean {
  return text.length <= MAX_TEXT && PLAIN.test(text) && !DIRECTORY.test(text);
}

/** Returns the path that a rule's template comes to: `${name}` is what the pattern's group took from the pod. Undefined where that is no path. */
export function filledIn(template: string, groups: ReadonlyMap<string, string> | undefined): string | undefined {
  const path = template.replaceAll(/\$\{(\w+)\}/g, (_, name: string) => groups?.get(name) ?? '');
  return path.length <= MAX_TEXT && /^\/[\x21-\x7e]*$/.test(path) && !/[?#]/.test(path) ? path : undefined;
}

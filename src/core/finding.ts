import { consult, repositoryOf } from './catalogue.ts';
import type { Endpoint } from './decision.ts';
import type { Pattern } from './pattern.ts';
import type { Container, Pod } from './pod.ts';
import { candidatePorts, isOtherProtocol, isScrapable, readPortNumber } from './port.ts';
import type { Conditions, Rule, Rules } from './rules.ts';
import { selects } from './selector.ts';

/** Why a rule found nothing in a container: the condition that failed, or that it fits but names no single port. */
export type Refusal = keyof Conditions | 'unless' | 'which_port';

/** What one rule says of one container. */
export type Finding =
  | { readonly kind: 'endpoints'; readonly endpoints: readonly [Endpoint, ...Endpoint[]] }
  /** The container's metrics are switched off, or only loopback reaches them. */
  | { readonly kind: 'off' }
  | { readonly kind: 'refused'; readonly by: Refusal };

/** A port that a condition names, with what else that condition knows of it. */
interface NamedPort {
  readonly port: number;
  readonly groups?: ReadonlyMap<string, string>;
  readonly path?: string;
  readonly scheme?: 'http' | 'https';
}

const refused = (by: Refusal): Finding => ({ kind: 'refused', by });

/** Returns what the rule finds in the container. */
export function findIn(rule: Rule, container: Container, pod: Pod, rules: Rules): Finding {
  const match = matchIn(rule.when, container, pod, rules);
  if (match === 'off') return { kind: 'off' };
  if (typeof match === 'string') return refused(match);
  const exception = rule.unless === undefined ? undefined : matchIn(rule.unless, container, pod, rules);
  const excepted = (port: number): boolean =>
    typeof exception === 'object' &&
    (exception.named === undefined || exception.named.some((other) => other.port === port));
  if (rule.abstain) return excepted(Number.NaN) ? refused('unless') : { kind: 'off' };

  const named =
    rule.port === undefined ? (match.named ?? onlyPort(container)) : [{ ...match.named?.[0], port: rule.port }];
  const left = named.filter(({ port }) => !excepted(port));
  const [first, ...others] = left
    .filter(({ port }) => isScrapable(port) && !isOtherProtocol(pod, port))
    .map((port) =>
      endpointOf(rule, container, { ...port, groups: new Map([...match.groups, ...(port.groups ?? [])]) }, rules),
    );
  if (first !== undefined) return { kind: 'endpoints', endpoints: [first, ...others] };
  return refused(left.length < named.length ? 'unless' : 'which_port');
}

/** The ports that conditions name; undefined where they hold and name none. */
interface Match {
  readonly named: readonly NamedPort[] | undefined;
  readonly groups: ReadonlyMap<string, string>;
}

/** What the conditions match in the container, or the first that fails. Those that name ports narrow one another. */
function matchIn(when: Conditions, container: Container, pod: Pod, rules: Rules): Match | keyof Conditions | 'off' {
  if (when.podLabels !== undefined && !selects(when.podLabels, pod.labels)) return 'podLabels';
  if (when.container !== undefined && !when.container.matches(container.name)) return 'container';
  if (when.image !== undefined && !when.image.matches(repositoryOf(container.image))) return 'image';
  let named: readonly NamedPort[] | undefined;
  const groups = new Map<string, string>();
  for (const [condition, ports] of portConditions(when, container, rules)) {
    if (ports === 'off') return 'off';
    if (ports === 'no') return condition;
    if ('groups' in ports) for (const [name, value] of ports.groups) groups.set(name, value);
    else {
      named = named === undefined ? ports.named : both(named, ports.named);
      if (named.length === 0) return condition;
    }
  }
  const declared = (): NamedPort[] => candidatePorts(container).map(({ number }) => ({ port: number }));
  if (when.portNumber !== undefined) {
    const wanted = when.portNumber;
    named = (named ?? declared()).filter(({ port }) => wanted.includes(port));
    if (named.length === 0) return 'portNumber';
  }
  if (when.declared !== undefined && named !== undefined) {
    named = both(named, declared());
    if (named.length === 0) return 'declared';
  }
  return { named, groups };
}

/** The container's one port, where it has just one: where a rule fits the container but names no port, it can only mean that. */
function onlyPort(container: Container): NamedPort[] {
  const numbers = new Set(candidatePorts(container).map(({ number }) => number));
  return numbers.size === 1 ? [...numbers].map((port) => ({ port })) : [];
}

type Holds = 'no' | 'off' | { readonly named: readonly NamedPort[] } | { readonly groups: ReadonlyMap<string, string> };

/** The conditions that look at arguments, variables, probes, port names and the catalogue, cheapest first, each when asked for. */
function* portConditions(when: Conditions, container: Container, rules: Rules): Generator<[keyof Conditions, Holds]> {
  if (when.portName !== undefined) yield ['portName', byName(when.portName, container)];
  if (when.probePath !== undefined) yield ['probePath', byProbe(when.probePath, container)];
  if (when.argument !== undefined)
    yield ['argument', byStatement(when.argument, matching(when.argument, container.words()))];
  if (when.env !== undefined) yield ['env', byStatement(when.env, matching(when.env, variables(when.env, container)))];
  if (when.catalogue !== undefined) yield ['catalogue', byCatalogue(container, rules)];
}

function byName(pattern: Pattern, container: Container): Holds {
  const named = candidatePorts(container).filter(({ name }) => name !== '' && pattern.matches(name));
  return named.length === 0 ? 'no' : { named: distinct(named.map(({ number }) => ({ port: number }))) };
}

function byProbe(pattern: Pattern, container: Container): Holds {
  const named: NamedPort[] = [];
  for (const { port, path } of container.probes) {
    const groups = pattern.groups(path);
    const number = typeof port === 'number' ? port : container.ports.find(({ name }) => name === port)?.number;
    if (groups !== undefined && number !== undefined) named.push({ port: number, groups });
  }
  return named.length === 0 ? 'no' : { named: distinct(named) };
}

/** A statement with a group `port` names the port; one without only has to be there. */
function byStatement(pattern: Pattern, matches: readonly ReadonlyMap<string, string>[]): Holds {
  const [first] = matches;
  if (first === undefined) return 'no';
  if (!pattern.groupNames.includes('port')) return { groups: first };
  const named = matches.flatMap((groups): NamedPort[] => {
    const port = readPortNumber(groups.get('port') ?? '');
    return port === undefined ? [] : [{ port, groups }];
  });
  return named.length === 0 ? 'no' : { named: distinct(named) };
}

function matching(pattern: Pattern, statements: Iterable<string>): ReadonlyMap<string, string>[] {
  return [...statements].flatMap((statement) => pattern.groups(statement) ?? []);
}

/** The variables that the pattern can match: by name where its beginnings hold whole names, since a pod may have hundreds. */
function variables(pattern: Pattern, container: Container): string[] {
  const environment = container.environment();
  const names = pattern.prefixes?.map((prefix) =>
    prefix.includes('=') ? prefix.slice(0, prefix.indexOf('=')) : undefined,
  );
  if (names === undefined || names.includes(undefined))
    return [...environment].map(([name, value]) => `${name}=${value}`);
  return [...new Set(names)].flatMap((name) => {
    const value = environment.get(name ?? '');
    return value === undefined ? [] : [`${name}=${value}`];
  });
}

function byCatalogue(container: Container, rules: Rules): Holds {
  const known = consult(rules.catalogue, container);
  switch (known.kind) {
    case 'found':
      return { named: [known] };
    case 'off':
      return 'off';
    case 'unknown':
      return 'no';
  }
}

function both(some: readonly NamedPort[], others: readonly NamedPort[]): NamedPort[] {
  return some.flatMap((one) => {
    const other = others.find(({ port }) => port === one.port);
    return other === undefined
      ? []
      : [{ ...other, ...one, groups: new Map([...(other.groups ?? []), ...(one.groups ?? [])]) }];
  });
}

function distinct(ports: readonly NamedPort[]): NamedPort[] {
  return ports.filter(({ port }, i) => ports.findIndex((other) => other.port === port) === i);
}

function endpointOf(rule: Rule, container: Container, found: NamedPort, rules: Rules): Endpoint {
  // The rule's own path wins; else the catalogue may know the image's path on that very port, whichever rule found it.
  const known = rule.path === undefined || rule.scheme === undefined ? catalogueAt(container, found, rules) : undefined;
  return {
    container: container.name,
    port: found.port,
    path: (rule.path === undefined ? undefined : fillIn(rule.path, found.groups)) ?? known?.path ?? '/metrics',
    scheme: rule.scheme ?? known?.scheme ?? 'http',
    declared: container.ports.some(({ number }) => number === found.port),
  };
}

function catalogueAt(
  container: Container,
  found: NamedPort,
  rules: Rules,
): { path: string; scheme: 'http' | 'https' } | undefined {
  if (found.path !== undefined) return { path: found.path, scheme: found.scheme ?? 'http' };
  return rules.catalogue.find(container).find((entry) => entry.ports.includes(found.port));
}

/** `${name}` becomes what the pattern's group took from the pod, if that leaves a path; anything else is not to be written. */
function fillIn(template: string, groups: ReadonlyMap<string, string> | undefined): string | undefined {
  const path = template.replaceAll(/\$\{(\w+)\}/g, (_, name: string) => groups?.get(name) ?? '');
  return /^\/[\x21-\x7e]*$/.test(path) && !/[?#]/.test(path) ? path : undefined;
}

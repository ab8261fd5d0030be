import { readFramework } from '../pod/framework-settings.ts';
import type { Framework } from '../pod/framework-settings.ts';
import type { FrameworkSays } from '../pod/framework-says.ts';
import { lookUp } from './catalogue.ts';
import type { Pattern } from './re2-pattern.ts';
import { probedPort } from '../pod/pod.ts';
import type { Container, Pod } from '../pod/pod.ts';
import { isAtLoopback, isUrlOfOther, readPortNumber } from '../pod/port.ts';
import type { ConditionName, Conditions, Rules } from './rule.ts';
import { satisfies } from './selector.ts';
import { hasSetting, refersToSetting, variables } from './flag-or-variable.ts';
import type { NoEndpoint } from '../skip-reason.ts';
import { spend } from '../step-budget.ts';
import type { Work } from '../step-budget.ts';

/** A port that a condition names, with what else the condition knows of it. */
export interface NamedPort {
  readonly port: number;
  readonly groups?: ReadonlyMap<string, string>;
  readonly path?: string;
  readonly scheme?: 'http' | 'https';
  /** The address in which the port stands is one that only the pod itself reaches. */
  readonly loopback?: boolean;
}

/** The result where something is known of the container's metrics that leaves none to scrape. */
export interface NoEndpointKnown {
  readonly kind: 'off';
  readonly reason: NoEndpoint;
}

/** The result of conditions that all hold. */
export interface Match {
  readonly kind: 'match';
  /** The ports that the conditions name; undefined where they name none. */
  readonly named: readonly NamedPort[] | undefined;
  /** What the patterns without a port captured. */
  readonly groups: ReadonlyMap<string, string>;
}

const NO_GROUPS: ReadonlyMap<string, string> = new Map();
const NO_PORTS: readonly NamedPort[] = [];

/**
 * Returns the match where all conditions hold in the container, the first condition that fails, or
 * why the container has no endpoint, where the catalogue shows that. Only ports that all
 * port-naming conditions name remain. Cheap conditions come first, and nothing is allocated before
 * one holds, because most rules fail at once on every pod.
 */
export function evaluateConditions(
  when: Conditions,
  container: Container,
  pod: Pod,
  rules: Rules,
): Match | ConditionName | NoEndpointKnown {
  const { work } = pod;
  if (when.framework !== undefined && !container.mayNameFramework()) return 'framework';
  if (when.namespace !== undefined && !when.namespace.matches(pod.namespace, work)) return 'namespace';
  if (when.podLabels !== undefined && !(spend(work, when.podLabels.length) && satisfies(pod.labels, when.podLabels)))
    return 'podLabels';
  if (when.container !== undefined && !when.container.matches(container.name, work)) return 'container';
  if (when.image !== undefined && !when.image.matches(container.repository, work)) return 'image';
  let named: readonly NamedPort[] | undefined;
  let groups = NO_GROUPS;
  if (when.portName !== undefined) {
    named = byName(when.portName, container);
    if (named.length === 0) return 'portName';
  }
  if (when.otherPortName !== undefined) {
    named = besideOther(when.otherPortName, named ?? declared(container), container);
    if (named.length === 0) return 'otherPortName';
  }
  if (when.probePath !== undefined) {
    named = narrow(named, byProbe(when.probePath, container), work);
    if (named.length === 0) return 'probePath';
  }
  if (when.argument !== undefined) {
    if (when.argumentFragments?.some(container.hasArgumentWith) === false) return 'argument';
    const matches = matching(when.argument, container.commandLine(), work);
    if (matches.length === 0) return 'argument';
    if (namesPort(when.argument)) named = narrow(named, portsOf(matches), work);
    else groups = new Map([...groups, ...(matches[0]?.groups ?? [])]);
    if (named?.length === 0) return 'argument';
  }
  if (when.env !== undefined) {
    const matches = matching(when.env.pattern, variables(when.env, container), work);
    if (matches.length === 0 && !(when.fromSecrets && refersToSetting(container, when.env))) return 'env';
    if (namesPort(when.env.pattern)) named = narrow(named, portsOf(matches), work);
    else groups = new Map([...groups, ...(matches[0]?.groups ?? [])]);
    if (named?.length === 0) return 'env';
  }
  if (when.setting !== undefined && !hasSetting(container, when.setting)) return 'setting';
  if (when.framework !== undefined) {
    const says = sayingOf(when.framework, container);
    if (says === undefined) return 'framework';
    if (says.kind === 'off') return says;
    named = frameworkPorts(says, named, when.stated, container);
    if (named.length === 0) return when.stated ? 'stated' : 'framework';
  }
  if (when.catalogue) {
    const known = lookUp(rules.catalogue, container);
    if (known.kind === 'off') return known;
    if (known.kind === 'unknown') return 'catalogue';
    named = narrow(named, [known], work);
    if (named.length === 0) return 'catalogue';
  }
  if (when.portNumber !== undefined) {
    const wanted = when.portNumber;
    const open = named ?? declared(container);
    named = spend(work, open.length * wanted.length) ? open.filter(({ port }) => wanted.includes(port)) : [];
    if (named.length === 0) return 'portNumber';
  }
  if (when.declared && named !== undefined) {
    named = narrow(named, declared(container), work);
    if (named.length === 0) return 'declared';
  }
  return { kind: 'match', named, groups };
}

function declared({ candidates, work }: Container): NamedPort[] {
  return spend(work, EACH * candidates.length) ? candidates.map(({ number }) => ({ port: number })) : [];
}

function byName(pattern: Pattern, container: Container): readonly NamedPort[] {
  let named: NamedPort[] | undefined;
  for (const { name, number } of container.candidates)
    if (name !== '' && pattern.matches(name, container.work)) (named ??= []).push({ port: number });
  return named === undefined ? NO_PORTS : distinct(named);
}

const MANAGEMENT = /(?:^|-)(?:metrics|prom|prometheus|actuator|management|mgmt)(?:-|$)/;

/** Returns what the settings of the framework say; several rules read the same framework. */
function sayingOf(framework: Framework, container: Container): FrameworkSays {
  const known = container.saying.get(framework);
  if (known !== undefined) return known === 'nothing' ? undefined : known;
  const says = readFramework(framework, container.properties());
  container.saying.set(framework, says ?? 'nothing');
  return says;
}

/**
 * Returns the ports at which a framework serves metrics by its settings: the one that
 * they state, those that other conditions name, or else the default or the only port. `stated`
 * leaves out the last two, and where the settings do not say that there are metrics; it adds ports
 * whose names tell.
 */
function frameworkPorts(
  says: Extract<FrameworkSays, { kind: 'found' }>,
  named: readonly NamedPort[] | undefined,
  stated: boolean,
  container: Container,
): readonly NamedPort[] {
  const { path, scheme } = says;
  const isDeclared = says.port !== undefined && container.declared().has(says.port);
  if (says.port !== undefined && (!stated || says.sure || (isDeclared && says.defaultPort === says.port))) {
    const isOther = named !== undefined && !named.some(({ port }) => port === says.port);
    return isOther ? [] : [{ port: says.port, path, scheme }];
  }
  if (named !== undefined) return says.port === undefined ? named.map((one) => ({ ...one, path, scheme })) : [];
  if (stated) {
    // A port with such a name is the one on which a framework serves what is not for users.
    const telling = container.candidates.filter(({ name }) => name.length <= 15 && MANAGEMENT.test(name));
    return distinct(telling.map(({ number }) => ({ port: number, path, scheme })));
  }
  const numbers = new Set(container.candidates.map(({ number }) => number));
  const [only] = numbers;
  const port = numbers.has(says.defaultPort) ? says.defaultPort : numbers.size === 1 ? only : undefined;
  return port === undefined ? [] : [{ port, path, scheme }];
}

/** Returns those of the ports beside which the container has another one with such a name. */
function besideOther(pattern: Pattern, named: readonly NamedPort[], { ports, work }: Container): readonly NamedPort[] {
  const others = ports.filter(({ name }) => name !== '' && pattern.matches(name, work));
  const [first] = others;
  if (first === undefined) return [];
  const isAlone = others.every(({ number }) => number === first.number);
  return isAlone ? named.filter(({ port }) => port !== first.number) : named;
}

function byProbe(pattern: Pattern, container: Container): readonly NamedPort[] {
  let named: NamedPort[] | undefined;
  for (const probe of container.probes) {
    const groups = pattern.groups(probe.path, container.work);
    if (groups === undefined) continue;
    const number = probedPort(probe, container);
    if (number !== undefined) (named ??= []).push({ port: number, groups });
  }
  return named === undefined ? NO_PORTS : distinct(named);
}

/** A pattern with a group `port` names the port; one without it must only match. */
function namesPort(pattern: Pattern): boolean {
  return pattern.groupNames.includes('port');
}

function portsOf(matches: readonly ValueMatch[]): NamedPort[] {
  const named: NamedPort[] = [];
  for (const { value, groups } of matches) {
    const port = readPortNumber(groups.get('port') ?? '');
    if (port !== undefined && !isUrlOfOther(value, port))
      named.push({ port, groups, loopback: isAtLoopback(value, port) });
  }
  return distinct(named);
}

/** A value that a pattern matches, and what its groups captured. */
interface ValueMatch {
  readonly value: string;
  readonly groups: ReadonlyMap<string, string>;
}

function matching(pattern: Pattern, values: readonly string[], work: Work): ValueMatch[] {
  const found: ValueMatch[] = [];
  for (const value of values) {
    const groups = pattern.groups(value, work);
    if (groups !== undefined) found.push({ value, groups });
  }
  return found;
}

/** Steps of one named port: an object, and its place in a map. */
const EACH = 10;

function narrow(
  some: readonly NamedPort[] | undefined,
  others: readonly NamedPort[],
  work: Work,
): readonly NamedPort[] {
  if (some === undefined) return others;
  if (!spend(work, EACH * (2 * some.length + others.length))) return [];
  const byPort = new Map(others.map((other) => [other.port, other]));
  return some.flatMap((one) => {
    const other = byPort.get(one.port);
    return other === undefined
      ? []
      : [{ ...other, ...one, groups: new Map([...(other.groups ?? []), ...(one.groups ?? [])]) }];
  });
}

/** The first of each port, preferring one that can be reached. */
function distinct(ports: NamedPort[]): NamedPort[] {
  if (ports.length < 2) return ports;
  const byPort = new Map<number, NamedPort>();
  for (const one of ports) {
    const known = byPort.get(one.port);
    if (known === undefined || (known.loopback === true && one.loopback !== true)) byPort.set(one.port, one);
  }
  return [...byPort.values()];
}

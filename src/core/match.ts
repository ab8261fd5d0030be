import { consult } from './catalogue.ts';
import type { Pattern } from './pattern.ts';
import { probedPort } from './pod.ts';
import type { Container, Pod } from './pod.ts';
import { readPortNumber } from './port.ts';
import type { Conditions, Rules } from './rule.ts';
import { satisfies } from './selector.ts';
import { variables } from './statement.ts';

/** A port that a condition names, with what else that condition knows of it. */
export interface NamedPort {
  readonly port: number;
  readonly groups?: ReadonlyMap<string, string>;
  readonly path?: string;
  readonly scheme?: 'http' | 'https';
}

/** The ports that a container's conditions name; undefined where they hold and name none. */
export interface Match {
  readonly named: readonly NamedPort[] | undefined;
  /** What the patterns without a port took from the container. */
  readonly groups: ReadonlyMap<string, string>;
}

const NO_GROUPS: ReadonlyMap<string, string> = new Map();

/**
 * Returns what the conditions match in the container; the first condition that fails; or `off` where the catalogue sees that
 * the metrics are switched off. Conditions that name ports narrow one another. The cheap ones come first, and nothing is
 * allocated before one holds: most rules fail at once, on every pod that is created.
 */
export function matchIn(
  when: Conditions,
  container: Container,
  pod: Pod,
  rules: Rules,
): Match | keyof Conditions | 'off' {
  if (when.podLabels !== undefined && !satisfies(pod.labels, when.podLabels)) return 'podLabels';
  if (when.container !== undefined && !when.container.matches(container.name)) return 'container';
  if (when.image !== undefined && !when.image.matches(container.repository)) return 'image';
  let named: readonly NamedPort[] | undefined;
  let groups = NO_GROUPS;
  if (when.portName !== undefined) {
    named = byName(when.portName, container);
    if (named.length === 0) return 'portName';
  }
  if (when.probePath !== undefined) {
    named = narrow(named, byProbe(when.probePath, container));
    if (named.length === 0) return 'probePath';
  }
  if (when.argument !== undefined) {
    const statements = matching(when.argument, container.words());
    if (statements.length === 0) return 'argument';
    if (namesPort(when.argument)) named = narrow(named, portsOf(statements));
    else groups = new Map([...groups, ...(statements[0] ?? [])]);
    if (named?.length === 0) return 'argument';
  }
  if (when.env !== undefined) {
    const statements = matching(when.env.pattern, variables(when.env, container));
    if (statements.length === 0) return 'env';
    if (namesPort(when.env.pattern)) named = narrow(named, portsOf(statements));
    else groups = new Map([...groups, ...(statements[0] ?? [])]);
    if (named?.length === 0) return 'env';
  }
  if (when.catalogue) {
    const known = consult(rules.catalogue, container);
    if (known.kind === 'off') return 'off';
    if (known.kind === 'unknown') return 'catalogue';
    named = narrow(named, [known]);
    if (named.length === 0) return 'catalogue';
  }
  if (when.portNumber !== undefined) {
    const wanted = when.portNumber;
    named = (named ?? declared(container)).filter(({ port }) => wanted.includes(port));
    if (named.length === 0) return 'portNumber';
  }
  if (when.declared && named !== undefined) {
    named = narrow(named, declared(container));
    if (named.length === 0) return 'declared';
  }
  return { named, groups };
}

function declared(container: Container): NamedPort[] {
  return container.candidates.map(({ number }) => ({ port: number }));
}

function byName(pattern: Pattern, container: Container): NamedPort[] {
  const named: NamedPort[] = [];
  for (const { name, number } of container.candidates)
    if (name !== '' && pattern.matches(name)) named.push({ port: number });
  return distinct(named);
}

function byProbe(pattern: Pattern, container: Container): NamedPort[] {
  const named: NamedPort[] = [];
  for (const probe of container.probes) {
    const groups = pattern.groups(probe.path);
    if (groups === undefined) continue;
    const number = probedPort(probe, container);
    if (number !== undefined) named.push({ port: number, groups });
  }
  return distinct(named);
}

/** A statement with a group `port` names the port; one without only has to be there. */
function namesPort(pattern: Pattern): boolean {
  return pattern.groupNames.includes('port');
}

function portsOf(statements: readonly ReadonlyMap<string, string>[]): NamedPort[] {
  const named: NamedPort[] = [];
  for (const groups of statements) {
    const port = readPortNumber(groups.get('port') ?? '');
    if (port !== undefined) named.push({ port, groups });
  }
  return distinct(named);
}

function matching(pattern: Pattern, statements: readonly string[]): ReadonlyMap<string, string>[] {
  const found: ReadonlyMap<string, string>[] = [];
  for (const statement of statements) {
    const groups = pattern.groups(statement);
    if (groups !== undefined) found.push(groups);
  }
  return found;
}

function narrow(some: readonly NamedPort[] | undefined, others: readonly NamedPort[]): readonly NamedPort[] {
  if (some === undefined) return others;
  return some.flatMap((one) => {
    const other = others.find(({ port }) => port === one.port);
    return other === undefined
      ? []
      : [{ ...other, ...one, groups: new Map([...(other.groups ?? []), ...(one.groups ?? [])]) }];
  });
}

function distinct(ports: NamedPort[]): NamedPort[] {
  return ports.length < 2
    ? ports
    : ports.filter(({ port }, i) => ports.findIndex((other) => other.port === port) === i);
}

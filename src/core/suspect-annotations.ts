import { readScrapeAnnotations } from './annotations/scrape-keys.ts';
import type { AnnotationKeys, ScrapeAnnotations } from './annotations/scrape-keys.ts';
import type { Endpoint } from './rules/endpoint.ts';
import { evaluateRules, podCandidates } from './rules/evaluate-rules.ts';
import { isOtherProtocol } from './pod/pod.ts';
import type { Pod } from './pod/pod.ts';
import { isScrapable, readPortNumber } from './pod/port.ts';
import type { Rules } from './rules/rule.ts';
import * as warning from './warning.ts';

/**
 * What can be wrong with scrape annotations that somebody wrote: a stable key (metric label, data
 * of `explain`). Nothing of it is certain, because only the endpoint itself could tell.
 */
export const SUSPECTS = [
  'undeclared_port',
  'port_name',
  'several_ports',
  'bad_port',
  'no_port',
  'other_port',
  'other_path',
  'other_scheme',
  'query_in_path',
  'bad_scheme',
] as const;

/** One of {@link SUSPECTS}. */
export type SuspectKind = (typeof SUSPECTS)[number];

/** One thing that is probably wrong with the annotations. */
export interface Suspect {
  readonly kind: SuspectKind;
  /**
   * A warning for the person who wrote them: one line, at most 256 characters, no control
   * characters.
   */
  readonly warning: string;
}

/**
 * Returns what is probably wrong with the scrape annotations of a pod that says
 * `prometheus.io/scrape: "true"` itself, compared with what its ports say and what the rules find;
 * nothing of a pod that does not.
 */
export function suspectAnnotations(
  pod: Pod,
  rules: Rules,
  stated: ScrapeAnnotations = readScrapeAnnotations(rules.annotationKeys, pod.annotations),
): Suspect[] {
  if ((stated.scrape !== 'true' && stated.slow !== 'true') || stated.negations.length > 0) return [];
  return [
    ...suspectPort(pod, rules, stated),
    ...suspectPath(stated, rules.annotationKeys),
    ...suspectScheme(stated, rules),
  ];
}

function suspectPort(pod: Pod, rules: Rules, stated: ScrapeAnnotations): Suspect[] {
  const key = rules.annotationKeys.port;
  const candidates = podCandidates(pod, rules);
  const declared = [...new Set(candidates.map(({ number }) => number))];
  const found = firmEndpoint(pod, rules);
  const instead = found === undefined ? '' : `; rule ${found.rule} finds ${place(found.endpoint)}`;
  if (stated.port === undefined) {
    return declared.length === 1
      ? []
      : [{ kind: 'no_port', warning: warning.everyPort(key, declared.length, found?.rule, found?.endpoint.port) }];
  }
  const port = readPortNumber(stated.port);
  if (port === undefined) {
    const named = candidates.find(({ name }) => name !== '' && name === stated.port);
    if (named !== undefined)
      return suspect('port_name', `${key} must be a number: the port called ${named.name} is "${named.number}"`);
    if (/^[0-9]{1,5}(?:[\s,;]+[0-9]{1,5})+$/.test(stated.port)) {
      const instead =
        'for several endpoints leave it out and set endpoints: all in the rules file, or write a PodMonitor';
      return suspect('several_ports', `${key} takes one port: ${instead}`);
    }
  }
  if (port === undefined || !isScrapable(port) || isOtherProtocol(pod, port))
    return [{ kind: 'bad_port', warning: warning.unusablePort(key) }];
  const [first] = declared;
  if (first !== undefined && !declared.includes(port))
    return suspect(
      'undeclared_port',
      `no container declares port ${port}${instead || `: declared ${declared.length === 1 ? 'is' : 'are'} ${list(declared)}`}`,
    );
  const at = evaluateRules(pod, rules, port);
  if (at.kind !== 'found') {
    return found === undefined ? [] : suspect('other_port', `${key} is ${port}${instead}`);
  }
  return atPort(at.rule.name, at.rule.confirm, at.endpoints[0], stated, rules.annotationKeys);
}

/** Compares the annotations with what a rule finds at the annotated port. */
function atPort(
  rule: string,
  isHint: boolean,
  { port, path, scheme }: Endpoint,
  stated: ScrapeAnnotations,
  keys: AnnotationKeys,
): Suspect[] {
  const written = (stated.path ?? '/metrics').replace(/[?#].*$/s, '');
  const verb = isHint ? 'hints at' : 'finds';
  return [
    // `/metrics` is also what is assumed where nothing is known of the path.
    ...(path !== '/metrics' && path !== written
      ? suspect(
          'other_path',
          `rule ${rule} ${verb} port ${port} at ${path}, and ${stated.path === undefined ? `${keys.path} is missing` : `${keys.path} is another path`}`,
        )
      : []),
    ...(scheme === 'https' && stated.scheme !== 'https'
      ? suspect('other_scheme', `rule ${rule} ${verb} https at port ${port}, and ${keys.scheme} is not https`)
      : []),
  ];
}

function suspectPath({ path }: ScrapeAnnotations, keys: AnnotationKeys): Suspect[] {
  const query = /\?(?<name>[\w.-]{1,32})?(?:=(?<value>[\w.-]{1,32}))?/.exec(path ?? '')?.groups;
  if (query === undefined) return [];
  const name = query['name'];
  const param = `${keys.path.slice(0, keys.path.lastIndexOf('/') + 1)}param_${name ?? 'NAME'}: "${query['value'] ?? ''}"`;
  return suspect(
    'query_in_path',
    `the ? in ${keys.path} is escaped, so the query is lost: with the Prometheus chart write ${param}`,
  );
}

function suspectScheme({ scheme }: ScrapeAnnotations, { annotationKeys }: Rules): Suspect[] {
  return scheme === undefined || scheme === 'http' || scheme === 'https'
    ? []
    : suspect('bad_scheme', `${annotationKeys.scheme} must be http or https`);
}

/** Returns the endpoint of the rule that would decide without annotations, where it is more than a hint. */
function firmEndpoint(pod: Pod, rules: Rules): { readonly rule: string; readonly endpoint: Endpoint } | undefined {
  const found = evaluateRules(pod, rules);
  return found.kind !== 'found' || found.rule.confirm
    ? undefined
    : { rule: found.rule.name, endpoint: found.endpoints[0] };
}

function place({ port, path }: Endpoint): string {
  return path === '/metrics' || path.length > 64 ? `port ${port}` : `port ${port} at ${path}`;
}

function list(ports: readonly number[]): string {
  return ports.length > 5 ? `${ports.slice(0, 4).join(', ')} and ${ports.length - 4} more` : ports.join(', ');
}

function suspect(kind: SuspectKind, text: string): Suspect[] {
  return [{ kind, warning: warning.fit(`autoscrape: ${text}`) }];
}

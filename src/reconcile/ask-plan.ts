import { objectIn, text } from '../core/json.ts';
import { createHash } from 'node:crypto';
import type { PortToAsk, RankedPort } from '../ask/ask-pod.ts';
import { MAX_PORTS } from '../ask/limits.ts';
import { readScrapeAnnotations } from '../core/annotations/scrape-keys.ts';
import { allowsAsking, ASK_LABEL } from '../core/ask-label.ts';
import { isAskablePath, MAX_PATHS } from '../core/ask/ask-path.ts';
import { askablePorts, podRefusal } from '../core/ask/askable-ports.ts';
import type { AskMode, PodRefusal } from '../core/ask/askable-ports.ts';
import { readAskedPod } from '../core/ask/asked-pod.ts';
import type { AskedPod } from '../core/ask/asked-pod.ts';
import { pathsOfPort } from '../core/ask/paths-of-port.ts';
import { annotatedService, servicePorts } from '../core/ask/service-ports.ts';
import { workloadKey } from '../core/ask/workload-key.ts';
import type { Decision } from '../core/decision.ts';
import { ownerOf } from '../core/pod/owner.ts';
import { readPod } from '../core/pod/pod.ts';
import type { Pod } from '../core/pod/pod.ts';
import { configuredPath } from '../core/rules/evaluate-rule.ts';
import type { Rules } from '../core/rules/rule.ts';

/** What the user chose about asking. */
export interface AskSettings {
  /** Which ports are asked. */
  readonly ports: AskMode;
  /** What happens to pods of a Service that the community chart already scrapes. */
  readonly annotatedServices: 'leave' | 'ask';
}

/** What a plan needs besides the pod and its decision. */
export interface AskSurroundings {
  readonly rules: Rules;
  readonly settings: AskSettings;
  /** The value of the namespace's label autoscrape.io/ask. */
  readonly askLabel: string | undefined;
  /** The Services of the pod's namespace. */
  readonly services: readonly unknown[];
}

/**
 * A port to ask, with the container that serves it; empty where only a Service names the port. Where
 * several serve metrics, the rule's is annotated, then the first that the pod declares.
 */
export interface PlannedPort extends PortToAsk, RankedPort {
  readonly container: string;
  /** Whether the container declares the port. */
  readonly declared: boolean;
}

/** A port and a path where metrics are, or may be. */
export interface PortAndPath {
  readonly port: number;
  readonly path: string;
}

/** The pod is to be asked. */
export interface AskPlan {
  readonly ports: readonly PlannedPort[];
  /** The rule's name and endpoint, where the answer decides whether the rule is right. */
  readonly confirms: (PortAndPath & { readonly rule: string }) | undefined;
  /** The pod's controller, such as `Deployment/shop`, in all its versions. */
  readonly owner: string | undefined;
  readonly address: string;
  readonly node: string;
  /**
   * Returns the key under which answers are stored. It is equal for the replicas of one workload,
   * and differs where anything differs that could change the answer.
   */
  key(): string;
}

/** Why a pod is not asked. */
export type LeftUnasked =
  /** Its label or its namespace's says no. */
  | { readonly left: 'switched_off' }
  /** It has no port that may be asked. */
  | { readonly left: 'no_port' }
  /** The Service is scraped already. */
  | { readonly left: 'service_annotated'; readonly service: string }
  | { readonly left: 'refused'; readonly why: PodRefusal };

/**
 * Returns what to ask a pod that has this decision: `no_candidate`, or one that a rule takes by a
 * word that only hints. Returns why it is not asked where it must not be.
 */
export function planAsk(object: unknown, decision: Decision, surroundings: AskSurroundings): AskPlan | LeftUnasked {
  const { rules, settings, services } = surroundings;
  const asked = readAskedPod(object);
  const pod = readPod(object);
  if (pod === undefined) return { left: 'no_port' };
  if (!allowsAsking(asked.labels.get(ASK_LABEL), surroundings.askLabel)) return { left: 'switched_off' };
  const confirms = endpointToConfirm(decision);
  const ports = portsToAsk(asked, pod, confirms, surroundings);
  if (ports.length === 0) return { left: 'no_port' };
  const why = podRefusal(asked);
  if (why !== undefined) return { left: 'refused', why };
  const service = settings.annotatedServices === 'leave' ? annotatedService(services, asked) : undefined;
  if (service !== undefined) return { left: 'service_annotated', service };
  const metadata = objectIn(object, 'metadata');
  const owner = ownerOf(object);
  return {
    ports,
    confirms,
    owner: owner && `${owner.kind}/${owner.workload}`,
    address: asked.podIP,
    node: text(objectIn(object, 'spec').nodeName) || asked.hostIP,
    key: () => keyOf(text(metadata.namespace), object, asked, pod, rules, ports),
  };
}

/**
 * Returns the rule and the endpoint that it would annotate; undefined where no answer is needed or
 * the endpoint is https, which is never asked.
 */
function endpointToConfirm(decision: Decision): AskPlan['confirms'] {
  if (decision.outcome === 'skip' || !decision.confirm) return undefined;
  const [{ port, path, scheme }] = decision.endpoints;
  return scheme === 'https' || !isAskablePath(path) ? undefined : { rule: decision.rule, port, path };
}

/** Modes in which a port may be asked that only a rule's words indicate. */
const BY_RULE: readonly AskMode[] = ['likely', 'all'];

function portsToAsk(
  asked: AskedPod,
  pod: Pod,
  confirms: AskPlan['confirms'],
  { rules, settings, services }: AskSurroundings,
): PlannedPort[] {
  const stated = statedPath(pod, rules);
  // Scrapers would use the path that the user wrote, whatever answers elsewhere.
  if (stated !== undefined && !isAskablePath(stated)) return [];
  const isInjected = isInjectedBy(rules, pod);
  const { ask, never } = askablePorts(asked, servicePorts(services, asked), {
    mode: settings.ports,
    never: rules.askNever,
    isInjected,
  });
  const found = ask.map(({ number, container }): PlannedPort => {
    const own = [...pod.containers, ...pod.sidecars].find(({ name }) => name === container?.name);
    const configured = own === undefined ? undefined : configuredPath(own, rules);
    return {
      port: number,
      paths:
        stated === undefined ? pathsOfPort(container, number, configured === undefined ? [] : [configured]) : [stated],
      container: container?.name ?? '',
      declared: container?.ports.some((port) => port.number === number) ?? false,
      rank: rankOf(number, asked),
    };
  });
  return withRuleFirst(found, confirms, asked, (port) => {
    if (never.some(({ number }) => number === port) || rules.askNever.includes(port)) return false;
    return BY_RULE.includes(settings.ports);
  }).slice(0, MAX_PORTS);
}

const RULE_RANK = -1;

/** Returns the port's place among those that the pod declares, or one behind all of them. */
function rankOf(port: number, { containers }: AskedPod): number {
  const declared = containers.flatMap(({ ports }) => ports);
  const place = declared.findIndex(({ number }) => number === port);
  return place === -1 ? declared.length : place;
}

/** Returns the ports with the rule's endpoint first, and none where that one must not be asked. */
function withRuleFirst(
  found: readonly PlannedPort[],
  confirms: AskPlan['confirms'],
  asked: AskedPod,
  mayAskByRule: (port: number) => boolean,
): readonly PlannedPort[] {
  if (confirms === undefined) return found;
  const { port, path } = confirms;
  const known = found.find((each) => each.port === port);
  if (known === undefined && !mayAskByRule(port)) return [];
  const declaring = asked.containers.find(({ ports }) => ports.some(({ number }) => number === port));
  const first: PlannedPort = {
    port,
    container: known?.container ?? declaring?.name ?? '',
    declared: known?.declared ?? declaring !== undefined,
    rank: RULE_RANK,
    paths: [...new Set([path, ...(known?.paths ?? pathsOfPort(declaring, port))])].slice(0, MAX_PATHS),
  };
  return [first, ...found.filter((each) => each !== known)];
}

/** Returns the path annotation that the pod brought. */
function statedPath(pod: Pod, rules: Rules): string | undefined {
  return readScrapeAnnotations(rules.annotationKeys, pod.annotations).path;
}

function isInjectedBy({ ignoreContainers }: Rules, { work }: Pod): (container: string) => boolean {
  return (name) => ignoreContainers.some((ignored) => ignored.matches(name, work));
}

function keyOf(
  namespace: string,
  object: unknown,
  asked: AskedPod,
  pod: Pod,
  rules: Rules,
  ports: readonly PlannedPort[],
): string {
  const isInjected = isInjectedBy(rules, pod);
  const own = asked.containers.filter(({ name }) => !isInjected(name));
  const configured = own.map(({ name }) => workloadKey(namespace, object, name));
  const text = JSON.stringify([namespace, configured, ports.map(({ port, paths }) => [port, paths])]);
  return createHash('sha256').update(text).digest('base64url');
}

import type { AskedContainer, AskedPod, DeclaredPort } from './asked-pod.ts';
import { debugPorts } from './debugger-arguments.ts';
import { neverByName, neverByNumber } from './never-asked-ports.ts';
import type { ServicePort } from './service-ports.ts';

/**
 * What indicates HTTP at a port, strongest first. `probed`: the kubelet GETs it. `name`: its name,
 * or a Service's, contains a word such as `http`. `number`: it is a common HTTP port without a name
 * that means something else. `declared`: it is only declared.
 */
export type Sign = 'probed' | 'name' | 'number' | 'declared';

/** Which ports are asked, by their signs. `likely` is the default. */
export type AskMode = 'probed' | 'web' | 'likely' | 'all';

const SIGNS: Readonly<Record<AskMode, readonly Sign[]>> = {
  probed: ['probed'],
  web: ['probed', 'name'],
  likely: ['probed', 'name', 'number'],
  all: ['probed', 'name', 'number', 'declared'],
};

/** A port that may be asked. */
export interface AskablePort {
  readonly number: number;
  readonly sign: Sign;
  /** The container that declares or probes it; undefined where only a Service names the port. */
  readonly container: AskedContainer | undefined;
}

/** A port that must not be asked, with the reason. */
export interface NeverAskedPort {
  readonly number: number;
  /**
   * A kind of {@link import('./never-asked-ports.ts').NEVER_ASK}, or one of `configured`, `debugger`, `grpc
   * probe`, `knative`.
   */
  readonly why: string;
}

export interface AskablePorts {
  /** By sign, then in declared order. */
  readonly ask: readonly AskablePort[];
  readonly never: readonly NeverAskedPort[];
}

/** What is known in addition to the pod. */
export interface AskRules {
  readonly mode: AskMode;
  /** Ports that the user excluded, whatever their signs. */
  readonly never: readonly number[];
  /** Whether a mesh or an agent injected the container. */
  readonly isInjected: (container: string) => boolean;
}

/** Returns which ports of the pod may be asked, and which of the others must not be. */
export function askablePorts(pod: AskedPod, services: readonly ServicePort[], rules: AskRules): AskablePorts {
  const found = [...knownPorts(pod, services, rules.isInjected)].map(([number, known]) => ({
    number,
    container: known.container,
    ...judge(number, known, pod, rules.never),
  }));
  return {
    ask: SIGNS[rules.mode].flatMap((sign) =>
      found.flatMap((port) => (port.sign === sign ? [{ number: port.number, sign, container: port.container }] : [])),
    ),
    never: found.flatMap(({ number, why }) => (why === undefined ? [] : [{ number, why }])),
  };
}

/** Why no port of a pod may be asked. */
export type PodRefusal = 'host_network' | 'host_process' | 'host_address' | 'scale_to_zero';

/** Returns why no port of this pod may be asked, or undefined where one may. */
export function podRefusal(pod: AskedPod): PodRefusal | undefined {
  // On the host network the port may belong to another process, or to the kubelet.
  if (pod.hostNetwork) return 'host_network';
  if (pod.hostProcess) return 'host_process';
  if (pod.podIP !== '' && pod.podIP === pod.hostIP) return 'host_address';
  // A request wakes the container, and only the kubelet's own requests are recognised:
  // https://github.com/ctrox/zeropod/issues/72
  return pod.runtimeClass === 'zeropod' ? 'scale_to_zero' : undefined;
}

interface KnownPort {
  container: AskedContainer | undefined;
  declared: DeclaredPort | undefined;
  probed: boolean;
  grpcProbed: boolean;
  /** The names and protocols that Services give it. */
  words: string[];
}

/**
 * Returns the pod's ports by number: first the declared ones, then those that only a probe or a
 * Service names.
 */
function knownPorts(
  pod: AskedPod,
  services: readonly ServicePort[],
  isInjected: (container: string) => boolean,
): ReadonlyMap<number, KnownPort> {
  const ports = new Map<number, KnownPort>();
  const others = new Set<number>();
  function port(number: number, container?: AskedContainer): KnownPort {
    const known = ports.get(number) ?? {
      container,
      declared: undefined,
      probed: false,
      grpcProbed: false,
      words: [],
    };
    ports.set(number, known);
    return known;
  }
  const own = pod.containers.filter((container) => {
    const injected = isInjected(container.name);
    if (injected) for (const { number } of container.ports) others.add(number);
    return !injected;
  });
  for (const container of own) for (const each of container.ports) port(each.number, container).declared ??= each;
  for (const container of own) {
    for (const each of container.httpProbes) port(each.port, container).probed = true;
    for (const each of container.grpcProbes) port(each, container).grpcProbed = true;
  }
  for (const { number, words } of services) if (!others.has(number)) port(number).words.push(...words);
  return ports;
}

type Judgement =
  | { readonly sign: Sign; readonly why?: never }
  | { readonly sign?: never; readonly why: string }
  | { readonly sign?: never; readonly why?: never };

function judge(number: number, known: KnownPort, pod: AskedPod, never: readonly number[]): Judgement {
  const { container, declared, words } = known;
  const name = declared?.name ?? '';
  if (never.includes(number)) return { why: 'configured' };
  // A request through Knative's queue-proxy counts as traffic, so a target there would keep the pod
  // running for ever. The user's own port bypasses it.
  // https://github.com/knative/serving/issues/11722
  if (pod.labels.has(KNATIVE)) return name === USER_PORT ? { sign: 'name' } : { why: 'knative' };
  // Istio makes the kubelet probe its agent instead of the application.
  if (isIstio(number)) return { why: 'injected' };
  if (known.probed) return { sign: 'probed' };
  if (known.grpcProbed) return { why: 'grpc probe' };
  if (container !== undefined && debugPorts(container.words, container.environment).has(number))
    return { why: 'debugger' };

  const refused = neverByName(name);
  if (refused !== undefined) return { why: refused.kind };
  if (isWebName(name)) return { sign: 'name' };
  const refusedByService = words
    .map(protocolOf)
    .map(neverByName)
    .find((kind) => kind !== undefined);
  if (refusedByService !== undefined) return { why: refusedByService.kind };
  if (words.map(protocolOf).some(isWebName)) return { sign: 'name' };
  // Where only a Service names the port, only the Service's words count.
  if (declared === undefined) return {};
  const refusedByNumber = neverByNumber(number);
  if (refusedByNumber !== undefined) return { why: refusedByNumber.kind };
  return { sign: isWebNumber(number) ? 'number' : 'declared' };
}

const KNATIVE = 'serving.knative.dev/revision';
const USER_PORT = 'user-port';

function isIstio(number: number): boolean {
  return number >= 15_000 && number <= 15_090;
}

/**
 * In `kubernetes.io/h2c` the protocol follows the slash:
 * https://kubernetes.io/docs/concepts/services-networking/service/#application-protocol
 */
function protocolOf(word: string): string {
  return word.slice(word.lastIndexOf('/') + 1);
}

/** Returns whether a part of the name indicates HTTP, with or without a number at its end. */
function isWebName(name: string): boolean {
  return name
    .toLowerCase()
    .split('-')
    .some((word) => WEB.has(word.replace(/\d+$/, '')));
}

const WEB = new Set(
  'http web api app server rest ui admin console dashboard management monitoring actuator status health healthz'.split(
    ' ',
  ),
);

/**
 * Default ports of web frameworks: 3000 Node and Rails, 5000 Flask, 8000 Django, 8080 Java, 9000
 * Play …
 */
function isWebNumber(number: number): boolean {
  return number === 80 || number === 5000 || WEB_RANGES.some(([from, to]) => number >= from && number <= to);
}

const WEB_RANGES = [
  [3000, 3010],
  [8000, 8999],
  [9000, 9999],
] as const;

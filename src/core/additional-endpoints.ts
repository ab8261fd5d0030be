import {
  ISTIO_TARGETS_KEY,
  isIstioTarget,
  isMergedByIstio,
  renderIstioTargets,
  statesIstioTargets,
} from './annotations/istio-targets.ts';
import { DEFAULT_KEYS, stepsOfReading } from './annotations/scrape-keys.ts';
import { keysOfSlot, readSlots, SLOTS } from './annotations/numbered-keys.ts';
import { MAX_ADDITIONAL_PATH } from './limits.ts';
import type { Pod } from './pod/pod.ts';
import type { Endpoint } from './rules/endpoint.ts';
import type { Rules } from './rules/rule.ts';
import { spend } from './step-budget.ts';
import * as warning from './warning.ts';

/**
 * Why an endpoint is not scraped although a rule finds it: a stable key, with the end of a sentence that begins with
 * "because" or "but", and what to do.
 */
export const WHY_LEFT = {
  one_endpoint: {
    because: 'the rules annotate one endpoint of a pod',
    todo: 'set endpoints: all in the rules file, or write a PodMonitor',
  },
  hint: { because: 'the rule only hints at it', todo: 'name its port in the label autoscrape.io/port' },
  undeclared: { because: 'no container declares its port', todo: 'declare it under ports' },
  https: { because: 'it uses https, which is not annotated here', todo: 'write a PodMonitor' },
  mesh: {
    because: 'Istio takes several endpoints only of a new pod, with merging on and no scrape-targets of its own',
    todo: 'create the pod again with merging switched on, or write a PodMonitor',
  },
  bad_path: { because: 'its path is too long, or cannot be written there', todo: 'write a PodMonitor' },
  too_many: { because: 'a pod has at most 8 annotated endpoints', todo: 'write a PodMonitor' },
  too_large: { because: 'the annotations would come too close to 256 KiB', todo: 'write a PodMonitor' },
} as const satisfies Record<string, { readonly because: string; readonly todo: string }>;

/** A key of {@link WHY_LEFT}. */
export type WhyLeft = keyof typeof WHY_LEFT;

/** An endpoint of a decision. */
export interface DecidedEndpoint extends Endpoint {
  /** Why no annotation says where it is; undefined for one that scrapers find. */
  readonly left?: WhyLeft;
}

/** The endpoints besides the first one, with the annotations that say where they are. */
export interface AdditionalEndpoints {
  readonly endpoints: readonly DecidedEndpoint[];
  readonly annotations: Readonly<Record<string, string>>;
}

/** What decides which additional endpoints are written. */
export interface AdditionalSurroundings {
  readonly pod: Pod;
  readonly rules: Rules;
  readonly mesh: boolean;
  /** The pod exists already, so that Istio's injector reads its annotations no more. */
  readonly live: boolean;
}

/** Returns the endpoints, none of which is written. */
export function leaveOut(others: readonly Endpoint[], left: WhyLeft): AdditionalEndpoints {
  return { endpoints: others.map((endpoint) => ({ ...endpoint, left })), annotations: {} };
}

/** Returns the additional endpoints beside the first one, which has the path and scheme that scrapers will use. */
export function writeAdditional(
  first: Endpoint,
  others: readonly Endpoint[],
  { pod, rules, mesh, live }: AdditionalSurroundings,
): AdditionalEndpoints {
  if (others.length === 0 || rules.endpoints === 'first') return leaveOut(others, 'one_endpoint');
  return mesh ? forIstio(first, others, { pod, rules, live }) : inSlots(others, pod, rules);
}

/** Numbered keys, beside those that the author has written. */
function inSlots(others: readonly Endpoint[], { annotations, work }: Pod, rules: Rules): AdditionalEndpoints {
  if (!spend(work, annotations.size * stepsOfReading(rules.annotationKeys))) return leaveOut(others, 'too_large');
  const taken = readSlots(rules.annotationKeys, annotations);
  const stated = new Set(taken.values());
  const free = SLOTS.filter((slot) => !taken.has(slot));
  const added: Record<string, string> = {};
  const endpoints = others.map((endpoint): DecidedEndpoint => {
    const { port, path, scheme, declared } = endpoint;
    if (stated.has(String(port))) return endpoint;
    if (!declared) return { ...endpoint, left: 'undeclared' };
    if (scheme === 'https' && !rules.https) return { ...endpoint, left: 'https' };
    if (path.length > MAX_ADDITIONAL_PATH) return { ...endpoint, left: 'bad_path' };
    const slot = free.shift();
    if (slot === undefined) return { ...endpoint, left: 'too_many' };
    const keys = keysOfSlot(rules.annotationKeys, slot);
    added[keys.port] = String(port);
    added[keys.path] = path;
    if (scheme === 'https') added[keys.scheme] = 'https';
    return endpoint;
  });
  return { endpoints, annotations: added };
}

/** One annotation that Istio's agent reads: a numbered key would make a target behind the proxy, which is down. */
function forIstio(
  first: Endpoint,
  others: readonly Endpoint[],
  { pod: { annotations }, rules, live }: Omit<AdditionalSurroundings, 'mesh'>,
): AdditionalEndpoints {
  // Istio reads prometheus.io/port alone, so that with other keys its agent does not know the first endpoint either.
  const isRead = rules.annotationKeys.port === DEFAULT_KEYS.port;
  if (!isRead || live || !isMergedByIstio(annotations) || statesIstioTargets(annotations))
    return leaveOut(others, 'mesh');
  if (!isIstioTarget(first) || first.path.length > MAX_ADDITIONAL_PATH) return leaveOut(others, 'bad_path');
  const targets = [first];
  const endpoints = others.map((endpoint): DecidedEndpoint => {
    if (endpoint.scheme === 'https') return { ...endpoint, left: 'https' };
    if (!isIstioTarget(endpoint) || endpoint.path.length > MAX_ADDITIONAL_PATH)
      return { ...endpoint, left: 'bad_path' };
    if (targets.length > SLOTS.length) return { ...endpoint, left: 'too_many' };
    targets.push(endpoint);
    return endpoint;
  });
  const value = renderIstioTargets(targets);
  return { endpoints, annotations: targets.length > 1 ? { [ISTIO_TARGETS_KEY]: value } : {} };
}

/** Returns a warning for each reason for which endpoints are left out, where somebody should know of them. */
export function leftOutWarnings(additional: readonly DecidedEndpoint[]): string[] {
  return [...Map.groupBy(additional, ({ left }) => left)].flatMap(([left, endpoints]) => {
    if (left === undefined || left === 'hint') return [];
    const { because, todo } = WHY_LEFT[left];
    return [warning.notScraped(endpoints, because, todo)];
  });
}

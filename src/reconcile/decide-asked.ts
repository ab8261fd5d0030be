import { MARKER_KEY, readMarker } from '../core/annotations/marker.ts';
import type { Marker } from '../core/annotations/marker.ts';
import { isAskablePath } from '../core/ask/ask-path.ts';
import { classOf } from '../core/ask/verdict.ts';
import { decideByAnswer } from '../core/decide.ts';
import type { Surroundings } from '../core/decide.ts';
import type { Annotate, Decision } from '../core/decision.ts';
import { isObject, member, own } from '../core/json.ts';
import { readPortNumber } from '../core/pod/port.ts';
import type { AskMemory, ServedPort, Workload } from './remembered-answers.ts';
import { planAsk } from './ask-plan.ts';
import type { AskPlan, AskSurroundings, PortAndPath } from './ask-plan.ts';
import type { AskReason } from './plan.ts';

/** The rule name of annotations that an answer alone is the reason for. */
export const ASKED_RULE = 'asked';

/** What is decided for a pod that no rule decides, or only by a word that hints. */
export type AskedDecision =
  | { readonly outcome: 'annotate'; readonly decision: Annotate; readonly onTrust: boolean }
  | {
      readonly outcome: 'skip';
      readonly reason: AskReason | Exclude<Decision, Annotate>['reason'];
      /** What the reason's sentence leaves open, in a few words. */
      readonly detail?: string;
    };

/** What a pod contributes to asking. */
export interface PodToAsk {
  readonly plan: AskPlan;
  /** Where the pod's annotations by autoscrape say that its metrics are; undefined without them. */
  readonly annotated: Annotated | undefined;
}

/** Where a pod's annotations by autoscrape say that its metrics are. */
export interface Annotated extends ServedPort {
  /** Whether an answer was the reason for certain: a rule that hints can have decided without one. */
  readonly isAnswered: boolean;
}

/** What the answers of others say about a pod. */
export interface AnswersFor {
  readonly memory: AskMemory;
  /** The key of the pod's workload; undefined while the pod is not ready. */
  readonly key: string | undefined;
  /** Whether the pod has waited so long for an answer that its rule decides without one. */
  readonly hasWaited: boolean;
}

/**
 * Returns what to do with a pod that is to be asked. Its rule decides only where there is no answer
 * and none can be expected: no request in the namespace was ever answered, or the pod has waited
 * for too long.
 */
export function decideAsked(
  object: unknown,
  decision: Decision,
  plan: AskPlan,
  namespace: string,
  { memory, key, hasWaited }: AnswersFor,
  surroundings: AskSurroundings & Surroundings,
): AskedDecision {
  const workload = key === undefined ? undefined : memory.find(namespace, key);
  if (workload?.endpoint !== undefined) return annotateAt(workload.endpoint, false);
  const refusal = refusalOf(workload, plan);
  if (refusal !== undefined) return { outcome: 'skip', reason: refusal, ...verdictsOf(workload) };
  const trusted = plan.owner === undefined ? undefined : memory.ofOwner(namespace, plan.owner);
  if (trusted !== undefined && isPlanned(trusted, plan)) return annotateAt(trusted, true);
  if (decision.outcome === 'annotate' && (hasWaited || memory.isUnreachable(namespace))) {
    return { outcome: 'annotate', decision, onTrust: false };
  }
  if (workload?.result !== 'not_answered') return { outcome: 'skip', reason: 'to_be_asked' };
  return { outcome: 'skip', reason: 'could_not_ask', ...verdictsOf(workload) };

  function annotateAt(endpoint: PortAndPath, onTrust: boolean): AskedDecision {
    const { confirms, ports } = plan;
    const port = ports.find((each) => each.port === endpoint.port);
    const isRules = confirms?.port === endpoint.port && confirms.path === endpoint.path;
    const made = decideByAnswer(object, surroundings.rules, surroundings, {
      ...endpoint,
      rule: isRules ? confirms.rule : ASKED_RULE,
      container: port?.container ?? '',
      scheme: 'http',
      declared: port?.declared ?? false,
    });
    return made.outcome === 'annotate'
      ? { outcome: 'annotate', decision: made, onTrust }
      : { outcome: 'skip', reason: made.reason };
  }
}

/**
 * Returns why the pod is not annotated although it answered. Where a rule has named a port, only
 * that port's answer says that the rule is wrong.
 */
function refusalOf(workload: Workload | undefined, { confirms }: AskPlan): AskReason | undefined {
  if (workload === undefined) return undefined;
  if (confirms === undefined) return reasonOf(workload.result);
  const verdict = workload.ports.get(confirms.port)?.verdict;
  if (verdict === undefined || workload.result === 'waiting') return undefined;
  return verdict.key === 'not_http' ? 'asked_no_metrics' : reasonOf(classOf(verdict));
}

/** Returns the verdict of each port as a detail of the reason. */
function verdictsOf(workload: Workload | undefined): { readonly detail?: string } {
  const verdicts = [...(workload?.ports ?? [])].map(([port, { verdict }]) => `port ${port}: ${verdict.key}`);
  return verdicts.length === 0 ? {} : { detail: verdicts.join(', ') };
}

function reasonOf(result: string): AskReason | undefined {
  if (result === 'unscrapable') return 'asked_unscrapable';
  return result === 'no_metrics' ? 'asked_no_metrics' : undefined;
}

/**
 * Returns whether the endpoint is still one that would be asked, in the same container. A path that
 * an answer has suggested counts while the pod itself suggests the same paths: one below the former
 * context path would be down for as long as the pod lives.
 */
function isPlanned({ port, path, container, paths }: ServedPort, { ports }: AskPlan): boolean {
  const planned = ports.find((each) => each.port === port && each.container === container);
  if (planned === undefined) return false;
  return planned.paths.includes(path) || planned.paths.join(' ') === paths.join(' ');
}

/**
 * Returns the same pod without what autoscrape added, with the endpoint that it has now, where its
 * annotations came from an answer or from a rule that only hints; undefined for every other pod.
 */
export function beforeAnnotated(
  object: unknown,
  { rules }: Pick<AskSurroundings, 'rules'>,
): { readonly object: unknown; readonly endpoint: PortAndPath; readonly isAnswered: boolean } | undefined {
  const metadata = member(object, 'metadata');
  const annotations = member(metadata, 'annotations');
  if (!isObject(object) || !isObject(metadata) || !isObject(annotations)) return undefined;
  const value = own(annotations, MARKER_KEY);
  const marker = typeof value === 'string' ? readMarker(value) : undefined;
  if (marker === undefined) return undefined;
  const isAsked = marker.rule === ASKED_RULE || rules.rules.some((rule) => rule.confirm && rule.name === marker.rule);
  if (!isAsked) return undefined;
  const { port: portKey, path: pathKey } = rules.annotationKeys;
  const port = readPortNumber(marker.added[portKey] ?? '');
  const path = pathOf(marker, annotations, pathKey);
  // Anyone who creates a pod can write a marker, and its path may be written into other pods.
  if (port === undefined || path === undefined || !isAskablePath(path)) return undefined;
  const others = Object.entries(annotations).filter(([key]) => key !== MARKER_KEY && !Object.hasOwn(marker.added, key));
  return {
    object: { ...object, metadata: { ...metadata, annotations: Object.fromEntries(others) } },
    endpoint: { port, path },
    isAnswered: marker.rule === ASKED_RULE,
  };
}

function pathOf(marker: Marker, annotations: Readonly<Record<string, unknown>>, key: string): string | undefined {
  const path = marker.added[key] ?? annotations[key];
  return typeof path === 'string' ? path : undefined;
}

/** Returns the plan for asking and the endpoint, where the pod was annotated after an answer. */
export function planAnnotated(
  object: unknown,
  decide: (object: unknown) => Decision,
  surroundings: AskSurroundings,
): PodToAsk | undefined {
  const before = beforeAnnotated(object, surroundings);
  if (before === undefined) return undefined;
  const decision = decide(before.object);
  if (!isLeftToAsking(decision)) return undefined;
  const plan = planAsk(before.object, decision, surroundings);
  if ('left' in plan) return undefined;
  const port = plan.ports.find((planned) => planned.port === before.endpoint.port);
  if (port === undefined) return undefined;
  const { container, paths } = port;
  return { plan, annotated: { ...before.endpoint, container, paths, isAnswered: before.isAnswered } };
}

/** Returns whether the pod's ports are asked: no rule decides, or only by a word that hints. */
export function isLeftToAsking(decision: Decision): boolean {
  return decision.outcome === 'annotate' ? decision.confirm : decision.reason === 'no_candidate';
}

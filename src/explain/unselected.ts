import type { Decision, Skip } from '../core/decision.ts';
import {
  choiceOf,
  judgePod,
  labelChanges,
  NAME_LABEL,
  optInOf,
  SYSTEM_NAMESPACES,
  withName,
} from '../core/pod-selectors.ts';
import type { NamespaceJudged, PodJudged } from '../core/pod-selectors.ts';
import { selectorText } from '../core/rules/selector-text.ts';
import type { LabelRequirement } from '../core/rules/selector.ts';
import { REASONS } from '../core/skip-reason.ts';
import type { SkipReason } from '../core/skip-reason.ts';
import type { ReleaseSelector, SelectorsInForce } from '../manifest/release-selectors.ts';

type Labels = ReadonlyMap<string, string>;

/** Why autoscrape does not work on a namespace or a pod, and what to do about it: a sentence each, or a command. */
export interface Unselected {
  readonly because: string;
  readonly todo: string;
}

/** The decision on a pod that the selectors leave out: nobody looks at it. */
export interface NotSelected extends Omit<Skip, 'reason'> {
  readonly reason: 'not_selected';
}

/** What `explain` says of a pod: what the rules decide, as far as they are asked. */
export type Outcome = Decision | NotSelected;

/** Why `explain` skips a workload, each with its sentence. */
export const EXPLAINED_REASONS = {
  ...REASONS,
  not_selected: 'The selector for pods does not select the pod, so that autoscrape never looks at it.',
} as const satisfies Record<string, string>;

/** What a pod says itself is so whether it is selected or not. */
const SAID_BY_THE_POD: ReadonlySet<SkipReason> = new Set([
  'unreadable',
  'mirror_pod',
  'opted_out',
  'already_injected',
  'declined',
  'conflicting_keys',
  'istio_merged',
  'already_annotated',
]);

/** Returns the decision on a pod that the selectors leave out. */
export function leftOut(decision: Decision): Outcome {
  return decision.outcome === 'skip' && SAID_BY_THE_POD.has(decision.reason)
    ? decision
    : { outcome: 'skip', reason: 'not_selected', warnings: [] };
}

function whyNamespace(
  inForce: SelectorsInForce,
  name: string,
  labels: Labels,
  { selector, unmet }: Pick<NamespaceJudged<ReleaseSelector>, 'selector' | 'unmet'>,
): Unselected {
  const optIn = optInOf(unmet, labels);
  if (optIn === 'never') return whyNever(inForce, name, { selector, unmet });
  const changes = labelChanges(selector.namespace, withName(name, labels));
  const todo =
    changes === undefined
      ? "Change the chart's value webhook.namespaceSelector: no label of the namespace does it."
      : labelCommand(name, changes, labels);
  if (optIn === 'unknown')
    return { because: `Namespace ${name} has a label autoscrape.io/inject that means neither yes nor no.`, todo };
  if (choiceOf(selector).namespaces === undefined)
    return { because: `Namespace ${name} is not opted in by the label autoscrape.io/inject.`, todo };
  const { wants, has } = compare(unmet, withName(name, labels));
  return { because: `Only namespaces with ${wants} are selected (${selector.from}), and ${name} has ${has}.`, todo };
}

const BY_HAND = 'Write the annotations into the pod template yourself';

function whyNever(
  { namespaces }: SelectorsInForce,
  name: string,
  { selector: { from }, unmet }: Pick<NamespaceJudged<ReleaseSelector>, 'selector' | 'unmet'>,
): Unselected {
  if (SYSTEM_NAMESPACES.includes(name) || namespaces.includes(name) || !unmet.some(({ key }) => key === NAME_LABEL))
    return { because: `In namespace ${name} no pod is ever annotated or asked.`, todo: `${BY_HAND}.` };
  return {
    because: `Namespace ${name} is left out by its name (${from}).`,
    todo: `${BY_HAND}, or take the namespace out of the chart's value webhook.excludedNamespaces.`,
  };
}

/** Returns `kubectl label` with the changes: a name with a minus removes a label. */
function labelCommand(name: string, changes: ReadonlyMap<string, string | undefined>, labels: Labels): string {
  const words = [...changes].map(([key, value]) => (value === undefined ? `${key}-` : `${key}=${value}`));
  const replaces = [...changes].some(([key, value]) => value !== undefined && labels.has(key));
  return `kubectl label namespace ${name} ${words.join(' ')}${replaces ? ' --overwrite' : ''}`;
}

/** Why a pod is not annotated by the selectors: for its namespace, for itself, or both. */
export interface WhyUnselected {
  readonly namespace: Unselected | undefined;
  readonly pod: Unselected | undefined;
  /** The selector that this is by; undefined where there is none. */
  readonly selector: ReleaseSelector | undefined;
}

/**
 * Returns why the selectors leave a pod out. Of several releases it is the one of which the least is missing, so that what
 * is to be done about pod and namespace goes together. Of a namespace whose labels are not known only its name counts.
 */
export function whyUnselected(
  inForce: SelectorsInForce,
  namespace: { readonly name: string; readonly labels: Labels | undefined },
  labels: Labels,
): WhyUnselected {
  const { name } = namespace;
  const judged = judgePod(inForce.selectors, namespace, labels);
  if (judged === undefined) return { namespace: undefined, pod: undefined, selector: undefined };
  const { selector, unmet, unmetByNamespace } = judged;
  const known = namespace.labels ?? new Map<string, string>();
  return {
    namespace:
      unmetByNamespace.length === 0 || name === ''
        ? undefined
        : whyNamespace(inForce, name, known, { selector, unmet: unmetByNamespace }),
    pod: unmet.length === 0 ? undefined : whyPod(labels, { selector, unmet }),
    selector,
  };
}

function whyPod(
  labels: Labels,
  { selector, unmet }: Pick<PodJudged<ReleaseSelector>, 'selector' | 'unmet'>,
): Unselected {
  const { wants, has } = compare(unmet, labels);
  const changes = labelChanges(selector.pod, labels);
  return {
    because: `Only pods with ${wants} are selected (${selector.from}), and this one has ${has}.`,
    todo:
      changes === undefined
        ? "Change the chart's value webhook.objectSelector: no label of the pod does it."
        : `In the pod template ${[...changes].map((change) => templateChange(change, selector.pod)).join(' and ')}.`,
  };
}

function templateChange(
  [key, value]: readonly [string, string | undefined],
  demanded: readonly LabelRequirement[],
): string {
  if (value === undefined) return `remove the label ${key}`;
  const isOneOf = demanded.some((one) => one.key === key && one.operator === 'In');
  return isOneOf ? `write the label ${key}: ${JSON.stringify(value)}` : `write a label ${key} of any value`;
}

function compare(unmet: readonly LabelRequirement[], labels: Labels): { readonly wants: string; readonly has: string } {
  const keys = [...new Set(unmet.map(({ key }) => key))];
  const has = keys.map((key) => (labels.has(key) ? `${key}=${labels.get(key)}` : `no label ${key}`));
  return { wants: selectorText(unmet), has: has.join(' and ') };
}

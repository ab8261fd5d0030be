import { OPT_IN_LABEL, readOptIn } from './inject-label.ts';
import { satisfies } from './rules/selector.ts';
import type { LabelRequirement } from './rules/selector.ts';

// Which pods autoscrape works on. The chart renders the same into the webhook's configuration and into the reconciler's
// policy (chart/templates/_selectors.tpl).

/** The namespaces of the cluster itself: nothing in them is ever changed. */
export const SYSTEM_NAMESPACES: readonly string[] = ['kube-system', 'kube-public', 'kube-node-lease'];

/** Labels of namespaces that belong to a managed cluster's own machinery. AKS excludes them from every webhook. */
export const MANAGED_LABELS: readonly (readonly [key: string, value: string])[] = [
  ['control-plane', 'true'],
  ['kubernetes.azure.com/managedby', 'aks'],
];

/** The label with its name that the API server gives every namespace (KEP-2161). */
export const NAME_LABEL = 'kubernetes.io/metadata.name';

type Labels = ReadonlyMap<string, string>;

/** Selectors of pods and of their namespaces: a pod is selected where both hold, as with those of one webhook. */
export interface PodSelector {
  readonly namespace: readonly LabelRequirement[];
  readonly pod: readonly LabelRequirement[];
}

/** Pods are selected by any of these: a configuration has several webhooks, and a cluster may have several releases. */
export type PodSelectors = readonly PodSelector[];

/** The values of the label that opt a namespace in. */
const OPTED_IN: readonly string[] = ['enabled', 'true'];

/** What takes the place of the labels. */
export interface SelectorChoice {
  /** In place of the label of namespaces. */
  readonly namespaces?: readonly LabelRequirement[] | undefined;
  /** In addition to the pods' own label. */
  readonly pods?: readonly LabelRequirement[] | undefined;
  /** Names of namespaces that are left out in addition to those of the cluster. */
  readonly excluded?: readonly string[] | undefined;
}

/** Returns the selector that the webhook and the reconciler have for this choice. */
export function podSelector({ namespaces, pods = [], excluded = [] }: SelectorChoice = {}): PodSelector {
  return {
    namespace: [
      { key: NAME_LABEL, operator: 'NotIn', values: [...SYSTEM_NAMESPACES, ...excluded] },
      ...MANAGED_LABELS.map(([key, value]) => ({ key, operator: 'NotIn' as const, values: [value] })),
      ...(namespaces ?? [{ key: OPT_IN_LABEL, operator: 'In', values: OPTED_IN }]),
    ],
    pod: [{ key: OPT_IN_LABEL, operator: 'NotIn', values: ['disabled', 'false'] }, ...pods],
  };
}

/** By the labels alone: what is so unless somebody has chosen other selectors. */
export const BY_LABEL: PodSelectors = [podSelector()];

/** Whether the pods of a namespace are annotated: `unknown` is a label that means neither, and `never` no label changes. */
export type NamespaceOptIn = 'yes' | 'no' | 'unknown' | 'never';

/** What the selectors say of a namespace. */
export interface NamespaceJudged<Selector extends PodSelector = PodSelector> {
  readonly optIn: NamespaceOptIn;
  /** The nearest one: of those that don't select the namespace, the one of which it meets the most. */
  readonly selector: Selector;
  /** What it demands of the namespace and does not get. */
  readonly unmet: readonly LabelRequirement[];
}

/**
 * Returns what the selectors say of a namespace. Its labels are undefined where they are not known: then only its name
 * decides, and undefined is returned where that is not enough.
 */
export function judgeNamespace<Selector extends PodSelector>(
  selectors: readonly Selector[],
  name: string,
  labels: Labels | undefined,
): NamespaceJudged<Selector> | undefined {
  const namespace = { name, labels };
  const judged = selectors.map((selector) => ({ selector, unmet: unmetByNamespace(selector, namespace) }));
  const nearest = judged.toSorted((a, b) => distance(a.unmet) - distance(b.unmet))[0];
  if (nearest === undefined || (labels === undefined && nearest.unmet.length === 0)) return undefined;
  return { ...nearest, optIn: optInOf(nearest.unmet, withName(name, labels ?? new Map())) };
}

/** Returns what it means that a namespace with these labels does not meet the requirements. */
export function optInOf(unmet: readonly LabelRequirement[], labels: Labels): NamespaceOptIn {
  if (unmet.length === 0) return 'yes';
  if (unmet.some(isExclusion)) return 'never';
  const value = labels.get(OPT_IN_LABEL);
  return value !== undefined && readOptIn(value) === 'unknown' && unmet.some(isByLabel) ? 'unknown' : 'no';
}

/** An exclusion is further than anything that a label changes. */
function distance(unmet: readonly LabelRequirement[]): number {
  return unmet.length + (unmet.some(isExclusion) ? FAR : 0);
}

/** More requirements than a selector has. */
const FAR = 1_000_000;

/** Whether the requirement leaves namespaces out by their names, or those of a managed cluster. */
function isExclusion({ key, operator, values = [] }: LabelRequirement): boolean {
  if (operator !== 'NotIn') return false;
  return key === NAME_LABEL || MANAGED_LABELS.some(([label, value]) => key === label && values.includes(value));
}

/** Whether the requirement is the one of the label of namespaces, and not what somebody has chosen. */
function isByLabel({ key, operator, values = [] }: LabelRequirement): boolean {
  return (
    key === OPT_IN_LABEL && operator === 'In' && values.length === 2 && OPTED_IN.every((one) => values.includes(one))
  );
}

/** A namespace; its labels are undefined where they are not known. */
interface KnownNamespace {
  readonly name: string;
  readonly labels: Labels | undefined;
}

/** Returns what the selector demands of the namespace and does not get; where its labels are not known only its name counts. */
function unmetByNamespace(
  { namespace: demanded }: PodSelector,
  { name, labels }: KnownNamespace,
): readonly LabelRequirement[] {
  const all = withName(name, labels ?? new Map<string, string>());
  return demanded.filter(
    (requirement) => (labels !== undefined || requirement.key === NAME_LABEL) && !satisfies(all, [requirement]),
  );
}

/** What the selectors say of a pod in a namespace. */
export interface PodJudged<Selector extends PodSelector = PodSelector> {
  /** The nearest one: of those that select the namespace, or else the one of which pod and namespace together meet the most. */
  readonly selector: Selector;
  /** What it demands of the pod and does not get: nothing where the pod is selected. */
  readonly unmet: readonly LabelRequirement[];
  /** The same of the namespace. */
  readonly unmetByNamespace: readonly LabelRequirement[];
}

/** Returns what the selectors say of a pod; undefined where there are none. */
export function judgePod<Selector extends PodSelector>(
  selectors: readonly Selector[],
  namespace: KnownNamespace,
  labels: Labels,
): PodJudged<Selector> | undefined {
  const rank = ({ unmet, unmetByNamespace: ofNamespace }: PodJudged): number =>
    unmet.length + (ofNamespace.length === 0 ? 0 : FAR + distance(ofNamespace));
  return selectors
    .map((selector) => ({
      selector,
      unmet: selector.pod.filter((requirement) => !satisfies(labels, [requirement])),
      unmetByNamespace: unmetByNamespace(selector, namespace),
    }))
    .toSorted((a, b) => rank(a) - rank(b))[0];
}

/** Labels by which the chart's webhooks share the namespaces among them: Istio injects its proxy there or not. */
const MESH_LABELS: readonly string[] = ['istio-injection', 'istio.io/rev'];

/** Returns what somebody has chosen in place of the labels: nothing where a selector is the chart's own. */
export function choiceOf({ namespace, pod }: PodSelector): SelectorChoice {
  const namespaces = namespace.filter((one) => !isExclusion(one) && !MESH_LABELS.includes(one.key));
  const pods = pod.filter(({ key, operator }) => key !== OPT_IN_LABEL || operator !== 'NotIn');
  return {
    namespaces: namespaces.length === 1 && namespaces.every(isByLabel) ? undefined : namespaces,
    pods: pods.length === 0 ? undefined : pods,
  };
}

/** Returns the labels of a namespace with the one that the API server gives it. */
export function withName(name: string, labels: Labels): Labels {
  return new Map([...labels, [NAME_LABEL, name]]);
}

/**
 * Returns the labels to write, or with undefined to remove, so that the requirements are met. Undefined where no labels
 * meet them, or only another name of the namespace would.
 */
export function labelChanges(
  requirements: readonly LabelRequirement[],
  labels: Labels,
): ReadonlyMap<string, string | undefined> | undefined {
  const changes = new Map<string, string | undefined>();
  for (const [key, ofKey] of Map.groupBy(requirements, (requirement) => requirement.key)) {
    if (satisfies(labels, ofKey)) continue;
    if (key === NAME_LABEL) return undefined;
    const listed = ofKey.flatMap(({ operator, values = [] }) => (operator === 'In' ? values : []));
    const value = [...listed, undefined, 'true', 'enabled', 'yes'].find((one) =>
      satisfies(new Map(one === undefined ? [] : [[key, one]]), ofKey),
    );
    const isMet = satisfies(new Map(value === undefined ? [] : [[key, value]]), ofKey);
    if (!isMet) return undefined;
    changes.set(key, value);
  }
  return changes;
}

import { nameOf, namespaceOf } from '../core/metadata.ts';
import { isObject, objectIn, objectsIn, text } from '../core/json.ts';
import type { JsonObject } from '../core/json.ts';
import { choiceOf, podSelector } from '../core/pod-selectors.ts';
import type { PodSelector, PodSelectors } from '../core/pod-selectors.ts';
import { requirementsOf } from '../core/rules/selector-json.ts';
import { parseSelector, selectorText } from '../core/rules/selector-text.ts';
import type { SelectorText } from '../core/rules/selector-text.ts';
import type { LabelRequirement } from '../core/rules/selector.ts';
import { flagOf } from './container-flag.ts';
import type { ManifestObject } from './workload.ts';

/** A selector of a release of the chart. */
export interface ReleaseSelector extends PodSelector {
  /** Who has it, such as `MutatingWebhookConfiguration autoscrape`; empty where nobody but the labels says it. */
  readonly from: string;
  /** Who annotates the pods: with a webhook as they are created, without one the reconciler once they run. */
  readonly by: 'webhook' | 'reconciler' | 'nobody' | 'unknown';
  /** Names of match conditions that somebody has added: only the API server can evaluate them. */
  readonly conditions: readonly string[];
}

/** Which pods are selected, and who says so. */
export interface SelectorsInForce {
  readonly selectors: readonly ReleaseSelector[];
  /** The namespaces in which the releases are. */
  readonly namespaces: readonly string[];
}

/** By the labels alone, where nothing is known of an installation. */
export const LABELS_ALONE: SelectorsInForce = {
  selectors: [{ ...podSelector(), from: '', by: 'unknown', conditions: [] }],
  namespaces: [],
};

/** Returns the selectors that `autoscrape reconcile` has with these flags; undefined without any. */
export function selectorsOfFlags(
  namespaceSelector: SelectorText | undefined,
  objectSelector: SelectorText | undefined,
): SelectorsInForce | undefined {
  if (namespaceSelector === undefined && objectSelector === undefined) return undefined;
  const choice = { namespaces: namespaceSelector?.requirements, pods: objectSelector?.requirements };
  const flags = [
    ...(namespaceSelector === undefined ? [] : ['--namespace-selector']),
    ...(objectSelector === undefined ? [] : ['--object-selector']),
  ];
  return {
    selectors: [{ ...podSelector(choice), from: flags.join(' and '), by: 'unknown', conditions: [] }],
    namespaces: [],
  };
}

/** The match conditions of the chart (chart/templates/webhook/configuration.yaml). */
const CONDITIONS: ReadonlySet<string> = new Set(['not-a-mirror-pod', 'not-final']);

/**
 * Returns the selectors of the releases of the chart among objects: those of the webhooks'
 * configurations, and of a release whose webhook is switched off those of its reconciler. Undefined where there is none.
 */
export function findSelectors(
  objects: readonly Pick<ManifestObject, 'kind' | 'object'>[],
): SelectorsInForce | undefined {
  const ours = (of: string): JsonObject[] =>
    objects
      .flatMap(({ kind, object }) => (kind === of && isObject(object) ? [object] : []))
      .filter((object) => labelOf(object, 'name') === 'autoscrape');
  const configurations = ours('MutatingWebhookConfiguration').filter(
    (configuration) => objectsIn(configuration, 'webhooks').length > 0,
  );
  const called = new Set(configurations.map(releaseOf));
  const reconcilers = ours('Deployment').filter(
    (object) => labelOf(object, 'component') === 'reconciler' && !called.has(releaseOf(object)),
  );
  if (configurations.length + reconcilers.length === 0) return undefined;
  return {
    selectors: [...configurations.flatMap(ofConfiguration), ...reconcilers.map(ofReconciler)],
    namespaces: [...configurations.map(serviceNamespace), ...reconcilers.map(namespaceOf)],
  };
}

function ofConfiguration(configuration: JsonObject): readonly ReleaseSelector[] {
  const from = `MutatingWebhookConfiguration ${nameOf(configuration)}`;
  const conditions = [...new Set(addedConditions(configuration))];
  return ofWebhooks(configuration).map((selector) => ({ ...selector, from, by: 'webhook', conditions }));
}

/** Returns the selectors of each webhook of a configuration. A missing selector selects everything. */
export function ofWebhooks(configuration: JsonObject): PodSelectors {
  return objectsIn(configuration, 'webhooks').map(({ namespaceSelector, objectSelector }) => ({
    namespace: requirementsOf(namespaceSelector),
    pod: requirementsOf(objectSelector),
  }));
}

/** Returns what the selector selects, such as `namespaces with team=shop`; undefined where that is by the labels alone. */
export function describeChoice(selector: PodSelector): string | undefined {
  const { namespaces, pods } = choiceOf(selector);
  if (namespaces === undefined && pods === undefined) return undefined;
  const of =
    namespaces === undefined
      ? 'namespaces with the label autoscrape.io/inject'
      : `namespaces with ${selectorText(namespaces)}`;
  const where = namespaces?.length === 0 ? 'all namespaces' : of;
  return pods === undefined ? where : `pods with ${selectorText(pods)} in ${where}`;
}

/** Returns the flags with which `autoscrape reconcile` works on the same pods; none where the labels alone decide. */
export function reconcileFlags(selector: PodSelector): readonly string[] {
  const { namespaces, pods } = choiceOf(selector);
  return [
    ...(namespaces === undefined ? [] : [`--namespace-selector='${selectorText(namespaces)}'`]),
    ...(pods === undefined ? [] : [`--object-selector='${selectorText(pods)}'`]),
  ];
}

function ofReconciler(deployment: JsonObject): ReleaseSelector {
  const excluded = (flagOf(deployment, '--exclude-namespaces') ?? '').split(',').map((name) => name.trim());
  const selector = podSelector({
    namespaces: parsed(flagOf(deployment, '--namespace-selector')),
    pods: parsed(flagOf(deployment, '--object-selector')),
    excluded: [namespaceOf(deployment), ...excluded].filter((name) => name !== ''),
  });
  const from = `Deployment ${namespaceOf(deployment)}/${nameOf(deployment)}`;
  return { ...selector, from, by: 'reconciler', conditions: [] };
}

/** One that can't be read keeps the reconciler from starting. */
function parsed(selector: string | undefined): readonly LabelRequirement[] | undefined {
  const found = selector === undefined ? undefined : parseSelector(selector);
  return found?.ok === true ? found.value.requirements : undefined;
}

function addedConditions(configuration: JsonObject): string[] {
  return objectsIn(configuration, 'webhooks')
    .flatMap((webhook) => objectsIn(webhook, 'matchConditions'))
    .map(({ name }) => text(name))
    .filter((name) => !CONDITIONS.has(name));
}

/** A release is known by its name and its namespace, which for a configuration is that of the Service which is called. */
function releaseOf(object: JsonObject): string {
  return `${serviceNamespace(object) || namespaceOf(object)}/${labelOf(object, 'instance')}`;
}

function serviceNamespace(configuration: JsonObject): string {
  const [first] = objectsIn(configuration, 'webhooks');
  return text(objectIn(objectIn(first, 'clientConfig'), 'service')['namespace']);
}

function labelOf(object: JsonObject, label: string): string {
  return text(objectIn(objectIn(object, 'metadata'), 'labels')[`app.kubernetes.io/${label}`]);
}

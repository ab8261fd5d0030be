import { MANAGED_LABELS, NAME_LABEL, SYSTEM_NAMESPACES } from '../../../src/core/pod-selectors.ts';
import type { LabelSelector } from '../../../src/core/rules/selector.ts';

// Objects of a release, as the chart renders them; test/cluster/explain.test.ts has the chart itself rendered.

/** What is different from the chart's defaults. */
export interface ReleaseWords {
  readonly release?: string;
  readonly namespace?: string;
  readonly namespaceSelector?: LabelSelector;
  readonly objectSelector?: LabelSelector;
  readonly excludedNamespaces?: readonly string[];
  readonly matchConditions?: readonly string[];
  /** Of Helm itself, where it has installed the release. */
  readonly annotations?: Readonly<Record<string, string>>;
}

function labelsOf(release: string, component: string) {
  return {
    'app.kubernetes.io/name': 'autoscrape',
    'app.kubernetes.io/instance': release,
    'app.kubernetes.io/component': component,
  };
}

/** Returns the webhook's configuration of a release: three webhooks, which share the namespaces by their mesh. */
export function configuration(words: ReleaseWords = {}) {
  const { release = 'autoscrape', namespace = 'autoscrape', objectSelector = {}, excludedNamespaces = [] } = words;
  const { namespaceSelector = { matchExpressions: [BY_LABEL] }, matchConditions = [], annotations = {} } = words;
  const excluded = [...SYSTEM_NAMESPACES, namespace, ...excludedNamespaces];
  const always = [
    { key: NAME_LABEL, operator: 'NotIn', values: excluded },
    ...MANAGED_LABELS.map(([key, value]) => ({ key, operator: 'NotIn', values: [value] })),
    ...(namespaceSelector.matchExpressions ?? []),
  ];
  const webhooks = MESHES.map(([name, ...mesh]) => ({
    name: `${name}.autoscrape.io`,
    clientConfig: { service: { namespace, name: `${release}-webhook` } },
    namespaceSelector: { ...namespaceSelector, matchExpressions: [...always, ...mesh] },
    objectSelector: {
      ...objectSelector,
      matchExpressions: [NOT_OPTED_OUT, ...(objectSelector.matchExpressions ?? [])],
    },
    matchConditions: ['not-a-mirror-pod', 'not-final', ...matchConditions].map((each) => ({ name: each })),
  }));
  return {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'MutatingWebhookConfiguration',
    metadata: { name: release, labels: labelsOf(release, 'webhook'), annotations },
    webhooks,
  };
}

/** Returns the reconciler's Deployment of a release, with flags as the chart gives them. */
export function reconciler(flags: readonly string[] = [], { release = 'autoscrape', namespace = 'autoscrape' } = {}) {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: `${release}-reconciler`, namespace, labels: labelsOf(release, 'reconciler') },
    spec: { template: { spec: { containers: [{ name: 'reconciler', args: ['reconcile', ...flags] }] } } },
  };
}

const BY_LABEL = { key: 'autoscrape.io/inject', operator: 'In', values: ['enabled', 'true'] } as const;
const NOT_OPTED_OUT = { key: 'autoscrape.io/inject', operator: 'NotIn', values: ['disabled', 'false'] } as const;

const ENABLED = { key: 'istio-injection', operator: 'In', values: ['enabled'] };
const NOT_ENABLED = { key: 'istio-injection', operator: 'NotIn', values: ['enabled'] };
const MESHES = [
  ['pods', NOT_ENABLED, { key: 'istio.io/rev', operator: 'DoesNotExist' }],
  ['istio', ENABLED],
  ['istio-revision', NOT_ENABLED, { key: 'istio.io/rev', operator: 'Exists' }],
] as const;

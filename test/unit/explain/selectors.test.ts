import assert from 'node:assert/strict';
import test from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import { parseSelector } from '../../../src/core/rules/selector-text.ts';
import { examineInFull } from '../../../src/explain/examine.ts';
import { namespaceProblems } from '../../../src/explain/namespaces.ts';
import { relate } from '../../../src/explain/related-objects.ts';
import { renderExplanation } from '../../../src/explain/text.ts';
import { findSelectors, selectorsOfFlags } from '../../../src/manifest/release-selectors.ts';
import { readWorkloads } from '../../../src/manifest/workload.ts';
import { defaultRules } from '../../../src/rules/shipped.ts';
import { configuration, reconciler } from '../manifest/release-objects.ts';
import type { ReleaseWords } from '../manifest/release-objects.ts';

// Which pods the selectors of an installation leave in and out, and what `explain` says of them and of the way out.

interface Situation {
  readonly releases?: readonly ReleaseWords[];
  readonly reconcilers?: readonly (readonly string[])[];
  /** `--namespace-selector` and `--object-selector`. */
  readonly flags?: readonly [namespaces: string | undefined, pods?: string];
  /** Labels of the namespace `web`; undefined where the input has no Namespace. */
  readonly namespace?: Readonly<Record<string, string>> | undefined;
  readonly pod?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

const TEAM = { matchLabels: { team: 'shop' } };
const NOT_PROD = { matchExpressions: [{ key: 'env', operator: 'NotIn', values: ['prod', 'live'] }] } as const;
const IN_ENV = { matchExpressions: [{ key: 'env', operator: 'In', values: ['test', 'dev'] }] } as const;
const MONITORED = { matchExpressions: [{ key: 'monitored', operator: 'Exists' }] } as const;
const NOT_LEGACY = { matchExpressions: [{ key: 'legacy', operator: 'DoesNotExist' }] } as const;
const BY_NAME = { matchLabels: { 'kubernetes.io/metadata.name': 'shop' } };
const IN = { 'autoscrape.io/inject': 'enabled' };
const IS_IN = /To do: nothing: namespace web is opted in/;

function selector(text: string | undefined) {
  if (text === undefined) return undefined;
  const parsed = parseSelector(text);
  assert.ok(parsed.ok);
  return parsed.value;
}

/** Returns the explanation of a Deployment in the namespace web, with all its words in one line. */
function explained({
  releases = [],
  reconcilers = [],
  flags = [undefined],
  namespace,
  pod = {},
  annotations,
}: Situation): string {
  const documents = [
    ...releases.map(configuration),
    ...reconcilers.map((words) => reconciler(words)),
    ...(namespace === undefined
      ? []
      : [{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'web', labels: namespace } }]),
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'till', namespace: 'web' },
      spec: {
        template: {
          metadata: { labels: { app: 'till', ...pod }, annotations },
          spec: { containers: [{ name: 'till', image: 'till:1', ports: [{ name: 'metrics', containerPort: 9464 }] }] },
        },
      },
    },
  ].map((value) => ({ value, line: 1 }));
  const { workloads, others } = readWorkloads(documents);
  const inForce = selectorsOfFlags(selector(flags[0]), selector(flags[1])) ?? findSelectors([...others, ...workloads]);
  const rules = defaultRules();
  const surroundings = { rules, related: relate(others, '', inForce), mesh: false, defaultNamespace: '' };
  const workload = workloads.find(({ name }) => name === 'till');
  assert.ok(workload !== undefined);
  const examined = examineInFull({ workload, file: 'a.yaml' }, surroundings);
  const text = renderExplanation(examined, rules, { columns: 80, verbose: false, withFile: false });
  const problems = inForce === undefined ? [] : namespaceProblems(others, inForce.selectors);
  return [stripVTControlCharacters(text).replaceAll(/\s+/g, ' '), ...problems.map(({ problem }) => problem)].join('\n');
}

const SITUATIONS: readonly (readonly [what: string, situation: Situation, says: readonly RegExp[], not?: RegExp])[] = [
  // What the chart's defaults select.
  ['the label, with the chart in the input', { releases: [{}], namespace: IN }, [IS_IN]],
  [
    'no label, with the chart in the input',
    { releases: [{}], namespace: {} },
    [/To do: kubectl label namespace web autoscrape\.io\/inject=enabled \+/],
  ],
  [
    'a value that means neither',
    { releases: [{}], namespace: { 'autoscrape.io/inject': 'Yes' } },
    [/kubectl label namespace web autoscrape\.io\/inject=enabled --overwrite/, /is "Yes", which is read as no/],
  ],
  ["a namespace of Istio's", { releases: [{}], namespace: { ...IN, 'istio-injection': 'enabled' } }, [IS_IN]],
  ["a namespace of a revision of Istio's", { releases: [{}], namespace: { ...IN, 'istio.io/rev': 'stable' } }, [IS_IN]],
  [
    "a namespace of Istio's without the label: nothing of Istio is to be changed",
    { releases: [{}], namespace: { 'istio-injection': 'enabled', 'istio.io/rev': 'stable' } },
    [/To do: kubectl label namespace web autoscrape\.io\/inject=enabled \+/],
  ],
  [
    'a namespace of a managed cluster',
    { releases: [{}], namespace: { ...IN, 'kubernetes.azure.com/managedby': 'aks' } },
    [/but never in this namespace/, /In namespace web no pod is ever annotated or asked/],
    /excludedNamespaces/,
  ],
  [
    'a namespace that the values exclude',
    { releases: [{ excludedNamespaces: ['web'] }], namespace: IN },
    [/but never in this namespace/, /Namespace web is left out by its name/, /webhook\.excludedNamespaces/],
  ],
  [
    'a namespace that the values exclude, whose labels are not known',
    { releases: [{ excludedNamespaces: ['web'] }] },
    [/but never in this namespace/],
  ],
  [
    'the namespace of the release itself',
    { releases: [{ namespace: 'web' }], namespace: IN },
    [/but never in this namespace/, /In namespace web no pod is ever annotated/],
    /excludedNamespaces/,
  ],
  // Namespaces by other selectors.
  ['a label of a team', { releases: [{ namespaceSelector: TEAM }], namespace: { team: 'shop' } }, [IS_IN]],
  [
    "another team's, with our label, which counts no more",
    { releases: [{ namespaceSelector: TEAM }], namespace: { ...IN, team: 'pay' } },
    [/To do: kubectl label namespace web team=shop --overwrite/],
    /autoscrape\.io\/inject=/,
  ],
  [
    'a value of our label that means neither, where nobody reads it',
    { releases: [{ namespaceSelector: TEAM }], namespace: { 'autoscrape.io/inject': 'Yes' } },
    [/To do: kubectl label namespace web team=shop \+/],
    /read as no/,
  ],
  ['one of several values', { releases: [{ namespaceSelector: IN_ENV }], namespace: { env: 'dev' } }, [IS_IN]],
  [
    'none of several values',
    { releases: [{ namespaceSelector: IN_ENV }], namespace: { env: 'prod' } },
    [/kubectl label namespace web env=test --overwrite/],
  ],
  ['not one of the values', { releases: [{ namespaceSelector: NOT_PROD }], namespace: { env: 'dev' } }, [IS_IN]],
  ['not one of the values, and no label', { releases: [{ namespaceSelector: NOT_PROD }], namespace: {} }, [IS_IN]],
  [
    'a value that is left out',
    { releases: [{ namespaceSelector: NOT_PROD }], namespace: { env: 'live' } },
    [/To do: kubectl label namespace web env- \+/],
  ],
  ['a label of any value', { releases: [{ namespaceSelector: MONITORED }], namespace: { monitored: '' } }, [IS_IN]],
  [
    'a label of any value that is missing',
    { releases: [{ namespaceSelector: MONITORED }], namespace: {} },
    [/kubectl label namespace web monitored=true/],
  ],
  [
    'a label that must not be there',
    { releases: [{ namespaceSelector: NOT_LEGACY }], namespace: { legacy: 'yes' } },
    [/kubectl label namespace web legacy-/],
  ],
  [
    'two labels at once',
    {
      releases: [{ namespaceSelector: { ...TEAM, ...NOT_PROD } }],
      namespace: { env: 'prod' },
    },
    [/kubectl label namespace web (?:team=shop env-|env- team=shop)/],
  ],
  [
    'namespaces by their names: no label helps',
    { releases: [{ namespaceSelector: BY_NAME }], namespace: {} },
    [/Change the chart's value webhook\.namespaceSelector: no label of the namespace does it/i],
    /kubectl label/,
  ],
  [
    'namespaces by their names, whose labels are not known',
    { releases: [{ namespaceSelector: BY_NAME }] },
    [/change the chart's value webhook\.namespaceSelector/],
  ],
  [
    'a selector that nothing meets',
    {
      releases: [{ namespaceSelector: { ...TEAM, matchExpressions: [{ key: 'team', operator: 'DoesNotExist' }] } }],
      namespace: {},
    },
    [/change the chart's value webhook\.namespaceSelector/],
  ],
  [
    'a namespace of which nothing is known',
    { releases: [{ namespaceSelector: TEAM }] },
    [/To do: kubectl label namespace web team=shop/],
  ],
  [
    'namespaces that are left out only, and nothing is known of this one',
    { releases: [{ namespaceSelector: NOT_PROD }] },
    [/To do: nothing: a namespace needs no label \(MutatingWebhookConfiguration autoscrape\)/],
  ],
  // Pods.
  [
    'a pod that the selector for pods takes',
    { releases: [{ objectSelector: { matchLabels: { tier: 'web' } } }], namespace: IN, pod: { tier: 'web' } },
    [IS_IN],
  ],
  [
    'a pod without the label that the selector for pods wants',
    { releases: [{ objectSelector: { matchLabels: { tier: 'web' } } }], namespace: IN },
    [
      /skipped \(not_selected\)/,
      /To do: in the pod template write the label tier: "web"\./,
      /Only pods with tier=web are selected \(MutatingWebhookConfiguration autoscrape\), and this one has no label tier\./,
    ],
    /prometheus\.io\/scrape/,
  ],
  [
    'a pod with a label that the selector for pods leaves out',
    {
      releases: [{ objectSelector: { matchExpressions: [{ key: 'track', operator: 'NotIn', values: ['canary'] }] } }],
      namespace: IN,
      pod: { track: 'canary' },
    },
    [
      /not_selected/,
      /in the pod template remove the label track\./,
      /Only pods with track!=canary are selected \(.*\), and this one has track=canary/,
    ],
  ],
  [
    'pods that have to opt in themselves',
    {
      releases: [{ objectSelector: { matchLabels: { 'autoscrape.io/inject': 'enabled' } } }],
      namespace: IN,
    },
    [/not_selected/, /write the label autoscrape\.io\/inject: "enabled"/],
  ],
  [
    'a pod that opts out is one that does, whatever else the selector wants',
    {
      releases: [{ objectSelector: { matchLabels: { tier: 'web' } } }],
      namespace: IN,
      pod: { 'autoscrape.io/inject': 'false' },
    },
    [/skipped \(opted_out\)/],
    /not_selected/,
  ],
  [
    'a pod with its own annotations is scraped, though nobody selects it',
    {
      releases: [{ objectSelector: { matchLabels: { tier: 'web' } } }],
      namespace: IN,
      annotations: { 'prometheus.io/scrape': 'true', 'prometheus.io/port': '9464' },
    },
    [/skipped \(already_annotated\)/, /Nothing: scrapers read its own annotations/i],
  ],
  [
    'a half-written annotation is not completed where nobody selects the pod',
    {
      releases: [{ objectSelector: { matchLabels: { tier: 'web' } } }],
      namespace: IN,
      annotations: { 'prometheus.io/port': '9464' },
    },
    [/not_selected/],
  ],
  [
    'a pod and its namespace that are both left out: both have to change',
    {
      releases: [{ namespaceSelector: TEAM, objectSelector: MONITORED }],
      namespace: {},
    },
    [
      /To do: in the pod template write a label monitored of any value\. .* And for its namespace: kubectl label namespace web team=shop/,
    ],
  ],
  [
    'a pod that is left out, of a namespace that is never annotated: no label helps',
    { releases: [{ objectSelector: MONITORED, excludedNamespaces: ['web'] }], namespace: IN },
    [/To do: write the annotations into the pod template yourself, or take the namespace out/],
    /write a label/,
  ],
  // Several releases, and none.
  [
    'two releases: the second one selects the namespace',
    {
      releases: [{ namespaceSelector: TEAM }, { release: 'other', namespace: 'o', namespaceSelector: IN_ENV }],
      namespace: { env: 'dev' },
    },
    [IS_IN],
  ],
  [
    'two releases: a pod counts by the selector of the one that selects its namespace',
    {
      releases: [
        { namespaceSelector: TEAM, objectSelector: { matchLabels: { tier: 'web' } } },
        {
          release: 'other',
          namespace: 'o',
          namespaceSelector: IN_ENV,
          objectSelector: { matchLabels: { tier: 'db' } },
        },
      ],
      namespace: { env: 'dev' },
      pod: { tier: 'web' },
    },
    [/not_selected/, /write the label tier: "db"/],
  ],
  [
    'two releases: what is to be done is for the one that takes the pod as it is',
    {
      releases: [
        { namespaceSelector: TEAM, objectSelector: { matchLabels: { tier: 'web' } } },
        { release: 'other', namespace: 'o' },
      ],
      namespace: {},
    },
    [/would be annotated by rule metrics-port/, /To do: kubectl label namespace web autoscrape\.io\/inject=enabled/],
  ],
  [
    'two releases: what one leaves out by its name the other may select',
    {
      releases: [{ excludedNamespaces: ['web'] }, { release: 'other', namespace: 'o', namespaceSelector: TEAM }],
      namespace: IN,
    },
    [/To do: kubectl label namespace web team=shop/],
    /never/,
  ],
  [
    'the webhook switched off: the flags of the reconciler count',
    { reconcilers: [['--namespace-selector=team=shop,env notin (prod,live)']], namespace: { team: 'shop' } },
    [/To do: nothing: namespace web is opted in, so its pods are annotated by the reconciler once they run/],
  ],
  [
    'the webhook switched off, and the reconciler leaves the namespace out',
    { reconcilers: [['--exclude-namespaces=old,web']], namespace: IN },
    [
      /never in this namespace/,
      /Namespace web is left out by its name \(Deployment autoscrape\/autoscrape-reconciler\)/,
    ],
  ],
  [
    'two releases, of which the one that selects the namespace has its webhook switched off',
    {
      releases: [{ release: 'other', namespace: 'o', namespaceSelector: IN_ENV }],
      reconcilers: [['--namespace-selector=team=shop']],
      namespace: { team: 'shop' },
    },
    [/its pods are annotated by the reconciler once they run/],
  ],
  [
    'two releases: the one that is nearest is named, and not both',
    {
      releases: [
        { release: 'other', namespace: 'o', namespaceSelector: { ...TEAM, ...IN_ENV } },
        { objectSelector: MONITORED },
      ],
      namespace: IN,
    },
    [/Only pods with monitored are selected \(MutatingWebhookConfiguration autoscrape\), and/],
  ],
  [
    'one release with its webhook switched off beside another: both count',
    { releases: [{ release: 'other', namespace: 'o', namespaceSelector: TEAM }], reconcilers: [[]], namespace: IN },
    [IS_IN],
  ],
  // Flags.
  ['flags in place of the label', { flags: ['team=shop'], namespace: { team: 'shop' } }, [IS_IN]],
  [
    'flags in place of the configuration in the input',
    { releases: [{ namespaceSelector: IN_ENV }], flags: ['team in (shop, pay)'], namespace: { env: 'dev' } },
    [/kubectl label namespace web team=shop/],
  ],
  [
    'a flag for pods alone leaves the label in place',
    { flags: [undefined, 'tier!=canary'], namespace: IN, pod: { tier: 'canary' } },
    [/not_selected/, /Only pods with tier!=canary are selected \(--object-selector\)/],
  ],
];

for (const [what, situation, says, not] of SITUATIONS) {
  test(`explain by selectors: ${what}`, () => {
    const text = explained(situation);
    for (const pattern of says) assert.match(text, pattern);
    if (not !== undefined) assert.doesNotMatch(text, not);
  });
}

import assert from 'node:assert/strict';
import test from 'node:test';
import { ids, look, print } from '../situation.ts';
import type { Situation } from '../situation.ts';
import { configuration, reconciler } from '../../manifest/release-objects.ts';
import type { ReleaseWords } from '../../manifest/release-objects.ts';

// What doctor says of a pod that nobody has annotated, by the selectors of what is installed.

function webhook(words: ReleaseWords = {}) {
  return { kind: 'MutatingWebhookConfiguration', object: configuration(words) };
}

function namespace(labels: Readonly<Record<string, string>>) {
  return { namespace: { metadata: { name: 'shop', labels } } };
}

const TEAM = { matchLabels: { team: 'shop' } };
const IN = { 'autoscrape.io/inject': 'enabled' };
const TIER = { matchExpressions: [{ key: 'tier', operator: 'In', values: ['web', 'api'] }] } as const;

const SITUATIONS: readonly (readonly [what: string, situation: Situation, id: string, says: readonly RegExp[]])[] = [
  [
    "the namespace is another team's, and has our label",
    { installed: [webhook({ namespaceSelector: TEAM })], ...namespace({ ...IN, team: 'pay' }) },
    'namespace-not-opted-in',
    [
      /Only namespaces with team=shop are selected \(MutatingWebhookConfiguration autoscrape\), and shop has team=pay\. By the rules/,
      /→ kubectl label namespace shop team=shop --overwrite\n/,
    ],
  ],
  [
    'the namespace is selected without our label, and nobody has annotated the pod',
    {
      installed: [webhook({ namespaceSelector: TEAM, objectSelector: { matchLabels: { tier: 'web' } } })],
      ...namespace({ team: 'shop' }),
      pod: { labels: { tier: 'web' } },
    },
    'pod-missed',
    [/→ autoscrape reconcile --once -n shop --namespace-selector='team=shop' --object-selector='tier=web'\n/],
  ],
  [
    'the pod has another tier than the selector for pods wants',
    { installed: [webhook({ objectSelector: TIER })], ...namespace(IN), pod: { labels: { tier: 'db' } } },
    'pod-not-selected',
    [
      /Only pods with tier in \(web,api\) are selected \(.*\), and this one has tier=db\./,
      /→ In the pod template write the label tier: "web"\./,
    ],
  ],
  [
    'the values exclude the namespace',
    { installed: [webhook({ excludedNamespaces: ['shop'] })], ...namespace(IN) },
    'namespace-excluded',
    [
      /Namespace shop is left out by its name \(MutatingWebhookConfiguration autoscrape\)/,
      /webhook\.excludedNamespaces/,
    ],
  ],
  [
    'the webhook is switched off, and its reconciler leaves the namespace out',
    {
      installed: [{ kind: 'Deployment', object: reconciler(['--namespace-selector=env notin (prod)']) }],
      ...namespace({ env: 'prod' }),
    },
    'namespace-not-opted-in',
    [
      /Only namespaces with env!=prod are selected \(Deployment autoscrape\/autoscrape-reconciler\), and shop has env=prod/,
      /shop env-\n/,
    ],
  ],
  [
    'a match condition of somebody may leave the pod out',
    { installed: [webhook({ matchConditions: ['not-a-job'] })], ...namespace(IN) },
    'pod-missed',
    [/has match conditions that are not evaluated here, and may leave it out: not-a-job\./],
  ],
  [
    'namespaces are selected by their names',
    {
      installed: [webhook({ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'web' } } })],
      ...namespace(IN),
    },
    'namespace-not-opted-in',
    [/and shop has kubernetes\.io\/metadata\.name=shop/, /→ Change the chart's value webhook\.namespaceSelector/],
  ],
];

for (const [what, situation, id, says] of SITUATIONS) {
  test(`doctor by selectors: ${what}`, async () => {
    const report = await look({ active: [], ...situation, pod: { annotations: {}, ...situation.pod } });
    assert.deepEqual(ids(report), [id]);
    for (const pattern of says) assert.match(print(report), pattern);
  });
}

test('where the selectors must not be read, it is said beside what the label alone says, and nowhere else', async () => {
  const unread = { active: [], selectorsNeed: 'list on mutatingwebhookconfigurations' };
  const needs = /not checked: the webhook's selectors \(needs list on mutatingwebhookconfigurations\)/;
  const bare = { annotations: {} };
  assert.match(print(await look({ ...unread, ...namespace({}), pod: bare })), needs);
  assert.match(print(await look({ ...unread, ...namespace(IN), pod: bare })), needs);
  const optedOut = { ...bare, labels: { 'autoscrape.io/inject': 'false' } };
  assert.doesNotMatch(print(await look({ ...unread, ...namespace(IN), pod: optedOut })), /selectors/);
});

test('a pod that is left out is no fault where nobody named it', async () => {
  const installed = [webhook({ objectSelector: TIER })];
  const report = await look({ active: [], installed, pod: { annotations: {} }, named: 'namespace' });
  assert.deepEqual(
    report.lines.flatMap((line) => ('id' in line ? [line.state] : [])),
    ['note'],
  );
});

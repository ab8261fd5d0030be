import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { selectorText } from '../../src/core/rules/selector-text.ts';
import { requirements } from '../../src/core/rules/selector.ts';
import { runAutoscrape } from '../harness/autoscrape/run-autoscrape.ts';
import { startControlPlane } from '../harness/control-plane/control-plane.ts';
import type { ControlPlane } from '../harness/control-plane/control-plane.ts';
import { waitFor } from '../harness/process/wait-for.ts';
import { registerAsTheChart, unregister } from '../harness/programs/webhook-configuration.ts';
import type { ChartValues } from '../harness/programs/webhook-configuration.ts';
import { startWebhookProcess } from '../harness/programs/webhook-process.ts';
import type { WebhookProcess } from '../harness/programs/webhook-process.ts';

// Which pods are annotated the API server itself says here: it evaluates the selectors that Helm renders, and calls the webhook
// or doesn't. What `explain` says of the same pods has to agree, and what it says to do has to help.

type Labels = Readonly<Record<string, string>>;

const IN = { 'autoscrape.io/inject': 'enabled' };
const NAMESPACES: Readonly<Record<string, Labels>> = {
  plain: {},
  labelled: IN,
  odd: { 'autoscrape.io/inject': 'On' },
  shop: { team: 'shop' },
  pay: { team: 'pay', env: 'dev' },
  prod: { ...IN, team: 'shop', env: 'prod' },
  monitored: { monitored: '' },
  meshed: { ...IN, 'istio-injection': 'enabled', team: 'shop' },
  revision: { 'autoscrape.io/inject': 'true', 'istio.io/rev': 'stable' },
  managed: { ...IN, 'control-plane': 'true', team: 'shop' },
  old: { ...IN, team: 'shop', monitored: 'yes' },
};

const PODS: Readonly<Record<string, Labels>> = {
  any: {},
  web: { tier: 'web' },
  canary: { tier: 'db', track: 'canary' },
  yes: IN,
  no: { 'autoscrape.io/inject': 'disabled' },
};

type Webhook = NonNullable<ChartValues['webhook']>;

const team = { matchLabels: { team: 'shop' } };
const notProd = [{ key: 'env', operator: 'NotIn', values: ['prod', 'live'] }] as const;
const teams = [{ key: 'team', operator: 'In', values: ['shop', 'pay'] }] as const;

/** What is set of the chart's values, of one release or of two. */
const SITUATIONS: readonly (readonly [what: string, ...releases: readonly Webhook[]])[] = [
  ['the labels alone', {}],
  ['a label of a team', { namespaceSelector: team }],
  ['one of several teams, and not in production', { namespaceSelector: { matchExpressions: [...teams, ...notProd] } }],
  ['all but production', { namespaceSelector: { matchExpressions: notProd } }],
  ['a label of any value', { namespaceSelector: { matchExpressions: [{ key: 'monitored', operator: 'Exists' }] } }],
  [
    'a label that must not be there, beside the one that must',
    { namespaceSelector: { ...team, matchExpressions: [{ key: 'monitored', operator: 'DoesNotExist' }] } },
  ],
  ['namespaces by their names', { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'shop' } } }],
  ['an excluded namespace', { excludedNamespaces: ['old', 'labelled'] }],
  ['pods of one tier', { objectSelector: { matchLabels: { tier: 'web' } } }],
  ['no canaries', { objectSelector: { matchExpressions: [{ key: 'track', operator: 'NotIn', values: ['canary'] }] } }],
  ['pods that opt in themselves', { objectSelector: { matchLabels: IN } }],
  [
    'namespaces and pods',
    { namespaceSelector: team, objectSelector: { matchExpressions: [{ key: 'tier', operator: 'Exists' }] } },
  ],
  [
    'two releases',
    { namespaceSelector: team, objectSelector: { matchLabels: { tier: 'web' } } },
    { excludedNamespaces: ['prod'] },
  ],
];

interface Explained {
  readonly type: string;
  readonly namespace: string;
  readonly name: string;
  readonly namespaceOptIn: string;
  readonly outcome: string;
  readonly reason: string | null;
  readonly advice: readonly string[];
}

suite('explain and a real API server agree on the selectors', { timeout: 900_000 }, () => {
  let cluster: ControlPlane;
  let webhook: WebhookProcess;

  before(async () => {
    cluster = await startControlPlane({ serviceAccountAdmission: false });
    webhook = await startWebhookProcess(cluster.directory);
    for (const [name, labels] of Object.entries(NAMESPACES)) await createNamespace(name, labels);
  });
  after(async () => {
    await webhook.daemon().kill();
    await cluster.stop();
  });

  for (const [what, ...releases] of SITUATIONS)
    test(`${what}: what is said of each pod is so, and what is to be done helps`, async () => {
      const names = releases.map((_, i) => `autoscrape${i === 0 ? '' : `-${i}`}`);
      for (const [i, values] of releases.entries())
        await registerAsTheChart(cluster, names[i] ?? '', webhook, { webhook: values });
      try {
        const said = await explain();
        const expected = said.filter(isAnnotated).map(placeOf).toSorted();
        // The API server watches its configurations as any client does: it takes a moment.
        let annotated: readonly string[] = [];
        await waitFor('the API server to call the webhook for these pods', async () => {
          annotated = await truth();
          return annotated.join() === expected.join();
        }).catch(() => undefined);
        assert.deepEqual(annotated, expected);
        assert.ok(expected.length > 0, 'nothing is selected');
        await followAdvice(said.filter((one) => !isAnnotated(one) && one.reason !== 'opted_out'));
      } finally {
        for (const name of names) await unregister(cluster, name);
      }
    });

  for (const [what, values = {}, ...others] of SITUATIONS) {
    if (others.length > 0) continue;
    const { namespaceSelector, objectSelector, excludedNamespaces } = values;
    test(`${what}, by the flags of a reconciler without a webhook`, async () => {
      const flags = [
        ...(namespaceSelector === undefined
          ? []
          : [`--namespace-selector=${selectorText(requirements(namespaceSelector))}`]),
        ...(objectSelector === undefined ? [] : [`--object-selector=${selectorText(requirements(objectSelector))}`]),
        ...(excludedNamespaces === undefined ? [] : [`--exclude-namespaces=${excludedNamespaces.join(',')}`]),
      ];
      const run = await runAutoscrape([
        'reconcile',
        '--once',
        '--dry-run',
        '-o',
        'json',
        '--kubeconfig',
        cluster.kubeconfig,
        ...flags,
      ]);
      const report: { pods: { namespace: string; name: string; rule?: string }[] } = JSON.parse(run.stdout);
      const planned = report.pods.filter(({ rule }) => rule !== undefined).map(placeOf);
      await createReconciler(flags);
      try {
        assert.deepEqual((await explain()).filter(isAnnotated).map(placeOf).toSorted(), planned.toSorted());
      } finally {
        await cluster.request('DELETE', '/apis/apps/v1/namespaces/default/deployments/autoscrape-reconciler');
      }
    });
  }

  /** Changes labels of a copy of the namespace, or of the pod, and looks whether the pod is annotated then. */
  async function followAdvice(all: readonly Explained[]): Promise<void> {
    for (const one of all) {
      const words = one.advice.join(' ');
      const [, changes] = /kubectl label namespace \S+ (.*)$/.exec(words) ?? [];
      const labels = new Map(Object.entries(PODS[one.name] ?? {}));
      for (const [, key = '', value = '"a"'] of words.matchAll(/write (?:the|a) label ([\w./-]+)(?:: ("[^"]*"))?/g))
        labels.set(key, String(JSON.parse(value)));
      for (const [, key = ''] of words.matchAll(/remove the label ([\w/-]+(?:\.[\w/-]+)*)/g)) labels.delete(key);
      if (changes === undefined && isDeepStrictEqual(Object.fromEntries(labels), PODS[one.name])) {
        assert.match(words, /change the chart's value|no pod is ever annotated|left out by its name/i, placeOf(one));
        continue;
      }
      const copy = changes === undefined ? one.namespace : await changedCopy(one.namespace, changes);
      await waitFor(`${placeOf(one)} to be annotated: ${words}`, () => isCalledFor(copy, Object.fromEntries(labels)));
    }
  }

  const copies = new Map<string, Promise<string>>();

  function changedCopy(namespace: string, changes: string): Promise<string> {
    const key = `${namespace} ${changes}`;
    const known = copies.get(key) ?? makeCopy(namespace, changes, `copy-${copies.size}`);
    copies.set(key, known);
    return known;
  }

  async function makeCopy(namespace: string, changes: string, name: string): Promise<string> {
    // Without pods, so that it is in no list of the next situation.
    const { status } = await cluster.request('POST', '/api/v1/namespaces', {
      metadata: { name, labels: NAMESPACES[namespace] },
    });
    assert.equal(status, 201);
    await cluster.kubectl(['label', 'namespace', name, ...changes.split(' ')]);
    return name;
  }

  async function explain(): Promise<readonly Explained[]> {
    const run = await runAutoscrape(['explain', 'pods', '-A', '-o', 'json', '--kubeconfig', cluster.kubeconfig]);
    assert.equal(run.code, 0, run.stderr);
    const lines: Explained[] = run.stdout.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line)]));
    return lines.filter(({ type }) => type === 'workload');
  }

  /** Returns the pods for which the API server calls the webhook. */
  async function truth(): Promise<readonly string[]> {
    const places = Object.keys(NAMESPACES).flatMap((namespace) =>
      Object.keys(PODS).map((name) => ({ namespace, name })),
    );
    const called = await Promise.all(
      places.map(async (place) =>
        (await isCalledFor(place.namespace, PODS[place.name] ?? {})) ? [placeOf(place)] : [],
      ),
    );
    return called.flat().toSorted();
  }

  async function isCalledFor(namespace: string, labels: Labels): Promise<boolean> {
    const { body } = await cluster.request('POST', `/api/v1/namespaces/${namespace}/pods?dryRun=All`, {
      metadata: { generateName: 'probe-', labels },
      spec: SPEC,
    });
    return body.metadata?.annotations?.['prometheus.io/scrape'] === 'true';
  }

  async function createNamespace(name: string, labels: Labels): Promise<void> {
    assert.equal((await cluster.request('POST', '/api/v1/namespaces', { metadata: { name, labels } })).status, 201);
    for (const [pod, podLabels] of Object.entries(PODS)) {
      const object = { metadata: { name: pod, labels: podLabels }, spec: SPEC };
      assert.equal((await cluster.request('POST', `/api/v1/namespaces/${name}/pods`, object)).status, 201);
    }
  }

  async function createReconciler(flags: readonly string[]): Promise<void> {
    const app = { app: 'reconciler' };
    const ours = { 'app.kubernetes.io/name': 'autoscrape', 'app.kubernetes.io/component': 'reconciler' };
    const { status, body } = await cluster.request('POST', '/apis/apps/v1/namespaces/default/deployments', {
      metadata: { name: 'autoscrape-reconciler', labels: ours },
      spec: {
        replicas: 0,
        selector: { matchLabels: app },
        template: {
          metadata: { labels: app },
          spec: { containers: [{ name: 'reconciler', image: 'a', args: ['reconcile', ...flags] }] },
        },
      },
    });
    assert.equal(status, 201, body.message);
  }
});

const SPEC = { containers: [{ name: 'app', image: 'app:1', ports: [{ name: 'metrics', containerPort: 9464 }] }] };

function isAnnotated({ namespaceOptIn, outcome }: Explained): boolean {
  return namespaceOptIn === 'yes' && outcome === 'annotate';
}

function placeOf({ namespace, name }: { readonly namespace: string; readonly name: string }): string {
  return `${namespace}/${name}`;
}

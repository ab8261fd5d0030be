import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { MANAGED_LABELS } from '../../../src/core/pod-selectors.ts';
import { selects } from '../../../src/core/rules/selector.ts';
import { command } from '../../../tools/command.ts';
import { component } from '../../harness/build/components.ts';
import { at, CHART, ciFiles, HELMS, labelSelector, list, render } from '../../harness/chart/render.ts';
import type { Manifest } from '../../harness/chart/render.ts';

// What holds of the chart whatever the values are: checked for every values file of chart/ci, with Helm 4 and Helm 3.

/** Pod specs of everything that runs. */
const podSpecs = (manifests: readonly Manifest[]): readonly (readonly [string, unknown])[] =>
  manifests.flatMap(({ kind, name, object }): (readonly [string, unknown])[] => {
    if (kind === 'Deployment' || kind === 'Job') return [[name, at(object, 'spec', 'template', 'spec')]];
    return kind === 'Pod' ? [[name, at(object, 'spec')]] : [];
  });

const hooks = (manifests: readonly Manifest[]): readonly unknown[] =>
  manifests
    .filter(({ kind }) => kind === 'MutatingWebhookConfiguration')
    .flatMap(({ object }) => list(object, 'webhooks'));

for (const helm of HELMS) {
  for (const [name, file] of await ciFiles()) {
    suite(`${helm}, values ${name}`, async () => {
      const manifests = await render(['-f', file], helm, 'my.release');
      const single = name.startsWith('single-replica');
      const stopped = name === 'stopped' && 'the API server calls no webhook';

      test('helm lint --strict finds nothing', async () => {
        await command(await component(helm), ['lint', '--strict', CHART, '-f', file]);
      });

      test('a second rendering is the same, so that GitOps tools see no difference', async () => {
        assert.deepEqual(await render(['-f', file], helm, 'my.release'), manifests);
      });

      test("every object's name begins with autoscrape, and no object is there twice", () => {
        const seen = new Set<string>();
        for (const { kind, name, namespace } of manifests) {
          if (kind !== 'Namespace' || name !== 'playground') assert.match(name, /^autoscrape/, `${kind} ${name}`);
          const id = `${kind}/${namespace ?? ''}/${name}`;
          assert.ok(!seen.has(id), id);
          seen.add(id);
        }
      });

      test('every pod fits the restricted pod security standard, without a user id of its own', () => {
        assert.ok(podSpecs(manifests).length >= 2);
        for (const [pod, spec] of podSpecs(manifests)) {
          assert.equal(at(spec, 'securityContext', 'runAsNonRoot'), true, pod);
          assert.equal(at(spec, 'securityContext', 'runAsUser'), undefined, pod);
          assert.equal(at(spec, 'enableServiceLinks'), false, pod);
          for (const container of list(spec, 'containers')) {
            const context = at(container, 'securityContext');
            assert.equal(at(context, 'allowPrivilegeEscalation'), false, pod);
            assert.equal(at(context, 'readOnlyRootFilesystem'), true, pod);
            assert.deepEqual(at(context, 'capabilities', 'drop'), ['ALL'], pod);
            assert.equal(at(container, 'resources', 'limits', 'cpu'), undefined, pod);
          }
        }
      });

      test('the webhook has no token and no rights', () => {
        const spec = podSpecs(manifests).find(([pod]) => pod.endsWith('-webhook'))?.[1];
        const account = at(spec, 'serviceAccountName');
        assert.ok(typeof account === 'string');
        assert.equal(at(spec, 'automountServiceAccountToken'), false);
        const subjects = manifests.flatMap(({ object }) =>
          list(object, 'subjects').map((subject) => at(subject, 'name')),
        );
        assert.ok(!subjects.includes(account));
      });

      test("the system's namespaces and our own are never selected, whatever labels they have", () => {
        assert.equal(hooks(manifests).length, stopped === false ? 3 : 0);
        for (const hook of hooks(manifests)) {
          const selector = labelSelector(at(hook, 'namespaceSelector'));
          for (const namespace of ['kube-system', 'kube-public', 'kube-node-lease', 'autoscrape']) {
            for (const labels of optedIn.flatMap(withMeshLabels)) {
              labels.set('kubernetes.io/metadata.name', namespace);
              assert.equal(selects(selector, labels), false, namespace);
            }
          }
        }
      });

      test(
        'an opted-in namespace is selected by exactly one webhook, and that knows whether Istio is there',
        { skip: stopped },
        () => {
          for (const labels of optedIn.flatMap(withMeshLabels)) {
            labels.set('kubernetes.io/metadata.name', 'shop');
            const paths = hooks(manifests)
              .filter((hook) => selects(labelSelector(at(hook, 'namespaceSelector')), labels))
              .map((hook) => at(hook, 'clientConfig', 'service', 'path'));
            const isMesh = labels.get('istio-injection') === 'enabled' || labels.has('istio.io/rev');
            assert.deepEqual(paths, [isMesh ? '/mutate/istio' : '/mutate'], JSON.stringify([...labels]));
          }
        },
      );

      test("a namespace of a managed cluster's own machinery is selected by none", () => {
        for (const managed of MANAGED_LABELS) {
          for (const labels of optedIn.flatMap(withMeshLabels)) {
            labels.set('kubernetes.io/metadata.name', 'shop').set(...managed);
            for (const hook of hooks(manifests))
              assert.equal(selects(labelSelector(at(hook, 'namespaceSelector')), labels), false, managed[0]);
          }
        }
      });

      test('a namespace that says no, or something else, is selected by none', () => {
        for (const value of ['disabled', 'false', 'on', 'True', '']) {
          const labels = new Map([
            ['kubernetes.io/metadata.name', 'shop'],
            ['autoscrape.io/inject', value],
          ]);
          for (const hook of hooks(manifests))
            assert.equal(selects(labelSelector(at(hook, 'namespaceSelector')), labels), false, value);
        }
      });

      test(
        'the pod that `helm test` sends is one that a webhook is called for, in a namespace that it selects',
        { skip: stopped },
        () => {
          const namespace = manifests.find(({ kind, name }) => kind === 'Namespace' && name.endsWith('-verify'));
          const flags = list(manifests.find(({ kind }) => kind === 'Pod')?.object, 'spec', 'containers', 0, 'args').map(
            String,
          );
          const labels = flags.find((flag) => flag.startsWith('--labels='))?.slice('--labels='.length);
          const inNamespace = new Map([
            ...Object.entries(at(namespace?.object, 'metadata', 'labels') ?? {}).map(pair),
            ['kubernetes.io/metadata.name', String(namespace?.name)],
          ]);
          const onPod = new Map(labels?.split(',').map((label) => pair(label.split('='))));
          const called = hooks(manifests).filter(
            (hook) =>
              selects(labelSelector(at(hook, 'namespaceSelector')), inNamespace) &&
              selects(labelSelector(at(hook, 'objectSelector')), onPod),
          );
          assert.equal(called.length, 1);
        },
      );

      test('no webhook is called for anything but the creation of a pod, nor for a pod that opts out', () => {
        for (const hook of hooks(manifests)) {
          assert.deepEqual(at(hook, 'rules'), [
            { operations: ['CREATE'], apiGroups: [''], apiVersions: ['v1'], resources: ['pods'], scope: 'Namespaced' },
          ]);
          assert.equal(at(hook, 'sideEffects'), 'None');
          const selector = labelSelector(at(hook, 'objectSelector'));
          for (const [value, isCalled] of [
            ['disabled', false],
            ['false', false],
            ['enabled', true],
            ['true', true],
            // The webhook leaves such a pod as it is, and its warning names the value.
            ['on', true],
          ] as const) {
            const labels = new Map([
              ['autoscrape.io/inject', value],
              ['scrape', 'yes'],
            ]);
            assert.equal(selects(selector, labels), isCalled, value);
          }
          assert.equal(selects(selector, new Map([['scrape', 'yes']])), true);
        }
      });

      test('only a caBundle that is given is rendered: cainjector and mode job own the field', () => {
        const writes = name === 'existing-secret-bundle';
        for (const hook of hooks(manifests)) {
          assert.equal(at(hook, 'clientConfig', 'caBundle') !== undefined, writes);
        }
      });

      test('a disruption budget stands only above one replica', () => {
        assert.equal(
          manifests.some(({ kind }) => kind === 'PodDisruptionBudget'),
          !single,
        );
      });
    });
  }
}

function pair([key, value]: readonly unknown[]): [string, string] {
  return [String(key), String(value)];
}

// Enough for the selector of chart/ci/selectors-values.yaml too.
const optedIn = ['enabled', 'true'].map(
  (value) =>
    new Map([
      ['autoscrape.io/inject', value],
      ['environment', 'staging'],
    ]),
);
const meshLabels: readonly (readonly (readonly [string, string])[])[] = [
  [],
  [['istio-injection', 'enabled']],
  [['istio-injection', 'disabled']],
  [['istio.io/rev', 'canary']],
  [
    ['istio-injection', 'enabled'],
    ['istio.io/rev', 'canary'],
  ],
  [
    ['istio-injection', 'disabled'],
    ['istio.io/rev', 'canary'],
  ],
];

/** Returns the labels of a namespace together with each combination of Istio's. */
function withMeshLabels(labels: ReadonlyMap<string, string>): Map<string, string>[] {
  return meshLabels.map((mesh) => new Map([...labels, ...mesh]));
}

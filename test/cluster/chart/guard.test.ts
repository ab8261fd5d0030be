import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { DIALECT_NAMES } from '../../../src/core/annotations/dialects/dialects.ts';
import { MARKER_KEY, renderMarker } from '../../../src/core/annotations/marker.ts';
import { MAIN, runAutoscrape } from '../../harness/autoscrape/run-autoscrape.ts';
import type { KubernetesObject } from '../../harness/control-plane/api-client.ts';
import { command } from '../../../tools/command.ts';
import { component } from '../../harness/build/components.ts';
import { kubernetesVersions } from '../../harness/length.ts';
import { startControlPlane } from '../../harness/control-plane/control-plane.ts';
import type { ControlPlane } from '../../harness/control-plane/control-plane.ts';
import { waitFor } from '../../harness/process/wait-for.ts';
import { startReconciler } from '../../harness/programs/reconciler-process.ts';
import { CHART, list, one, render } from '../../harness/chart/render.ts';
import type { Manifest } from '../../harness/chart/render.ts';

// The ValidatingAdmissionPolicy that holds the reconciler's account to autoscrape's annotations, on real API servers.

/** The account that the chart gives the reconciler. */
const RECONCILER = 'system:serviceaccount:autoscrape:autoscrape-reconciler';

/** The policy, and its binding. */
const GUARD = 'autoscrape-reconciler';

const podSelector = {
  matchLabels: { app: 'shop' },
  matchExpressions: [
    { key: 'tier', operator: 'In', values: ['web', 'worker'] },
    { key: 'track', operator: 'NotIn', values: ['canary'] },
    { key: 'team', operator: 'Exists' },
    { key: 'legacy', operator: 'DoesNotExist' },
  ],
};
const values = {
  'webhook.excludedNamespaces': ['vault'],
  'webhook.objectSelector': podSelector,
  'rules.dialects': DIALECT_NAMES,
};
/** Values of the chart, as Helm takes them. */
const flags = Object.entries(values).flatMap(([name, value]) => ['--set-json', `${name}=${JSON.stringify(value)}`]);

/** The arguments of the reconciler's container. */
function flagsOf(objects: readonly Manifest[]): readonly string[] {
  const deployment = one(objects, 'Deployment', 'autoscrape-reconciler');
  return list(deployment, 'spec', 'template', 'spec', 'containers', 0, 'args').map(String);
}

/** What the reconciler looks for in the message, and the runbook quotes. */
const ANOTHER = /; if it did not, a mutating webhook or policy changed the pod in the same update$/;

const SCRAPE = 'prometheus.io/scrape';
const PORT = 'prometheus.io/port';
const PATH = 'prometheus.io/path';

type Annotations = Readonly<Record<string, string>>;

/** Annotations as the program writes them, with the marker that claims them. */
function added(annotations: Annotations): Annotations {
  return { ...annotations, [MARKER_KEY]: renderMarker({ rule: 'metrics-port', added: annotations }) };
}

const OURS = { [SCRAPE]: 'true', [PORT]: '9464', [PATH]: '/metrics' };
const ANNOTATED = added(OURS);
/** Two further endpoints. */
const FURTHER = {
  'prometheus.io/port-2': '9121',
  'prometheus.io/path-2': '/worker',
  'prometheus.io/scheme-2': 'https',
  'prometheus.io/port-8': '9122',
  'prometheus.io/path-8': '/metrics',
};
const instance = (url: string): string => `{"openmetrics_endpoint":"${url}","namespace":"","metrics":[".*"]}`;
const checksOf = (...urls: readonly string[]): string =>
  `{"openmetrics":{"init_config":{},"instances":[${urls.map(instance).join(',')}]}}`;
/** The endpoint, and another one, in other dialects. */
const DIALECTS = {
  'k8s.grafana.com/scrape': 'true',
  'k8s.grafana.com/metrics.portNumber': '9464',
  'k8s.grafana.com/metrics.path': '/a%20b~c/d.e_f-g',
  'k8s.grafana.com/metrics.scheme': 'https',
  'k8s.grafana.com/metrics.container': 'main',
  'ad.datadoghq.com/main.checks': checksOf('http://%%host%%:9464/metrics', 'https://%%host%%:9121/a%20b'),
  [`ad.datadoghq.com/${'n'.repeat(56)}.checks`]: checksOf('http://%%host%%:1/'),
  'metrics.dynatrace.com/scrape': 'true',
  'metrics.dynatrace.com/port': '9464',
  'metrics.dynatrace.com/path': '/metrics',
  'metrics.dynatrace.com/secure': 'true',
  'io.opentelemetry.discovery.metrics.9464/enabled': 'true',
  'io.opentelemetry.discovery.metrics.9464/scraper': 'prometheus_simple',
  'io.opentelemetry.discovery.metrics.9464/config': '{"metrics_path":"/metrics"}',
  'io.opentelemetry.discovery.metrics.65535/config': '{"metrics_path":"/a","tls":{"insecure":false}}',
};
const ISTIO_TARGETS = { 'prometheus.istio.io/scrape-targets': '9464:/metrics,9121:/worker' };
const REMOVED = Object.fromEntries(Object.keys(ANNOTATED).map((key) => [key, null]));

const container = (image: string) => ({ name: 'main', image, ports: [{ name: 'metrics', containerPort: 9464 }] });

for (const version of kubernetesVersions()) {
  suite(`the guard on kube-apiserver ${version}`, () => {
    let cluster: ControlPlane;
    let pods = 0;
    before(async () => {
      cluster = await startControlPlane({ version, users: { [RECONCILER]: [] } });
      const only = ['guard', 'rbac'].flatMap((name) => ['-s', `templates/reconciler/${name}.yaml`]);
      const helm = ['template', 'autoscrape', CHART, '-n', 'autoscrape', ...flags, ...only];
      await cluster.kubectl(['create', 'namespace', 'autoscrape']);
      await cluster.kubectl(['apply', '-f', '-'], await command(await component('helm'), helm));
      for (const namespace of ['shop', 'vault', 'stamped', 'program', 'other', 'unclear']) {
        await cluster.kubectl(['create', 'namespace', namespace]);
      }
      await cluster.kubectl(['label', 'namespace', 'unclear', 'autoscrape.io/inject=on']);
      for (const namespace of ['shop', 'vault', 'stamped', 'program', 'kube-system', 'kube-public']) {
        await optIn(namespace);
      }
      const pod = await createPod('shop');
      // A policy takes a moment to act.
      await waitFor('the guard', async () => (await relabel(pod)).status === 422);
    });
    after(() => cluster.stop());

    const optIn = (namespace: string) =>
      cluster.kubectl([
        'label',
        'namespace',
        namespace,
        `autoscrape.io/inject=${namespace === 'program' ? 'true' : 'enabled'}`,
      ]);

    /** Creates a pod and returns its path. */
    async function createPod(namespace: string, metadata: Readonly<Record<string, unknown>> = {}): Promise<string> {
      pods += 1;
      const name = `pod-${pods}`;
      const created = await cluster.request('POST', `/api/v1/namespaces/${namespace}/pods`, {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: {
          name,
          generateName: 'pod-',
          finalizers: ['example.com/hold'],
          ownerReferences: [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'owner', uid: '1' }],
          ...metadata,
          labels: { app: 'shop', tier: 'web', team: 'a', ...(metadata['labels'] as object | undefined) },
          annotations: { theirs: 'kept', ...(metadata['annotations'] as object | undefined) },
        },
        spec: { containers: [container('one')] },
      });
      assert.equal(created.status, 201, JSON.stringify(created.body));
      return `/api/v1/namespaces/${namespace}/pods/${created.body.metadata?.name}`;
    }

    const send = (pod: string, body: unknown, query = '') =>
      cluster.request('PATCH', `${pod}${query}`, body, { 'impersonate-user': RECONCILER });
    const patch = (pod: string, metadata: unknown, query = '') => send(pod, { metadata }, query);
    const relabel = (pod: string) => patch(pod, { labels: { app: 'other' } }, '?dryRun=All');
    const annotationsOf = async (pod: string) => (await cluster.request('GET', pod)).body.metadata?.annotations;

    /** Asserts that the reconciler's patch is refused by the guard, and returns what it says. */
    async function refused(pod: string, body: unknown): Promise<string> {
      const before = await cluster.request('GET', pod);
      const answer = await send(pod, body);
      assert.equal(answer.status, 422, JSON.stringify(answer.body));
      assert.deepEqual((await cluster.request('GET', pod)).body, before.body);
      const { message = '' } = answer.body;
      assert.match(message, /denied request: the autoscrape reconciler must not /);
      return message;
    }

    suite('lets through', () => {
      test('annotations that are added with the marker, and removed with it', async () => {
        for (const annotations of [
          OURS,
          { [PORT]: '80' },
          { ...OURS, 'prometheus.io/scheme': 'https' },
          { ...OURS, [PATH]: '/a"b\\c/é' },
          { ...OURS, ...FURTHER },
          { ...OURS, ...FURTHER, ...DIALECTS },
        ]) {
          const pod = await createPod('shop');
          assert.equal((await patch(pod, { annotations: added(annotations) })).status, 200);
          assert.deepEqual(await annotationsOf(pod), { theirs: 'kept', ...added(annotations) });
          assert.equal((await patch(pod, { annotations: REMOVED })).status, 200);
          const left = Object.entries(annotations).filter(([key]) => !Object.hasOwn(REMOVED, key));
          assert.deepEqual(await annotationsOf(pod), { theirs: 'kept', ...Object.fromEntries(left) });
        }
      });

      test('annotations for a pod that opts in by its own label', async () => {
        for (const value of ['enabled', 'true']) {
          const pod = await createPod('shop', { labels: { 'autoscrape.io/inject': value } });
          assert.equal((await patch(pod, { annotations: ANNOTATED })).status, 200);
        }
      });

      test('the marker alone removed, when somebody has changed the rest', async () => {
        const pod = await createPod('shop', { annotations: { ...ANNOTATED, [PORT]: '1' } });
        assert.equal((await patch(pod, { annotations: { [MARKER_KEY]: null } })).status, 200);
      });

      test('everything that the marker claims removed, also what only the webhook writes', async () => {
        const annotations = added({ ...OURS, ...FURTHER, ...ISTIO_TARGETS, ...DIALECTS });
        const pod = await createPod('shop', { annotations });
        const removed = Object.fromEntries(Object.keys(annotations).map((key) => [key, null]));
        assert.equal((await patch(pod, { annotations: removed })).status, 200);
        assert.deepEqual(await annotationsOf(pod), { theirs: 'kept' });
      });

      test("an author's annotations repeated in other dialects, and only these removed again", async () => {
        const pod = await createPod('shop', { annotations: OURS });
        assert.equal((await patch(pod, { annotations: added(DIALECTS) })).status, 200);
        const removed = Object.fromEntries(Object.keys(added(DIALECTS)).map((key) => [key, null]));
        assert.equal((await patch(pod, { annotations: removed })).status, 200);
        assert.deepEqual(await annotationsOf(pod), { theirs: 'kept', ...OURS });
      });

      test('removing them in a namespace that is no longer opted in, or excluded, and from a pod that opts out', async () => {
        for (const [namespace, labels] of [
          ['other', {}],
          ['vault', {}],
          ['shop', { 'autoscrape.io/inject': 'disabled' }],
          ['shop', { legacy: 'yes' }],
        ] as const) {
          const pod = await createPod(namespace, { labels, annotations: ANNOTATED });
          assert.equal((await patch(pod, { annotations: REMOVED })).status, 200);
          assert.deepEqual(await annotationsOf(pod), { theirs: 'kept' });
        }
      });

      test('annotations for a pod with thousands of others', async () => {
        for (const { length, text } of [
          { length: 10_000, text: 'x'.repeat(10) },
          { length: 38_000, text: '' },
        ]) {
          const many = Object.fromEntries(Array.from({ length }, (_, index) => [`k${index}`, text]));
          const pod = await createPod('shop', { annotations: many });
          const annotations = added({ ...OURS, ...FURTHER, ...DIALECTS });
          assert.equal((await patch(pod, { annotations })).status, 200);
          const removed = Object.fromEntries(Object.keys(annotations).map((key) => [key, null]));
          assert.equal((await patch(pod, { annotations: removed })).status, 200);
        }
      });

      test('whatever the program writes: each kind of pod is annotated, and given back byte for byte', async () => {
        const rules = join(cluster.directory, 'rules.yaml');
        const rule = {
          name: 'odd',
          when: { podLabels: { matchLabels: { odd: 'yes' } } },
          scrape: { port: 1, path: '/"\\' },
        };
        const asked = { endpoints: 'all', dialects: DIALECT_NAMES };
        await writeFile(rules, JSON.stringify({ extends: 'default', ...asked, rules: [rule] }));
        const kinds = await Promise.all([
          createPod('program'),
          createPod('program', { annotations: { [PORT]: '9464' } }),
          createPod('program', { annotations: { [SCRAPE]: 'true' } }),
          createPod('program', { labels: { odd: 'yes' } }),
          createPod('program', { annotations: { [SCRAPE]: 'true', [PORT]: '9464' } }),
        ]);
        const marked = await createPod('program', { annotations: { [MARKER_KEY]: 'not one of ours' } });
        const before = await Promise.all(kinds.map(annotationsOf));
        const run = async (...args: readonly string[]) => {
          const kubeconfig = await cluster.kubeconfigOf(RECONCILER);
          const done = await runAutoscrape([...args, '-n', 'program', '--rules', rules, '--kubeconfig', kubeconfig]);
          assert.equal(done.code, 0, `${done.stdout}${done.stderr}`);
          return done.stdout;
        };
        assert.match(await run('reconcile', '--once'), /6 annotated/);
        for (const pod of [...kinds, marked]) assert.equal((await annotationsOf(pod))?.[SCRAPE], 'true');
        assert.equal((await annotationsOf(kinds[3] ?? ''))?.[PATH], '/"\\');
        for (const pod of [kinds[0] ?? '', kinds[4] ?? ''])
          assert.equal(
            (await annotationsOf(pod))?.['ad.datadoghq.com/main.checks'],
            checksOf('http://%%host%%:9464/metrics'),
          );
        await cluster.kubectl(['label', 'namespace', 'program', 'autoscrape.io/inject-']);
        assert.match(await run('uninject'), /5 uninjected/);
        assert.deepEqual(await Promise.all(kinds.map(annotationsOf)), before);
      });

      test('whatever others do', async () => {
        const pod = await createPod('other');
        const metadata = { labels: { other: 'x' }, annotations: { theirs: 'changed', [PORT]: 'x' } };
        assert.equal((await cluster.request('PATCH', pod, { metadata })).status, 200);
      });
    });

    suite('refuses', () => {
      /** What is refused whatever the pod, with what the message says; `true`: it could also be another policy's change. */
      const changes: Readonly<Record<string, readonly [unknown, RegExp, boolean]>> = {
        'a new annotation of another kind': [
          { metadata: { annotations: { other: 'x' } } },
          /annotations that aren't autoscrape's/,
          true,
        ],
        "a changed annotation of the user's": [
          { metadata: { annotations: { theirs: 'x' } } },
          /annotations that aren't autoscrape's/,
          true,
        ],
        "a removed annotation of the user's": [
          { metadata: { annotations: { theirs: null } } },
          /annotations that aren't autoscrape's/,
          true,
        ],
        'a near miss of our keys': [
          { metadata: { annotations: { 'prometheus.io/scrapes': 'x' } } },
          /annotations that aren't autoscrape's/,
          true,
        ],
        'ours together with another': [
          { metadata: { annotations: { ...ANNOTATED, other: 'x' } } },
          /annotations that aren't autoscrape's/,
          true,
        ],
        'a new label': [{ metadata: { labels: { other: 'x' } } }, /labels/, true],
        'a changed label': [{ metadata: { labels: { app: 'x' } } }, /labels/, true],
        'removed labels': [{ metadata: { labels: null } }, /labels/, true],
        'a new image': [{ spec: { containers: [container('two')] } }, /spec/, true],
        'another generateName': [{ metadata: { generateName: 'x-' } }, /generateName/, true],
        'removed finalizers': [{ metadata: { finalizers: null } }, /finalizers/, true],
        'added finalizers': [
          { metadata: { finalizers: ['example.com/hold', 'example.com/more'] } },
          /finalizers/,
          true,
        ],
        'removed owners': [{ metadata: { ownerReferences: null } }, /owners/, true],
        'annotations without the marker': [
          { metadata: { annotations: OURS } },
          /without autoscrape\.io\/injected/,
          false,
        ],
        'a scrape annotation that says something else': [
          { metadata: { annotations: added({ ...OURS, [SCRAPE]: 'false' }) } },
          /values other than/,
          false,
        ],
        'a port that is no number': [
          { metadata: { annotations: added({ ...OURS, [PORT]: '80@example.com' }) } },
          /values other than/,
          false,
        ],
        'a path that is none': [
          { metadata: { annotations: added({ ...OURS, [PATH]: 'http://example.com/' }) } },
          /values other than/,
          false,
        ],
        'a further port that is no number': [
          { metadata: { annotations: added({ ...OURS, 'prometheus.io/port-2': 'http' }) } },
          /values other than/,
          false,
        ],
        'the number after the last one': [
          { metadata: { annotations: added({ ...OURS, 'prometheus.io/port-9': '9121' }) } },
          /annotations that aren't autoscrape's/,
          true,
        ],
        "targets for Istio's agent, which reads them at creation only": [
          { metadata: { annotations: added({ ...OURS, ...ISTIO_TARGETS }) } },
          /values other than/,
          false,
        ],
        ...Object.fromEntries(
          [
            ["another path than a URL's", 'k8s.grafana.com/metrics.path', '/a`b`'],
            ['another container than a name', 'k8s.grafana.com/metrics.container', 'a|b'],
            [
              "another check of Datadog's",
              'ad.datadoghq.com/main.checks',
              '{"http_check":{"instances":[{"url":"http://x"}]}}',
            ],
            [
              "another host for Datadog's agent",
              'ad.datadoghq.com/main.checks',
              checksOf('http://example.com:9464/metrics'),
            ],
            [
              'a variable for it in the path',
              'ad.datadoghq.com/main.checks',
              checksOf('http://%%host%%:80/%%env_TOKEN%%'),
            ],
            ['a second check for it', 'ad.datadoghq.com/main.checks', `${checksOf('http://%%host%%:80/')} {}`],
            ['a port of Dynatrace that is no number', 'metrics.dynatrace.com/port', 'http'],
            ["another receiver of OpenTelemetry's", 'io.opentelemetry.discovery.metrics.80/scraper', 'filelog'],
            [
              'an endpoint for it',
              'io.opentelemetry.discovery.metrics.80/config',
              '{"metrics_path":"/","endpoint":"http://example.com"}',
            ],
          ].map(([what = '', key = '', value = '']) => [
            `${what} in another dialect`,
            [{ metadata: { annotations: added({ ...OURS, [key]: value }) } }, /values other than/, false] as const,
          ]),
        ),
        ...Object.fromEntries(
          [
            'ad.datadoghq.com/main.logs',
            'k8s.grafana.com/job',
            'metrics.dynatrace.com/filter',
            'io.opentelemetry.discovery.metrics/enabled',
            'io.opentelemetry.discovery.logs.80/enabled',
          ].map((key) => [
            `${key}, which autoscrape never writes`,
            [
              { metadata: { annotations: added({ ...OURS, [key]: 'true' }) } },
              /annotations that aren't autoscrape's/,
              true,
            ] as const,
          ]),
        ),
        'a marker that claims what is not added': [
          { metadata: { annotations: { [SCRAPE]: 'true', [MARKER_KEY]: ANNOTATED[MARKER_KEY] } } },
          /must not claim/,
          false,
        ],
      };
      for (const [what, [body, says, orAnother]] of Object.entries(changes)) {
        test(what, async () => {
          const message = await refused(await createPod('shop'), body);
          assert.match(message, says);
          assert.equal(ANOTHER.test(message), orAnother, message);
        });
      }

      test('a changed value of each of our keys, the marker included', async () => {
        const pod = await createPod('shop', { annotations: ANNOTATED });
        for (const [key, value] of Object.entries({
          [SCRAPE]: 'false',
          [PORT]: '1',
          [PATH]: '/x',
          [MARKER_KEY]: '{}',
        })) {
          const message = await refused(pod, { metadata: { annotations: { [key]: value } } });
          assert.match(message, /annotations that autoscrape\.io\/injected does not claim/);
          assert.match(message, ANOTHER);
        }
      });

      test("removed annotations: of the user's own, without the marker, changed since, or claimed for another value", async () => {
        for (const [annotations, removed] of [
          [OURS, { [PORT]: null }],
          [ANNOTATED, { [PORT]: null }],
          [{ ...ANNOTATED, [PORT]: '1' }, REMOVED],
          [{ ...OURS, ...added({ [SCRAPE]: 'true' }) }, REMOVED],
          [{ ...OURS, [MARKER_KEY]: 'no marker' }, REMOVED],
          [
            { ...ANNOTATED, 'ad.datadoghq.com/main.checks': '{}' },
            { ...REMOVED, 'ad.datadoghq.com/main.checks': null },
          ],
        ] as const) {
          const pod = await createPod('shop', { annotations });
          assert.match(await refused(pod, { metadata: { annotations: removed } }), /does not claim/);
        }
      });

      test('a marker that claims what the user has written', async () => {
        const pod = await createPod('shop', { annotations: { [PORT]: '9464' } });
        assert.match(await refused(pod, { metadata: { annotations: ANNOTATED } }), /must not claim/);
        for (const [key, value] of Object.entries(DIALECTS)) {
          const theirs = await createPod('shop', { annotations: { [key]: value } });
          const body = { metadata: { annotations: added({ ...OURS, [key]: value }) } };
          assert.match(await refused(theirs, body), /must not claim/, key);
        }
      });

      test('adding while removing', async () => {
        const pod = await createPod('other', { annotations: added({ [SCRAPE]: 'true' }) });
        const message = await refused(pod, { metadata: { annotations: { [MARKER_KEY]: null, [PORT]: '1' } } });
        assert.match(message, /without autoscrape\.io\/injected/);
      });

      test('annotating where autoscrape is not opted in, or excluded', async () => {
        for (const namespace of ['other', 'unclear', 'vault', 'autoscrape']) {
          const message = await refused(await createPod(namespace), { metadata: { annotations: ANNOTATED } });
          assert.match(message, /a namespace where autoscrape is not opted in$/);
        }
      });

      test("everything in the system's namespaces, whatever their labels", async () => {
        for (const namespace of ['kube-system', 'kube-public']) {
          const bare = await createPod(namespace);
          const annotated = await createPod(namespace, { annotations: ANNOTATED });
          assert.match(await refused(bare, { metadata: { annotations: ANNOTATED } }), /system's namespaces/);
          assert.match(await refused(annotated, { metadata: { annotations: REMOVED } }), /system's namespaces/);
        }
      });

      test('annotating a pod that opts out, or that webhook.objectSelector leaves out', async () => {
        for (const labels of [
          { 'autoscrape.io/inject': 'disabled' },
          { 'autoscrape.io/inject': 'false' },
          { 'autoscrape.io/inject': 'on' },
          { 'autoscrape.io/inject': '' },
          { app: 'other' },
          { tier: 'database' },
          { tier: undefined },
          { track: 'canary' },
          { team: undefined },
          { legacy: '' },
        ]) {
          const message = await refused(await createPod('shop', { labels }), { metadata: { annotations: ANNOTATED } });
          assert.match(message, /opts out/);
        }
      });

      test('subresources, even to one whom RBAC would let', async () => {
        await cluster.kubectl(
          ['apply', '-f', '-'],
          JSON.stringify({
            apiVersion: 'rbac.authorization.k8s.io/v1',
            kind: 'ClusterRoleBinding',
            metadata: { name: 'too-much' },
            roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
            subjects: [{ kind: 'User', name: RECONCILER }],
          }),
        );
        const pod = await createPod('shop');
        const answer = await waitFor('the rights', async () => {
          const answered = await send(`${pod}/status`, { status: { message: 'x' } });
          return answered.status === 403 ? undefined : answered;
        });
        assert.equal(answer.status, 422);
        assert.match(answer.body.message ?? '', /subresources/);
      });
    });

    test('the reconciler patches no pod before its policy holds, and then does', async (t) => {
      // In the chart's pod the host's name is the pod's, and the namespace that of its token.
      const own = await createPod('default', { name: hostname().toLowerCase() });
      assert.equal(own, `/api/v1/namespaces/default/pods/${hostname()}`);
      await cluster.kubectl(['create', 'namespace', 'guarded']);
      const pod = await createPod('guarded');
      const binding = await cluster.kubectl(['get', 'validatingadmissionpolicybinding', GUARD, '-o', 'json']);
      await cluster.kubectl(['delete', 'validatingadmissionpolicybinding', GUARD]);
      await waitFor('the guard to be gone', async () => (await relabel(pod)).status === 200);
      const guarded = ['--namespace=guarded', `--require-guard=${GUARD}`];
      const reconciler = await startReconciler(cluster, guarded, [MAIN], RECONCILER);
      t.after(() => reconciler.daemon.stop());
      await optIn('guarded');
      const pods = async (plan: string) => reconciler.metric(`autoscrape_reconcile_pods{plan="${plan}"}`);
      await waitFor('the pod to be seen', async () => (await pods('annotate')) === 1);
      const told = async (msg: RegExp) => (await reconciler.log()).some((line) => msg.test(line.msg));
      await waitFor('the reconciler to say so', async () => told(/^guard missing/));
      assert.equal((await annotationsOf(pod))?.[SCRAPE], undefined);
      const { metadata, ...rest } = JSON.parse(binding) as KubernetesObject;
      const again = JSON.stringify({ ...rest, metadata: { name: metadata?.name } });
      await cluster.kubectl(['apply', '-f', '-'], again);
      await waitFor('the pod to be annotated', async () => (await annotationsOf(pod))?.[SCRAPE] === 'true', {
        seconds: 90,
      });
      await waitFor('the reconciler to say so', async () => told(/^guard found/));
    });

    test("the reconciler, told the webhook's selectors by the chart, tries no pod that the guard would refuse", async (t) => {
      await cluster.kubectl(['create', 'namespace', 'selected']);
      await optIn('selected');
      const pod = await createPod('selected');
      for (const labels of [{ app: 'other' }, { track: 'canary' }, { legacy: '' }, { team: undefined }]) {
        await createPod('selected', { labels });
      }
      const told = flagsOf(await render(flags)).filter((flag) => flag.startsWith('--object-selector='));
      assert.equal(told.length, 1);
      const reconciler = await startReconciler(cluster, ['--namespace=selected', ...told], [MAIN], RECONCILER);
      t.after(() => reconciler.daemon.stop());
      await waitFor('the pod to be annotated', async () => (await annotationsOf(pod))?.[SCRAPE] === 'true');
      assert.equal(await reconciler.metric('autoscrape_reconcile_pods{plan="not_selected"}'), 4);
      assert.equal(
        await reconciler.metric('autoscrape_reconcile_changes_total{action="annotate",result="refused"}'),
        0,
      );
    });

    // Before 1.36 a cluster has MutatingAdmissionPolicy only where somebody switches it on.
    suite('beside a mutating policy on updates', { skip: version !== '1.37' }, () => {
      const metadata = {
        label: 'labels: {"stamped": "yes"}',
        annotation: 'annotations: {"policies.example.com/seen": "yes"}',
      };
      for (const [what, fields] of Object.entries(metadata)) {
        test(`names the likely cause where that adds ${what === 'label' ? 'a label' : 'an annotation'}`, async () => {
          const pod = await createPod('stamped');
          await cluster.kubectl(['apply', '-f', '-'], JSON.stringify(mutatingPolicy(what, fields)));
          const answer = await waitFor('the policy', async () => {
            const answered = await patch(pod, { annotations: ANNOTATED }, '?dryRun=All');
            return answered.status === 422 ? answered : undefined;
          });
          assert.match(answer.body.message ?? '', ANOTHER);
          await cluster.kubectl(['delete', 'mutatingadmissionpolicybinding', what]);
          await waitFor('the policy to be gone', async () => {
            const { status } = await patch(pod, { annotations: ANNOTATED }, '?dryRun=All');
            return status === 200;
          });
        });
      }

      test('the reconciler logs the cause once, and retries a refused pod only when the pod changes', async (t) => {
        const first = await createPod('stamped');
        await cluster.kubectl(['apply', '-f', '-'], JSON.stringify(mutatingPolicy('reconciled', metadata.label)));
        await waitFor('the policy', async () => {
          const { status } = await patch(first, { annotations: ANNOTATED }, '?dryRun=All');
          return status === 422;
        });
        await Promise.all(Array.from({ length: 20 }, () => createPod('stamped')));
        const { body } = await cluster.request<{ items: readonly unknown[] }>('GET', '/api/v1/namespaces/stamped/pods');
        const waiting = body.items.length;
        const reconciler = await startReconciler(cluster, ['--namespace=stamped'], [MAIN], RECONCILER);
        t.after(() => reconciler.daemon.stop());
        const changes = (result: string) =>
          reconciler.metric(`autoscrape_reconcile_changes_total{action="annotate",result="${result}"}`);
        await waitFor('every pod to be refused', async () => (await changes('refused')) === waiting);
        await createPod('stamped');
        await waitFor('another to be refused', async () => (await changes('refused')) === waiting + 1);

        // This update gets the policy's label, so that the policy adds nothing to the next one.
        await cluster.request('PATCH', first, { metadata: { annotations: { theirs: 'changed' } } });
        await waitFor('the changed pod to be annotated', async () => (await changes('done')) === 1);
        assert.equal((await annotationsOf(first))?.[SCRAPE], 'true');
        // It was retried after a delay of a second; any other would have been by now.
        assert.equal(await changes('refused'), waiting + 1);
        const told = (await reconciler.log()).filter(({ msg, reason }) => /refused/.test(msg) || reason !== undefined);
        assert.deepEqual(
          told.map(({ msg, namespace, code, cause, remedy }) => ({ msg, namespace, code, cause, remedy })),
          [
            {
              msg: "pod change refused by autoscrape's own policy, logged once",
              namespace: 'stamped',
              code: 422,
              cause:
                'a mutating policy or webhook changes pods on UPDATE too, so that more than annotations would change',
              remedy: "exempt the reconciler's service account from it, or limit it to CREATE",
            },
          ],
        );
      });
    });
  });
}

/** A policy and its binding: every update of a pod in the namespace `stamped` gets these fields of metadata too. */
function mutatingPolicy(name: string, fields: string): KubernetesObject {
  const apiVersion = 'admissionregistration.k8s.io/v1';
  const items = [
    {
      apiVersion,
      kind: 'MutatingAdmissionPolicy',
      metadata: { name },
      spec: {
        failurePolicy: 'Fail',
        reinvocationPolicy: 'Never',
        matchConstraints: {
          namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'stamped' } },
          resourceRules: [{ operations: ['UPDATE'], apiGroups: [''], apiVersions: ['v1'], resources: ['pods'] }],
        },
        mutations: [
          {
            patchType: 'ApplyConfiguration',
            applyConfiguration: { expression: `Object{metadata: Object.metadata{${fields}}}` },
          },
        ],
      },
    },
    { apiVersion, kind: 'MutatingAdmissionPolicyBinding', metadata: { name }, spec: { policyName: name } },
  ];
  return { apiVersion: 'v1', kind: 'List', items };
}

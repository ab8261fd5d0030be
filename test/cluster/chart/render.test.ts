import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { parse, parseAllDocuments } from 'yaml';
import { heapFlag } from '../../../tools/node-flags.ts';
import { DIALECT_NAMES, DIALECTS } from '../../../src/core/annotations/dialects/dialects.ts';
import { DEFAULT_KEYS } from '../../../src/core/annotations/scrape-keys.ts';
import { renderConfig } from '../../../src/scrape-config/render-config.ts';
import { ISTIO_TARGETS_KEY } from '../../../src/core/annotations/istio-targets.ts';
import { writtenKeys } from '../../../src/core/annotations/removable-keys.ts';
import { MARKER_KEY } from '../../../src/core/annotations/marker.ts';
import { MANAGED_LABELS, SYSTEM_NAMESPACES } from '../../../src/core/pod-selectors.ts';
import type { Manifest } from '../../harness/chart/render.ts';
import { parseSelector } from '../../../src/core/rules/selector-text.ts';
import { requirements } from '../../../src/core/rules/selector.ts';
import { parseRules } from '../../../src/core/rules/parse.ts';
import { readShipped } from '../../../src/rules/shipped.ts';
import { at, CHART, ciFiles, labelSelector, list, notes, one, render } from '../../harness/chart/render.ts';

// What single values do, on the objects that `helm template` makes.

const set = (...values: readonly string[]): string[] => values.flatMap((value) => ['--set', value]);
const setJson = (values: object): string[] =>
  Object.entries(values).flatMap(([name, value]) => ['--set-json', `${name}=${JSON.stringify(value)}`]);
const ci = async (name: string): Promise<string[]> => ['-f', (await ciFiles()).get(name) ?? `no values file ${name}`];

const container = (deployment: unknown): unknown => at(deployment, 'spec', 'template', 'spec', 'containers', 0);
const args = (deployment: unknown): readonly unknown[] => list(container(deployment), 'args');
const configuration = 'MutatingWebhookConfiguration';

const podAnnotations = async (from: readonly string[]) =>
  at(one(await render(from), 'Deployment', 'autoscrape-webhook'), 'spec', 'template', 'metadata', 'annotations');

/** Whom the component's NetworkPolicy lets in, by port. */
const ingress = async (from: readonly string[], component: string) =>
  Object.fromEntries(
    list(one(await render(from), 'NetworkPolicy', `autoscrape-${component}`), 'spec', 'ingress').map((rule) => [
      String(at(rule, 'ports', 0, 'port')),
      at(rule, 'from'),
    ]),
  );

/** Whom the component's NetworkPolicy lets out to. */
const egress = async (from: readonly string[], component: string) =>
  at(one(await render(from), 'NetworkPolicy', `autoscrape-${component}`), 'spec', 'egress');

/** The priority classes of each ResourceQuota. */
const quotas = async (from: readonly string[]) =>
  (await render(from))
    .filter(({ kind }) => kind === 'ResourceQuota')
    .map(({ object }) => at(object, 'spec', 'scopeSelector', 'matchExpressions', 0, 'values'));

const deployments = async (from: readonly string[]) =>
  (await render(from)).filter(({ kind }) => kind === 'Deployment').map(({ object }) => at(object, 'spec'));

suite('names', () => {
  test('a release called autoscrape gives its name to everything, another is put behind it', async () => {
    assert.equal(at(one(await render([]), configuration), 'metadata', 'name'), 'autoscrape');
    assert.equal(at(one(await render([], 'helm', 'prod'), configuration), 'metadata', 'name'), 'autoscrape-prod');
    assert.equal(
      at(one(await render([], 'helm', 'autoscrape-eu'), configuration), 'metadata', 'name'),
      'autoscrape-eu',
    );
    assert.equal(at(one(await render([], 'helm', 'a.b'), 'Service'), 'metadata', 'name'), 'autoscrape-a-b-webhook');
  });

  test('the longest that are taken fit into a DNS label, whatever is switched on', async () => {
    for (const file of (await ciFiles()).values()) {
      for (const { kind, name } of await render(['-f', file], 'helm', 'r'.repeat(40))) {
        assert.ok(name.length <= 63, `${kind} ${name}`);
      }
    }
  });

  test('the certificate is for the name of the Service that the webhooks call', async () => {
    const objects = await render(['-n', 'ops'], 'helm', 'prod');
    const service = at(one(objects, 'Service'), 'metadata', 'name');
    for (const hook of list(one(objects, configuration), 'webhooks')) {
      assert.equal(at(hook, 'clientConfig', 'service', 'name'), service);
      assert.equal(at(hook, 'clientConfig', 'service', 'namespace'), 'ops');
    }
    const leaf = one(objects, 'Certificate', 'autoscrape-prod-webhook');
    assert.ok(list(leaf, 'spec', 'dnsNames').includes(`${String(service)}.ops.svc`));
  });
});

const alertGroups = async (...values: readonly string[]) => {
  const objects = await render(set('monitoring.prometheusRule.enabled=true', ...values));
  return list(one(objects, 'PrometheusRule'), 'spec', 'groups');
};

const labels = (object: unknown, ...path: readonly string[]) => at(object, ...path, 'metadata', 'labels');

suite('labels', () => {
  const twice = {
    commonLabels: { team: 'common', 'app.kubernetes.io/name': 'common', grafana_dashboard: 'common' },
    webhook: { podLabels: { team: 'webhook', 'app.kubernetes.io/component': 'mine' } },
    monitoring: { dashboard: { enabled: true, labels: { grafana_dashboard: 'own' } } },
    bridge: { enabled: true, labels: { 'app.kubernetes.io/instance': 'my-prometheus' } },
    test: { namespaceLabels: { team: 'test', 'autoscrape.io/inject': 'enabled' } },
  };

  test("stand once where several values name them: a value of the object's own wins over one for all", async () => {
    // `render` refuses a key that stands twice.
    const objects = await render(setJson(twice));
    assert.equal(at(labels(one(objects, 'ConfigMap', 'autoscrape-dashboard')), 'grafana_dashboard'), 'own');
    assert.equal(
      at(labels(one(objects, 'ScrapeConfig', 'autoscrape-annotations')), 'app.kubernetes.io/instance'),
      'my-prometheus',
    );
    assert.equal(at(labels(one(objects, 'Namespace', 'autoscrape-verify')), 'team'), 'test');
    assert.equal(at(labels(one(objects, 'ClusterRole')), 'team'), 'common');
    assert.equal(at(labels(one(objects, 'ClusterRole')), 'app.kubernetes.io/name'), 'autoscrape');
  });

  test('by which pods are selected are never replaced', async () => {
    const deployment = one(await render(setJson(twice)), 'Deployment', 'autoscrape-webhook');
    const selected = at(deployment, 'spec', 'selector', 'matchLabels');
    const pod = labels(deployment, 'spec', 'template');
    assert.equal(at(pod, 'team'), 'webhook');
    for (const [key, value] of Object.entries(selected ?? {})) assert.equal(at(pod, key), value);
  });
});

// How the API server comes to trust the webhook.
const trust = (objects: Awaited<ReturnType<typeof render>>) => ({
  annotations: at(one(objects, configuration), 'metadata', 'annotations'),
  caBundle: at(one(objects, configuration), 'webhooks', 0, 'clientConfig', 'caBundle'),
  secret: at(one(objects, 'Deployment', 'autoscrape-webhook'), 'spec', 'template', 'spec', 'volumes', 0, 'secret'),
});

/** One of Helm's annotations of a hook. */
const hook = (object: unknown, key: string) => at(object, 'metadata', 'annotations', `helm.sh/${key}`);

suite('certificates', () => {
  test('cert-manager: a long CA that keeps its key, a short leaf that never does, and the CA injected from the leaf', async () => {
    const objects = await render([]);
    const ca = at(one(objects, 'Certificate', 'autoscrape-ca'), 'spec');
    const leaf = at(one(objects, 'Certificate', 'autoscrape-webhook'), 'spec');
    assert.equal(at(ca, 'isCA'), true);
    assert.equal(at(ca, 'privateKey', 'rotationPolicy'), 'Never');
    assert.equal(at(leaf, 'privateKey', 'rotationPolicy'), 'Always');
    assert.deepEqual(at(leaf, 'privateKey', 'algorithm'), 'ECDSA');
    assert.deepEqual(at(leaf, 'issuerRef'), { name: 'autoscrape-ca', kind: 'Issuer', group: 'cert-manager.io' });
    assert.deepEqual(at(one(objects, 'Issuer', 'autoscrape-ca'), 'spec'), { ca: { secretName: at(ca, 'secretName') } });
    assert.deepEqual(trust(objects), {
      annotations: { 'cert-manager.io/inject-ca-from': 'autoscrape/autoscrape-webhook' },
      caBundle: undefined,
      secret: { secretName: at(leaf, 'secretName') },
    });
  });

  test('duration alone is enough: when to renew is left to cert-manager', async () => {
    const leaf = one(await render(set('certificates.duration=168h')), 'Certificate', 'autoscrape-webhook');
    assert.equal(at(leaf, 'spec', 'duration'), '168h');
    assert.equal(at(leaf, 'spec', 'renewBefore'), undefined);
    assert.equal(at(one(await render(await ci('issuer')), 'Certificate'), 'spec', 'renewBefore'), '240h');
  });

  test('issuerRef: one leaf from the issuer given, no issuer of our own', async () => {
    const objects = await render(await ci('issuer'));
    assert.deepEqual(
      objects.filter(({ kind }) => kind === 'Issuer'),
      [],
    );
    assert.deepEqual(at(one(objects, 'Certificate'), 'spec', 'issuerRef'), {
      name: 'company-ca',
      kind: 'ClusterIssuer',
      group: 'cert-manager.io',
    });
    assert.equal(trust(objects).caBundle, undefined);
  });

  test("existingSecret: the Secret given, and the CA as caBundle or by somebody's injector", async () => {
    const bundle = trust(await render(await ci('existing-secret-bundle')));
    assert.deepEqual(bundle.secret, { secretName: 'my-webhook-tls' });
    assert.equal(bundle.annotations, undefined);
    assert.match(Buffer.from(String(bundle.caBundle), 'base64').toString(), /^-----BEGIN CERTIFICATE-----\n/);
    assert.deepEqual(trust(await render(await ci('existing-secret-cainjector'))).annotations, {
      'cert-manager.io/inject-ca-from-secret': 'autoscrape/my-webhook-tls',
    });
    assert.deepEqual(trust(await render(await ci('existing-secret-other-injector'))).annotations, {
      'service.beta.openshift.io/inject-cabundle': 'true',
    });
  });

  test('job: a Job before the rest makes the certificate, one after it writes the CA, and no key is rendered', async () => {
    const objects = await render(set('certificates.mode=job'));
    assert.deepEqual(trust(objects), {
      annotations: undefined,
      caBundle: undefined,
      secret: { secretName: 'autoscrape-job-tls' },
    });
    assert.ok(!objects.some(({ kind, object }) => kind === 'Secret' || /cert-manager/.test(JSON.stringify(object))));
    const [make, spread] = ['autoscrape-certificate', 'autoscrape-ca-bundle'].map((name) => one(objects, 'Job', name));
    assert.equal(hook(make, 'hook'), 'pre-install,pre-upgrade,pre-rollback');
    assert.equal(hook(spread, 'hook'), 'post-install,post-upgrade,post-rollback');
    assert.ok(
      args(make).includes('--names=autoscrape-webhook.autoscrape.svc,autoscrape-webhook.autoscrape.svc.cluster.local'),
    );
    // Of the Secret with the key it gets the CA's certificate alone.
    assert.deepEqual(at(spread, 'spec', 'template', 'spec', 'volumes'), [
      { name: 'ca', secret: { secretName: 'autoscrape-job-tls', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
    ]);
  });

  test('job: the Jobs end before Helm gives up, try thrice, and their rights go with them whatever happens', async () => {
    const objects = await render(await ci('job-certificate'));
    const ours = objects.filter(
      ({ object }) => at(object, 'metadata', 'labels', 'app.kubernetes.io/component') === 'certificate',
    );
    assert.equal(ours.length, 9);
    for (const { kind, object } of ours) {
      if (kind === 'Job') {
        assert.ok(Number(at(object, 'spec', 'activeDeadlineSeconds')) < 300);
        assert.equal(at(object, 'spec', 'backoffLimit'), 2);
        assert.equal(hook(object, 'hook-delete-policy'), 'before-hook-creation,hook-succeeded');
        assert.equal(hook(object, 'hook-output-log-policy'), 'hook-failed');
      } else {
        assert.equal(hook(object, 'hook-delete-policy'), 'before-hook-creation,hook-succeeded,hook-failed', kind);
      }
    }
    const cluster = ours.find(({ kind }) => kind === 'ClusterRole')?.object;
    assert.deepEqual(at(cluster, 'rules'), [
      {
        apiGroups: ['admissionregistration.k8s.io'],
        resources: ['mutatingwebhookconfigurations'],
        resourceNames: ['autoscrape'],
        verbs: ['get', 'patch'],
      },
    ]);
  });
});

suite('the webhook', () => {
  test('rolls out without a moment with fewer pods, and drains longer than endpoints take to spread', async () => {
    const spec = at(one(await render([]), 'Deployment', 'autoscrape-webhook'), 'spec');
    assert.deepEqual(at(spec, 'strategy', 'rollingUpdate'), { maxUnavailable: 0, maxSurge: 1 });
    assert.equal(at(spec, 'template', 'spec', 'terminationGracePeriodSeconds'), 45);
    assert.ok(args(one(await render([]), 'Deployment', 'autoscrape-webhook')).includes('--drain-seconds=10'));
  });

  test('on the network of its nodes it never needs two ports on one node', async () => {
    const deployment = one(await render(await ci('host-network')), 'Deployment', 'autoscrape-webhook');
    assert.equal(at(deployment, 'spec', 'template', 'spec', 'hostNetwork'), true);
    assert.deepEqual(at(deployment, 'spec', 'strategy', 'rollingUpdate'), { maxUnavailable: 1, maxSurge: 0 });
    assert.deepEqual(list(container(deployment), 'ports'), [
      { name: 'webhook', containerPort: 10450 },
      { name: 'health', containerPort: 18080 },
    ]);
    assert.ok(args(deployment).includes('--port=10450') && args(deployment).includes('--health-port=18080'));
  });

  test('gets the CA of its clients as a file that it follows, where a value has one', async () => {
    const objects = await render(await ci('client-ca'));
    const deployment = one(objects, 'Deployment', 'autoscrape-webhook');
    assert.ok(args(deployment).includes('--client-ca-file=/etc/autoscrape/client-ca/ca.crt'));
    const volume = list(deployment, 'spec', 'template', 'spec', 'volumes').find(
      (one) => at(one, 'name') === 'client-ca',
    );
    const name = String(at(volume, 'configMap', 'name'));
    assert.match(String(at(one(objects, 'ConfigMap', name), 'data', 'ca.crt')), /^-----BEGIN CERTIFICATE-----\n/);
    const without = JSON.stringify(await render([]));
    assert.doesNotMatch(without, /client-ca/);
  });

  test('gets annotations for its own metrics, with the configured keys', async () => {
    assert.deepEqual(await podAnnotations([]), {
      'prometheus.io/scrape': 'true',
      'prometheus.io/port': '8080',
      'prometheus.io/path': '/metrics',
    });
    assert.deepEqual(Object.keys((await podAnnotations(await ci('rules'))) ?? {}).toSorted(), [
      'metrics.example.com/path',
      'metrics.example.com/port',
      'metrics.example.com/scrape',
    ]);
    assert.equal(await podAnnotations(set('monitoring.podAnnotations=false')), undefined);
  });

  for (const monitor of ['podMonitor', 'serviceMonitor']) {
    test(`says nothing of its metrics beside a ${monitor}, or it would be scraped twice`, async () => {
      assert.equal(await podAnnotations(set(`monitoring.${monitor}.enabled=true`, 'bridge.enabled=true')), undefined);
    });
  }

  test('calls nobody: its network policy lets nothing out', async () => {
    const policy = at(one(await render([]), 'NetworkPolicy', 'autoscrape-webhook'), 'spec');
    assert.deepEqual(at(policy, 'policyTypes'), ['Ingress', 'Egress']);
    assert.equal(at(policy, 'egress'), undefined);
  });

  test('is reached at the numbers of its ports, because OVN-Kubernetes reads the name of a port as every port', async () => {
    const ports = set('webhook.port=9443', 'webhook.healthPort=9080', 'reconciler.healthPort=9081');
    for (const from of [[], ports]) {
      const objects = await render(from);
      for (const component of ['webhook', 'reconciler']) {
        const policy = one(objects, 'NetworkPolicy', `autoscrape-${component}`);
        const declared = list(container(one(objects, 'Deployment', `autoscrape-${component}`)), 'ports');
        assert.deepEqual(
          list(policy, 'spec', 'ingress').flatMap((rule) => list(rule, 'ports')),
          declared.map((port) => ({ port: at(port, 'containerPort'), protocol: 'TCP' })),
        );
      }
    }
  });

  test('lets those in whom the values name, at each port, and anyone unless they name somebody', async () => {
    assert.deepEqual(await ingress([], 'webhook'), { 10250: undefined, 8080: undefined });
    assert.deepEqual(await ingress([], 'reconciler'), { 8080: undefined });
    const webhookFrom = [{ ipBlock: { cidr: '10.0.0.0/28' } }];
    const metricsFrom = [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'monitoring' } } }];
    const named = setJson({ 'networkPolicy.webhookFrom': webhookFrom, 'networkPolicy.metricsFrom': metricsFrom });
    assert.deepEqual(await ingress(named, 'webhook'), { 10250: webhookFrom, 8080: metricsFrom });
    assert.deepEqual(await ingress(named, 'reconciler'), { 8080: metricsFrom });
  });

  test('leaves its replicas to an autoscaler where the value is null, and keeps the disruption budget', async () => {
    const objects = await render(await ci('autoscaled'));
    for (const component of ['webhook', 'reconciler']) {
      const spec = at(one(objects, 'Deployment', `autoscrape-${component}`), 'spec');
      assert.ok(spec !== undefined && at(spec, 'replicas') === undefined, component);
    }
    one(objects, 'PodDisruptionBudget');
    assert.equal(at(one(await render([]), 'Deployment', 'autoscrape-webhook'), 'spec', 'replicas'), 2);
    assert.equal(
      at(one(await render(set('reconciler.replicas=0')), 'Deployment', 'autoscrape-reconciler'), 'spec', 'replicas'),
      0,
    );
  });

  test('like every pod goes to nodes with Linux, beside what the values select', async () => {
    const selectors = (await render(await ci('autoscaled'))).flatMap(({ kind, name, object }) => {
      if (kind === 'Pod') return [[name, at(object, 'spec', 'nodeSelector')]];
      return kind === 'Deployment' ? [[name, at(object, 'spec', 'template', 'spec', 'nodeSelector')]] : [];
    });
    const linux = { 'kubernetes.io/os': 'linux' };
    assert.deepEqual(Object.fromEntries(selectors), {
      'autoscrape-webhook': { ...linux, pool: 'infra' },
      'autoscrape-verify': { ...linux, pool: 'infra' },
      'autoscrape-reconciler': linux,
      'autoscrape-sample': linux,
    });
  });

  test("like every pod takes a parent chart's registry, pull secrets, node selector and tolerations", async () => {
    const objects = await render(await ci('global'));
    const specs = [
      at(one(objects, 'Deployment', 'autoscrape-webhook'), 'spec', 'template', 'spec'),
      at(one(objects, 'Deployment', 'autoscrape-reconciler'), 'spec', 'template', 'spec'),
      at(one(objects, 'Pod'), 'spec'),
    ];
    for (const spec of specs) {
      assert.match(String(at(spec, 'containers', 0, 'image')), /^mirror\.example\.com\/autoscrape\/autoscrape:/);
      assert.deepEqual(at(spec, 'imagePullSecrets'), [{ name: 'mirror' }, { name: 'plain' }, { name: 'own' }]);
    }
    const infra = { key: 'infra', operator: 'Exists' };
    const own = { key: 'own', operator: 'Exists' };
    assert.deepEqual(
      specs.map((spec) => at(spec, 'tolerations')),
      [[infra, own], [infra], [infra, own]],
    );
    assert.deepEqual(
      specs.map((spec) => at(spec, 'nodeSelector', 'zone')),
      ['b', 'a', 'b'],
    );
    for (const spec of specs) assert.equal(at(spec, 'nodeSelector', 'pool'), 'infra');
  });

  test('with a priority class of the system gets the quota that GKE asks for, but not in kube-system', async () => {
    const both = await ci('autoscaled');
    assert.deepEqual(await quotas(both), [['system-cluster-critical', 'system-node-critical']]);
    assert.deepEqual(await quotas([...both, ...set('reconciler.enabled=false')]), [['system-cluster-critical']]);
    assert.deepEqual(await quotas([...both, '-n', 'kube-system', ...set('sample.namespace=a')]), []);
    assert.deepEqual(await quotas(set('webhook.priorityClassName=important')), []);
  });

  test('is spread over nodes for certain with the values that the README has for production', async () => {
    const page = await readFile(join(CHART, 'README.md'), 'utf8');
    const [, text] = /^## Production\n.*?^```yaml\n(.*?)^```$/ms.exec(page) ?? [];
    const values: unknown = parse(text ?? '');
    assert.ok(typeof values === 'object' && values !== null);
    const deployment = one(await render(setJson(values)), 'Deployment', 'autoscrape-webhook');
    const spread = at(deployment, 'spec', 'template', 'spec', 'topologySpreadConstraints', 0);
    assert.equal(at(spread, 'whenUnsatisfiable'), 'DoNotSchedule');
    const wanted = Object.entries(at(spread, 'labelSelector', 'matchLabels') ?? {});
    assert.ok(wanted.length > 0);
    for (const [key, value] of wanted) assert.equal(at(labels(deployment, 'spec', 'template'), key), value);
  });

  test('gives Node the heap that the memory limit has room for', async () => {
    const mebi = 2 ** 20;
    const limits: readonly (readonly [limit: string, mebibytes: number])[] = [
      ['null', 0],
      ['64Mi', 64],
      ['192Mi', 192],
      ['256Mi', 256],
      ['1Gi', 1024],
      ['1.5Gi', 1536],
      ['2097152Ki', 2048],
      ['500M', 500e6 / mebi],
      ['1e9', 1e9 / mebi],
      ['268435456', 256],
    ];
    for (const [limit, mebibytes] of limits) {
      const objects = await render(['--set', `webhook.resources.limits.memory=${limit}`]);
      const env = list(container(one(objects, 'Deployment', 'autoscrape-webhook')), 'env');
      assert.deepEqual(env, [{ name: 'NODE_OPTIONS', value: heapFlag(Math.floor(mebibytes)) }], limit);
    }
    const objects = await render([]);
    assert.deepEqual(
      ['webhook', 'reconciler'].map((component) =>
        at(container(one(objects, 'Deployment', `autoscrape-${component}`)), 'env', 0, 'value'),
      ),
      ['--max-old-space-size=48', '--max-old-space-size=112'],
    );
  });

  test('takes the knobs that are usual', async () => {
    const objects = await render(await ci('knobs'));
    for (const name of ['autoscrape-platform-webhook', 'autoscrape-platform-reconciler']) {
      const deployment = one(objects, 'Deployment', name);
      const spec = at(deployment, 'spec', 'template', 'spec');
      const digest = `sha256:${'0123456789abcdef'.repeat(4)}`;
      assert.equal(at(container(deployment), 'image'), `registry.example.com/mirror/autoscrape@${digest}`);
      assert.equal(at(container(deployment), 'imagePullPolicy'), 'Always');
      assert.ok(args(deployment).includes('--host=0.0.0.0'));
      const options = list(container(deployment), 'env').filter((variable) => at(variable, 'name') === 'NODE_OPTIONS');
      assert.deepEqual(
        options.map((variable) => at(variable, 'value')),
        [`${heapFlag(name.endsWith('webhook') ? 192 : 256)} --trace-warnings`],
      );
      assert.ok(list(spec, 'volumes').some((volume) => at(volume, 'name') === 'scratch'));
      assert.ok(list(container(deployment), 'volumeMounts').some((mount) => at(mount, 'name') === 'scratch'));
      assert.equal(at(spec, 'priorityClassName'), 'system-cluster-critical');
      assert.deepEqual(at(spec, 'nodeSelector'), { 'kubernetes.io/os': 'linux' });
      assert.equal(at(deployment, 'spec', 'revisionHistoryLimit'), 5);
      assert.equal(at(deployment, 'metadata', 'annotations', 'example.com/reloader'), 'auto');
      assert.equal(list(spec, 'tolerations').length, 1);
      assert.deepEqual(at(spec, 'topologySpreadConstraints', 0, 'topologyKey'), 'example.com/rack');
      assert.deepEqual(at(spec, 'imagePullSecrets'), [{ name: 'registry' }]);
      assert.equal(at(deployment, 'spec', 'template', 'metadata', 'labels', 'example.com/tier'), 'infra');
    }
    for (const { kind, object } of objects) {
      assert.equal(at(object, 'metadata', 'labels', 'team'), 'platform', kind);
      if (kind !== 'Namespace')
        assert.equal(at(object, 'metadata', 'annotations', 'example.com/contact'), 'platform', kind);
    }
    const tag = one(await render(await ci('tag')), 'Deployment', 'autoscrape-webhook');
    assert.equal(at(container(tag), 'image'), 'autoscrape:dev');
  });
});

const idOf = ({ kind, name }: Manifest) => `${kind} ${name}`;

/** The names of all alerts. */
const alerts = (objects: readonly Manifest[]) =>
  list(one(objects, 'PrometheusRule'), 'spec', 'groups').flatMap((group) =>
    list(group, 'rules').map((rule) => at(rule, 'alert')),
  );

suite('the emergency stop', () => {
  test('takes away the configuration, what checks or fills it and the alerts that it would cause, and nothing else', async () => {
    const monitored = set('certificates.mode=job', 'monitoring.prometheusRule.enabled=true');
    const before = await render(monitored);
    const after = await render([...monitored, ...set('webhook.enabled=false')]);
    const left = new Set(after.map(idOf));
    const gone = before.map(idOf).filter((id) => !left.has(id));
    assert.deepEqual(
      new Set(gone.filter((id) => !/autoscrape-(verify|ca-bundle)$/.test(id))),
      new Set([`${configuration} autoscrape`]),
    );
    const unchanged = after.filter(({ kind }) => kind !== 'PrometheusRule');
    for (const { kind, name, object } of unchanged) {
      assert.deepEqual(object, before.find((one) => one.kind === kind && one.name === name)?.object, `${kind} ${name}`);
    }
    const remaining = new Set(alerts(after));
    assert.deepEqual(
      alerts(before).filter((alert) => !remaining.has(alert)),
      ['AutoscrapeNoTraffic', 'AutoscrapePodsMissed'],
    );
  });
});

suite("names of one's own", () => {
  test("service accounts: roles, the guard and the pods follow the reconciler's name, and each has its annotations", async () => {
    const objects = await render(await ci('stopped'), 'helm', 'prod');
    const account = { name: 'autoscrape-keeper', namespace: 'autoscrape' };
    for (const kind of ['ClusterRoleBinding', 'RoleBinding']) {
      const bound = one(objects, kind, 'autoscrape-prod-reconciler');
      assert.deepEqual(list(bound, 'subjects'), [{ kind: 'ServiceAccount', ...account }]);
    }
    const [condition] = list(one(objects, 'ValidatingAdmissionPolicy'), 'spec', 'matchConditions');
    assert.equal(
      at(condition, 'expression'),
      "request.userInfo.username == 'system:serviceaccount:autoscrape:autoscrape-keeper'",
    );
    for (const [component, name] of Object.entries({ webhook: 'autoscrape-hook', reconciler: 'autoscrape-keeper' })) {
      const deployment = one(objects, 'Deployment', `autoscrape-prod-${component}`);
      assert.equal(at(deployment, 'spec', 'template', 'spec', 'serviceAccountName'), name);
      const { annotations } = at(one(objects, 'ServiceAccount', name), 'metadata') as { annotations?: unknown };
      assert.deepEqual(annotations, { 'example.com/role': 'none' });
    }
  });

  test('namespaceOverride reaches every object, DNS name and annotation, the guard and the excluded namespaces', async () => {
    const values = set('namespaceOverride=ops', 'monitoring.podMonitor.enabled=true');
    for (const from of [values, [...values, ...set('certificates.mode=job')]]) {
      const objects = await render(from);
      const text = JSON.stringify(objects.map(({ object }) => object));
      // The name of the release is the same as that of its namespace.
      assert.doesNotMatch(text, /"namespace":"autoscrape"|autoscrape\.svc|serviceaccount:autoscrape:|"autoscrape\//);
      for (const { kind, name, namespace } of objects) {
        if (namespace !== undefined && namespace !== 'autoscrape-verify')
          assert.equal(namespace, 'ops', `${kind} ${name}`);
      }
      const [byName] = list(one(objects, configuration), 'webhooks', 0, 'namespaceSelector', 'matchExpressions');
      assert.ok(list(byName, 'values').includes('ops'));
    }
    const injected = at(one(await render(values), configuration), 'metadata', 'annotations');
    assert.deepEqual(injected, { 'cert-manager.io/inject-ca-from': 'ops/autoscrape-webhook' });
  });

  test("extraObjects are rendered, with Helm's templates in their strings, and the sample's namespace may be one's own", async () => {
    const objects = await render(await ci('stopped'));
    assert.equal(at(one(objects, 'ConfigMap', 'autoscrape-extra'), 'metadata', 'namespace'), 'playground');
    assert.ok(!objects.some(({ kind }) => kind === 'Namespace'));
    assert.equal(at(one(objects, 'Deployment', 'autoscrape-sample'), 'metadata', 'namespace'), 'playground');
  });
});

suite('rules', () => {
  test('reach the pods as a file that the program accepts', async () => {
    const text = at(one(await render(await ci('rules')), 'ConfigMap', 'autoscrape-rules'), 'data', 'rules.yaml');
    const parsed = parseRules(String(text), readShipped());
    assert.ok(parsed.ok);
    assert.deepEqual(parsed.value.rules.names.slice(0, 2), ['our-metrics', 'team-batch']);
    assert.equal(parsed.value.rules.annotationKeys.port, 'metrics.example.com/port');
  });

  test('change no pod template, so that no restart follows', async () => {
    assert.deepEqual(await deployments([]), await deployments(set('rules.https=true', 'rules.disabled={spring-boot}')));
  });

  test('give their annotation keys to the conditions of the webhook, the guard and the bridge', async () => {
    const objects = await render(await ci('rules'));
    const texts = [
      JSON.stringify(at(one(objects, configuration), 'webhooks', 0, 'matchConditions')),
      JSON.stringify(one(objects, 'ValidatingAdmissionPolicy')),
    ];
    for (const text of texts) {
      assert.match(text, /'metrics\.example\.com\/scrape'/);
      assert.doesNotMatch(text, /prometheus\.io/);
    }
    assert.match(
      JSON.stringify(one(objects, 'ScrapeConfig', 'autoscrape-annotations')),
      /__meta_kubernetes_pod_annotation_metrics_example_com_port/,
    );
  });
});

const dialectKeys: ReadonlySet<string> = new Set(DIALECT_NAMES.flatMap((name) => DIALECTS[name].keys));

/** The value of one of the reconciler's flags; undefined where it is not given. */
const flag = async (from: readonly string[], name: string) =>
  args(one(await render(from), 'Deployment', 'autoscrape-reconciler'))
    .map(String)
    .find((arg) => arg.startsWith(`--${name}=`))
    ?.slice(name.length + 3);

/** The condition that leaves away calls for pods on which nothing is left to decide. */
const notFinal = async (values: readonly string[]) =>
  String(
    at(
      list(one(await render(values), configuration), 'webhooks', 0, 'matchConditions').find(
        (each) => at(each, 'name') === 'not-final',
      ),
      'expression',
    ),
  );

suite("the webhook's match conditions", () => {
  test('let a pod through that its author has annotated where the rules ask for dialects, once', async () => {
    const marked = ` && '${MARKER_KEY}' in object.metadata.annotations`;
    const without = await notFinal([]);
    assert.ok(!without.includes(marked));
    const withDialects = await notFinal(['--set-json', 'rules.dialects=["grafana"]']);
    assert.equal(withDialects.replace(/\s+/g, ' ').replace(marked, ''), without.replace(/\s+/g, ' '));
  });
});

suite('the reconciler', () => {
  test('patches nothing without the guard, whose name it gets', async () => {
    for (const release of ['autoscrape', 'prod']) {
      const objects = await render([], 'helm', release);
      const policy = at(one(objects, 'ValidatingAdmissionPolicy'), 'metadata', 'name');
      assert.ok(args(one(objects, 'Deployment', String(policy))).includes(`--require-guard=${String(policy)}`));
      assert.equal(at(one(objects, 'ValidatingAdmissionPolicyBinding'), 'spec', 'policyName'), policy);
    }
  });

  test('is held by the guard to the annotation keys that the program writes', async () => {
    for (const [values, file] of [
      [[], '{}'],
      [await ci('rules'), await readFile(String((await ciFiles()).get('rules')), 'utf8')],
    ] as const) {
      const rules: unknown = parse(file);
      const parsed = parseRules(JSON.stringify(at(rules, 'rules') ?? { extends: 'default' }), readShipped());
      assert.ok(parsed.ok);
      const { fixed, patterns } = writtenKeys(parsed.value.rules.annotationKeys);
      const written = [...fixed].toSorted();
      const policy = one(await render([...values]), 'ValidatingAdmissionPolicy');
      const ours = list(policy, 'spec', 'variables').find((variable) => at(variable, 'name') === 'ours');
      assert.deepEqual(Object.keys(JSON.parse(String(at(ours, 'expression')))).toSorted(), written);
      const validations = list(policy, 'spec', 'validations').map((each) => String(at(each, 'expression')));
      const inGuard = validations.flatMap((each) => /key\.matches\(r'\^\((.*)\)\$'\)/.exec(each)?.[1] ?? []);
      const inProgram = patterns
        .map(({ source }) =>
          source
            .slice(1, -1)
            .replaceAll(String.raw`\/`, '/')
            .replaceAll('(?:', '('),
        )
        .join('|');
      assert.deepEqual(inGuard, [inProgram, inProgram]);
      assert.ok(validations.some((each) => each.includes(`findAll(r'"(${inProgram})":')`)));
      // Each key has values that may be written under it, but the marker, Istio's, which only the webhook writes, and those of dialects
      // that the rules do not ask for.
      const rule =
        list(policy, 'spec', 'validations')
          .map((each) => String(at(each, 'expression')))
          .at(-1) ?? '';
      const checked = [...rule.matchAll(/\(key (?:== '(?<one>[^']+)'|in (?<several>\[[^\]]+\])) &&/g)].flatMap(
        ({ groups }): string[] =>
          groups?.['several'] === undefined ? [groups?.['one'] ?? ''] : JSON.parse(groups['several']),
      );
      assert.deepEqual(
        checked.toSorted(),
        written.filter((key) => key !== MARKER_KEY && key !== ISTIO_TARGETS_KEY && !dialectKeys.has(key)),
      );
    }
  });

  test('is held by the guard to the values that the program writes in the dialects of the rules', async () => {
    for (const name of DIALECT_NAMES) {
      const policy = one(await render(['--set-json', `rules.dialects=["${name}"]`]), 'ValidatingAdmissionPolicy');
      const values = String(at(list(policy, 'spec', 'validations').at(-1), 'expression'));
      const others = DIALECT_NAMES.filter((other) => other !== name);
      const isNamed = (of: (typeof DIALECT_NAMES)[number]) =>
        DIALECTS[of].keys.some((key) => values.includes(`'${key}'`)) ||
        DIALECTS[of].prefixes.some((prefix) => values.includes(`key.startsWith('${prefix}')`));
      assert.deepEqual([name, ...others].filter(isNamed), [name]);
      for (const key of DIALECTS[name].keys) assert.ok(values.includes(`'${key}'`), key);
    }
    const twice = one(
      await render(['--set-json', 'rules.dialects=["grafana","grafana"]']),
      'ValidatingAdmissionPolicy',
    );
    assert.match(String(at(list(twice, 'spec', 'validations').at(-1), 'message')), / says these to grafana$/);
  });

  test('is held by the guard to the namespaces and pods that the webhook selects', async () => {
    for (const values of [[], await ci('selectors')]) {
      const objects = await render([...values]);
      const hook = at(one(objects, configuration), 'webhooks', 0);
      const policy = one(objects, 'ValidatingAdmissionPolicy');
      const conditions = JSON.stringify(list(policy, 'spec', 'validations').map((one) => at(one, 'expression')));
      for (const [field, labels] of [
        ['namespaceSelector', 'variables.namespaceLabels'],
        ['objectSelector', 'variables.labels'],
      ] as const) {
        const selector = at(hook, field);
        const requirements = list(selector, 'matchExpressions').filter(
          (requirement) => !String(at(requirement, 'key')).startsWith('istio'),
        );
        for (const [key, value] of Object.entries(at(selector, 'matchLabels') ?? {})) {
          assert.ok(conditions.includes(JSON.stringify(`${labels}["${key}"] == "${String(value)}"`).slice(1, -1)), key);
        }
        assert.ok(requirements.length > 0);
        for (const requirement of requirements) {
          const [key, values] = [String(at(requirement, 'key')), list(requirement, 'values')];
          const wanted =
            values.length > 0 ? `${labels}["${key}"] in ${JSON.stringify(values)}` : `"${key}" in ${labels}`;
          assert.ok(conditions.includes(JSON.stringify(wanted).slice(1, -1)), wanted);
        }
      }
      for (const [key, value] of MANAGED_LABELS) {
        assert.ok(
          list(hook, 'namespaceSelector', 'matchExpressions').some((requirement) =>
            isDeepStrictEqual(requirement, { key, operator: 'NotIn', values: [value] }),
          ),
          key,
        );
      }
      const system = JSON.stringify(SYSTEM_NAMESPACES).replaceAll('"', "'");
      assert.ok(conditions.includes(`request.namespace in ${system}`), conditions);
    }
  });

  test('may read namespaces, read and patch pods, hold its own Lease and, where it asks, read Services', async () => {
    const objects = await render([]);
    const withoutAsking = [
      { apiGroups: [''], resources: ['namespaces'], verbs: ['get', 'list', 'watch'] },
      { apiGroups: [''], resources: ['pods'], verbs: ['get', 'list', 'watch', 'patch'] },
    ];
    assert.deepEqual(at(one(objects, 'ClusterRole'), 'rules'), [
      ...withoutAsking,
      { apiGroups: [''], resources: ['services'], verbs: ['list', 'watch'] },
    ]);
    assert.deepEqual(at(one(await render(await ci('ask-off')), 'ClusterRole'), 'rules'), withoutAsking);
    const leases = list(one(objects, 'Role', 'autoscrape-reconciler'), 'rules');
    assert.ok(leases.every((rule) => String(at(rule, 'resources')) === 'leases'));
    assert.ok(args(one(objects, 'Deployment', 'autoscrape-reconciler')).includes('--lease-name=autoscrape-reconciler'));
    assert.deepEqual(at(leases[1], 'resourceNames'), ['autoscrape-reconciler']);
  });

  test('asks for the memory that it was measured to need at rest', async () => {
    const measured = await readFile(new URL('../../../docs/performance.md', import.meta.url), 'utf8');
    const [, atRest] = /memory with no namespace opted in +\| ([0-9]+) MiB/.exec(measured) ?? [];
    const asked = at(
      container(one(await render([]), 'Deployment', 'autoscrape-reconciler')),
      'resources',
      'requests',
      'memory',
    );
    assert.match(String(asked), /^[0-9]+Mi$/);
    assert.ok(Number.parseInt(String(asked), 10) >= Number(atRest), `${String(asked)} of ${atRest} MiB`);
  });

  test("gets the webhook's selectors, where values set them", async () => {
    for (const name of ['namespace-selector', 'object-selector'] as const) {
      assert.equal(await flag([], name), undefined);
      const values: unknown = parse(await readFile(String((await ciFiles()).get('selectors')), 'utf8'));
      const value = at(values, 'webhook', name === 'object-selector' ? 'objectSelector' : 'namespaceSelector');
      const parsed = parseSelector((await flag(await ci('selectors'), name)) ?? '');
      assert.ok(parsed.ok);
      const wanted = requirements(labelSelector(value)).map((one) => ({ values: [], ...one }));
      assert.deepEqual(
        parsed.value.requirements.map((one) => ({ values: [], ...one })),
        wanted,
      );
    }
    const notIn = {
      matchExpressions: [
        { key: 'a', operator: 'NotIn', values: ['b'] },
        { key: 'c', operator: 'Exists' },
      ],
    };
    assert.equal(await flag(setJson({ 'webhook.namespaceSelector': notIn }), 'namespace-selector'), 'a notin (b),c');
  });

  test('leaves alone the namespaces that the webhook excludes by name', async () => {
    const objects = await render(set('webhook.excludedNamespaces={vault,audit}'));
    assert.ok(args(one(objects, 'Deployment', 'autoscrape-reconciler')).includes('--exclude-namespaces=vault,audit'));
  });

  for (const [name, values] of [
    ['reconciler.enabled=false', ['reconciler.enabled=false']],
    ['observe=true, which is to patch nothing,', ['observe=true']],
  ] as const) {
    test(`${name} leaves nothing of it`, async () => {
      const objects = await render(set(...values));
      assert.deepEqual(
        objects.filter((object) => object.name.endsWith('-reconciler')),
        [],
      );
    });
  }
});

/** The arguments about asking of the webhook and of the reconciler; undefined where there is no reconciler. */
const asking = async (from: readonly string[]) => {
  const objects = await render(from);
  const of = (component: string) =>
    objects
      .filter(({ kind, name }) => kind === 'Deployment' && name === `autoscrape-${component}`)
      .map(({ object }) => args(object).filter((arg) => String(arg).startsWith('--ask')))[0];
  return { webhook: of('webhook'), reconciler: of('reconciler') };
};

suite('asking', () => {
  const always = ['--ask', '--ask-ports=likely'];

  test('is on, with the modes that the values name', async () => {
    assert.deepEqual(await asking([]), {
      webhook: ['--ask'],
      reconciler: [...always, '--ask-annotated-services=leave'],
    });
    assert.deepEqual((await asking(await ci('ask'))).reconciler, [
      '--ask',
      '--ask-ports=all',
      '--ask-annotated-services=ask',
    ]);
  });

  test('is off for both processes at once: the webhook leaves no pod to a reconciler that does not ask', async () => {
    assert.deepEqual(await asking(await ci('ask-off')), { webhook: [], reconciler: [] });
    for (const off of ['reconciler.enabled=false', 'observe=true']) {
      assert.deepEqual(await asking(set(off)), { webhook: [], reconciler: undefined }, off);
    }
  });

  test('the webhook leaves pods to a reconciler that works in the same namespaces, whatever selects them', async () => {
    const { webhook, reconciler } = await asking(set('webhook.namespaceSelector.matchLabels.team=shop'));
    assert.deepEqual(webhook, ['--ask']);
    assert.equal(reconciler?.[0], '--ask');
  });

  test("leaves annotated Services to the Prometheus that reads them, and asks where the bridge's reads none", async () => {
    const bridge = 'bridge.enabled=true';
    assert.deepEqual((await asking(set(bridge))).reconciler, [...always, '--ask-annotated-services=ask']);
    const leaves = set(bridge, 'reconciler.ask.annotatedServices=leave');
    assert.deepEqual((await asking(leaves)).reconciler, [...always, '--ask-annotated-services=leave']);
  });

  test("is not blocked by the chart: the reconciler's policy limits nothing that it sends", async () => {
    const policy = at(one(await render([]), 'NetworkPolicy', 'autoscrape-reconciler'), 'spec');
    assert.deepEqual(at(policy, 'policyTypes'), ['Ingress']);
    assert.equal(at(policy, 'egress'), undefined);
  });

  test('is let out where the values name the way to the API server, and all pods are added only while it asks', async () => {
    const api = [{ to: [{ ipBlock: { cidr: '10.0.0.1/32' } }], ports: [{ port: 6443, protocol: 'TCP' }] }];
    const pods = { to: [{ namespaceSelector: {} }], ports: [{ protocol: 'TCP' }] };
    const values = await ci('egress');
    const policy = at(one(await render(values), 'NetworkPolicy', 'autoscrape-reconciler'), 'spec');
    assert.deepEqual(at(policy, 'policyTypes'), ['Ingress', 'Egress']);
    assert.deepEqual(at(policy, 'egress'), [...api, pods]);
    assert.deepEqual(await egress([...values, ...set('reconciler.ask.enabled=false')], 'reconciler'), api);
    assert.deepEqual(await egress(values, 'verify'), api);
    assert.equal(await egress(values, 'webhook'), undefined);
  });

  test('is let in by the policies that docs/asking.md shows', async () => {
    const page = await readFile(join(CHART, '..', 'docs', 'asking.md'), 'utf8');
    const shown = [...page.matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, text]): unknown => parse(text ?? ''));
    const reconciler = one(await render([]), 'Deployment', 'autoscrape-reconciler');
    const network = shown.find((object) => at(object, 'kind') === 'NetworkPolicy');
    const from = at(network, 'spec', 'ingress', 0, 'from', 0);
    assert.deepEqual(at(from, 'namespaceSelector', 'matchLabels'), {
      'kubernetes.io/metadata.name': at(reconciler, 'metadata', 'namespace'),
    });
    const wanted = Object.entries(at(from, 'podSelector', 'matchLabels') ?? {});
    assert.ok(wanted.length > 0);
    for (const [key, value] of wanted) assert.equal(at(labels(reconciler, 'spec', 'template'), key), value);
    const istio = shown.find((object) => at(object, 'kind') === 'AuthorizationPolicy');
    const account = at(reconciler, 'spec', 'template', 'spec', 'serviceAccountName');
    assert.deepEqual(at(istio, 'spec', 'rules', 0, 'from', 0, 'source', 'principals'), [
      `cluster.local/ns/autoscrape/sa/${String(account)}`,
    ]);
  });
});

suite('the sample', () => {
  test('says nothing of scraping: its namespace has the label, and that is all', async () => {
    const objects = await render(await ci('sample'));
    const deployment = one(objects, 'Deployment', 'autoscrape-sample');
    assert.equal(at(deployment, 'spec', 'template', 'metadata', 'annotations'), undefined);
    assert.doesNotMatch(JSON.stringify(deployment), /prometheus|autoscrape\.io/);
    assert.equal(at(deployment, 'metadata', 'namespace'), 'playground');
    const labels = at(one(objects, 'Namespace', 'playground'), 'metadata', 'labels');
    assert.equal(at(labels, 'autoscrape.io/inject'), 'enabled');
  });
});

suite('monitoring', () => {
  test('the PrometheusRule, the dashboard and the monitors are those asked for, with the labels asked for', async () => {
    const objects = await render(await ci('monitoring-pod-monitor'));
    assert.equal(at(one(objects, 'PodMonitor'), 'metadata', 'labels', 'release'), 'kube-prometheus-stack');
    assert.ok(list(one(objects, 'PrometheusRule'), 'spec', 'groups', 0, 'rules').length >= 8);
    const dashboard = one(objects, 'ConfigMap', 'autoscrape-dashboard');
    assert.equal(at(dashboard, 'metadata', 'labels', 'grafana_dashboard'), '1');
    assert.equal(at(JSON.parse(String(at(dashboard, 'data', 'autoscrape.json'))), 'uid'), 'autoscrape');
    assert.ok(!objects.some(({ kind }) => kind === 'ServiceMonitor'));
  });

  test('the alerts about the reconciler are left out where it does not run', async () => {
    const all: unknown = parse(await readFile(join(CHART, 'files', 'alerts.yaml'), 'utf8'));
    assert.deepEqual(await alertGroups(), list(all, 'groups'));
    for (const off of ['reconciler.enabled=false', 'observe=true']) {
      assert.deepEqual(await alertGroups(off), list(all, 'groups').slice(0, 1), off);
    }
    const reconciler = list(all, 'groups', 1, 'rules').map((rule) => at(rule, 'alert'));
    assert.ok(reconciler.includes('AutoscrapeReconcilerDown'));
  });

  test('a ServiceMonitor finds its Service, and that the port of both processes', async () => {
    const objects = await render(await ci('monitoring-service-monitor'));
    const labels = at(one(objects, 'Service', 'autoscrape-metrics'), 'metadata', 'labels');
    const wanted = at(one(objects, 'ServiceMonitor'), 'spec', 'selector', 'matchLabels');
    for (const [key, value] of Object.entries(wanted ?? {})) assert.equal(at(labels, key), value);
  });

  test('what watches autoscrape can be in another namespace, with its own fields, labels, thresholds and runbook', async () => {
    const objects = await render(await ci('monitoring-fitted'));
    const monitor = one(objects, 'ServiceMonitor');
    for (const object of [monitor, one(objects, 'PrometheusRule'), one(objects, 'ConfigMap', 'autoscrape-dashboard')]) {
      assert.equal(at(object, 'metadata', 'namespace'), 'autoscrape-sample');
    }
    assert.deepEqual(at(monitor, 'spec', 'namespaceSelector'), { matchNames: ['autoscrape'] });
    assert.deepEqual(list(monitor, 'spec', 'endpoints'), [
      {
        port: 'health',
        path: '/metrics',
        interval: '1m',
        scrapeTimeout: '10s',
        relabelings: [{ targetLabel: 'team', replacement: 'platform', action: 'replace' }],
        metricRelabelings: [{ sourceLabels: ['__name__'], regex: 'process_.+', action: 'drop' }],
        honorLabels: true,
      },
    ]);
    const groups = list(one(objects, 'PrometheusRule'), 'spec', 'groups');
    const rules = groups.flatMap((group) => list(group, 'rules'));
    assert.equal(rules.length, alerts(await render(set('monitoring.prometheusRule.enabled=true'))).length - 1);
    for (const rule of rules) {
      assert.deepEqual(at(rule, 'labels'), { team: 'platform', severity: 'page' });
      const url = `https://wiki.example.com/autoscrape#${String(at(rule, 'alert')).toLowerCase()}`;
      assert.equal(at(rule, 'annotations', 'runbook_url'), url);
    }
    const expr = (name: string) =>
      String(
        at(
          rules.find((rule) => at(rule, 'alert') === name),
          'expr',
        ),
      );
    assert.match(expr('AutoscrapeWebhookSlow'), /> 0\.25$/m);
    assert.match(expr('AutoscrapeCertExpiringSoon'), /< 14 \* 86400$/);
  });

  test("Argo CD's label tracking, which writes over the label of the instance, does not blind the ServiceMonitor", async () => {
    const selector = at(
      one(await render(await ci('monitoring-service-monitor')), 'ServiceMonitor'),
      'spec',
      'selector',
    );
    assert.deepEqual(selector, { matchLabels: { 'autoscrape.io/metrics-of': 'autoscrape' } });
  });

  test('the bridge never lets pods name themselves, and gives one target a pod', async () => {
    const objects = await render(await ci('bridge'));
    const spec = at(one(objects, 'ScrapeConfig', 'autoscrape-annotations'), 'spec');
    assert.equal(at(spec, 'honorLabels'), false);
    const targets = list(spec, 'relabelings').map((rule) => at(rule, 'targetLabel'));
    assert.ok(!targets.includes('container'), 'a container label would keep the targets of one pod apart');
    const further = objects.filter(({ kind, name }) => kind === 'ScrapeConfig' && name !== 'autoscrape-annotations');
    for (const { object } of further) assert.equal(at(object, 'spec', 'honorLabels'), false);
  });

  test('the bridge has the jobs that scrape-config prints for the operator', async () => {
    const objects = await render(set('bridge.enabled=true'));
    const specs = objects.flatMap(({ kind, name, object }) =>
      kind === 'ScrapeConfig' ? [[name, at(object, 'spec')]] : [],
    );
    const printed = parseAllDocuments(renderConfig('operator', DEFAULT_KEYS, false)).map((document): unknown =>
      document.toJS(),
    );
    assert.deepEqual(
      specs,
      printed.map((object) => [at(object, 'metadata', 'name'), at(object, 'spec')]),
    );
  });

  test('the bridge brings all endpoints and what reads them, and neither comes alone', async () => {
    assert.deepEqual(await bridged([]), ['first', 0]);
    assert.deepEqual(await bridged(set('bridge.enabled=true')), ['all', 8]);
    assert.deepEqual(await bridged(set('bridge.enabled=true', 'rules.endpoints=first')), ['first', 1]);
    assert.deepEqual(await bridged(set('rules.endpoints=all')), ['all', 0]);
  });
});

/** Which endpoints the rules have annotated, and how many ScrapeConfigs read them. */
async function bridged(flags: readonly string[]): Promise<readonly [string, number]> {
  const objects = await render(flags);
  const text = at(one(objects, 'ConfigMap', 'autoscrape-rules'), 'data', 'rules.yaml');
  const parsed = parseRules(String(text), readShipped());
  assert.ok(parsed.ok);
  return [parsed.value.rules.endpoints, objects.filter(({ kind }) => kind === 'ScrapeConfig').length];
}

suite('helm test', () => {
  test('brings its own namespace, which the webhook selects, and rights in that alone', async () => {
    const objects = (await render([])).filter(({ name }) => name === 'autoscrape-verify');
    assert.deepEqual(objects.map(({ kind }) => kind).toSorted(), [
      'Namespace',
      'Pod',
      'Role',
      'RoleBinding',
      'ServiceAccount',
    ]);
    for (const { kind, object } of objects) {
      assert.equal(at(object, 'metadata', 'annotations', 'helm.sh/hook'), 'test', kind);
    }
    const role = one(objects, 'Role');
    assert.equal(at(role, 'metadata', 'namespace'), 'autoscrape-verify');
    assert.deepEqual(at(role, 'rules'), [{ apiGroups: [''], resources: ['pods'], verbs: ['create'] }]);
  });

  test('ends in a mesh too: its pod gets no sidecar, and neither do those of the Jobs', async () => {
    const objects = await render(set('certificates.mode=job'));
    const pods = objects.flatMap(({ kind, object }) => {
      if (kind === 'Job') return [at(object, 'spec', 'template')];
      return kind === 'Pod' ? [object] : [];
    });
    assert.equal(pods.length, 3);
    for (const pod of pods) {
      assert.equal(at(pod, 'metadata', 'labels', 'sidecar.istio.io/inject'), 'false');
      assert.equal(at(pod, 'metadata', 'annotations', 'linkerd.io/inject'), 'disabled');
    }
  });

  test('sends a pod of the image and with the labels that the cluster asks for', async () => {
    const podLabels = { scrape: 'yes', 'example.com/tier': '7' };
    const pod = one(await render(setJson({ 'test.podLabels': podLabels })), 'Pod');
    const [main] = list(pod, 'spec', 'containers');
    const flags = list(main, 'args');
    assert.ok(flags.includes('--labels=example.com/tier=7,scrape=yes'), JSON.stringify(flags));
    assert.ok(flags.includes(`--image=${String(at(main, 'image'))}`), JSON.stringify(flags));
    assert.ok(
      !list(at(one(await render([]), 'Pod'), 'spec', 'containers', 0), 'args')
        .join(' ')
        .includes('--labels'),
    );
  });
});

suite('the notes', () => {
  const optIn = /kubectl label namespace NAMESPACE autoscrape\.io\/inject=enabled\n/;
  const injected = /kubectl get pods -n NAMESPACE .*INJECTED/;
  const restart = /kubectl rollout restart/;
  const check = /helm test autoscrape -n autoscrape/;
  const unknown = /The reconciler does not know webhook\.matchConditions/;

  test('say how to opt in and how to see it, how to check, to stop, and to come back with a newer chart too', async () => {
    const text = await notes([]);
    for (const says of [optIn, injected, check]) assert.match(text, says);
    for (const not of [restart, unknown, /would/]) assert.doesNotMatch(text, not);
    assert.match(text, /helm upgrade autoscrape CHART -n autoscrape --reset-then-reuse-values/);
  });

  test('with observe=true: where decisions are logged, and nothing that patches, restarts or must fail', async () => {
    const text = await notes(set('observe=true', 'sample.enabled=true'));
    assert.match(text, optIn);
    assert.match(text, /kubectl logs -n autoscrape .*component=webhook.*outcome/);
    for (const not of [restart, injected, check, /count_total/]) assert.doesNotMatch(text, not);
    assert.match(text, /sample.*observe/s);
  });

  test('with the emergency stop: that nothing is called, and no check that would fail', async () => {
    const text = await notes(set('webhook.enabled=false'));
    assert.match(text, /webhook\.enabled is false.*reconciler\.enabled=false/s);
    for (const not of [check, /Emergency stop/]) assert.doesNotMatch(text, not);
    assert.match(await notes([]), /Argo CD and Flux .*webhook\.enabled=false and reconciler\.enabled=false/);
  });

  test('without the reconciler: that only new pods are annotated, the sample among them', async () => {
    const text = await notes(set('reconciler.enabled=false', 'sample.enabled=true'));
    for (const says of [optIn, restart, injected, check, /count_total/]) assert.match(text, says);
    assert.match(text, /kubectl delete pod -n autoscrape-sample -l .*component=sample/);
    assert.doesNotMatch(await notes(set('sample.enabled=true')), /kubectl delete pod/);
  });

  test('with a namespaceSelector: no label that opts nothing in, but what is asked for', async () => {
    const text = await notes(set('webhook.namespaceSelector.matchLabels.env=prod'));
    assert.doesNotMatch(text, optIn);
    assert.match(text, /webhook\.namespaceSelector.*\n.*"env":"prod"/);
    assert.match(text, injected);
  });

  test('say that pods are asked, where to read about it, and the four ways to switch it off', async () => {
    const text = await notes([]);
    assert.match(text, /asked over HTTP.*docs\/asking\.md/s);
    const off = [
      '--set reconciler.ask.enabled=false',
      'kubectl label namespace NAMESPACE autoscrape.io/ask=disabled',
      'autoscrape.io/ask: disabled',
      "--set 'rules.ask.never={9999}'",
    ];
    for (const line of off) assert.ok(text.includes(`\n  ${line}\n`), line);
    for (const values of [await ci('ask-off'), set('observe=true'), set('reconciler.enabled=false')]) {
      assert.doesNotMatch(await notes(values), /over HTTP|docs\/asking|ask\.enabled/);
    }
    // What the notes tell to set is a value that the chart takes.
    const rules = at(one(await render(['--set', 'rules.ask.never={9999}']), 'ConfigMap', 'autoscrape-rules'), 'data');
    const parsed = parseRules(String(at(rules, 'rules.yaml')), readShipped());
    assert.ok(parsed.ok);
    assert.deepEqual(parsed.value.rules.askNever, [9999]);
  });

  test('say that the reconciler does not know match conditions, and what to do', async () => {
    const text = await notes(await ci('selectors'));
    assert.match(text, unknown);
    assert.match(text, /autoscrape\.io\/inject=disabled.*reconciler\.enabled=false/s);
    assert.doesNotMatch(await notes(set('webhook.objectSelector.matchLabels.scrape=yes')), unknown);
    for (const off of ['reconciler.enabled=false', 'observe=true']) {
      assert.doesNotMatch(await notes([...(await ci('selectors')), ...set(off)]), unknown);
    }
  });
});

test('Chart.yaml says the version that package.json says', async () => {
  const chart: unknown = parse(await readFile(new URL('../../../chart/Chart.yaml', import.meta.url), 'utf8'));
  const manifest: unknown = JSON.parse(await readFile(new URL('../../../package.json', import.meta.url), 'utf8'));
  assert.equal(at(chart, 'appVersion'), at(manifest, 'version'));
});

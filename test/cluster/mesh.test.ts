import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { explain } from '../../src/core/explain.ts';
import { defaultRules } from '../../src/rules/shipped.ts';
import { appScrapedByIstio, injectByIstio, INJECTOR_SELECTORS } from '../harness/mesh/istio.ts';
import type { PodObject } from '../harness/mesh/istio.ts';
import type { Target } from '../harness/autoscrape/client.ts';
import { startControlPlane } from '../harness/control-plane/control-plane.ts';
import type { ControlPlane } from '../harness/control-plane/control-plane.ts';
import { startStandInInjector } from '../harness/programs/stand-in-injector.ts';
import type { StandInInjector } from '../harness/programs/stand-in-injector.ts';
import { registerAsTheChart, takesEffect } from '../harness/programs/webhook-configuration.ts';
import { startWebhookProcess } from '../harness/programs/webhook-process.ts';
import type { WebhookProcess } from '../harness/programs/webhook-process.ts';

// Our webhook, registered as the chart does it, and a stand-in for Istio's injector, registered as Istio does it, behind one
// real API server: who is called first, what each sees of the other, and which namespaces are whose.

const PROMETHEUS = /^prometheus.io\//;
const MERGED = {
  'prometheus.io/scrape': 'true',
  'prometheus.io/port': '15020',
  'prometheus.io/path': '/stats/prometheus',
};
const DIRECT = { 'prometheus.io/scrape': 'true', 'prometheus.io/port': '9464', 'prometheus.io/path': '/metrics' };
const METRICS = { name: 'metrics', containerPort: 9464 };
const HTTPS_METRICS = { name: 'https-metrics', containerPort: 8443 };

suite('pods that meet Istio', { timeout: 300_000 }, () => {
  let cluster: ControlPlane;
  let istio: StandInInjector;
  let webhook: WebhookProcess;

  before(async () => {
    cluster = await startControlPlane();
    webhook = await startWebhookProcess(cluster.directory, { rulesText: 'https: true' });
    istio = await startStandInInjector((pod) => {
      assert.ok(isPod(pod));
      const injection = injectByIstio(pod);
      assert.notEqual(injection.outcome, 'rejected');
      if (injection.outcome !== 'injected') return [];
      const { metadata, spec } = injection.pod;
      return [
        { op: 'add', path: '/metadata/annotations', value: metadata.annotations ?? {} },
        { op: 'replace', path: '/spec', value: spec },
      ];
    });
    await registerAsTheChart(cluster, 'autoscrape', webhook);
    await registerIstio(cluster, istio);
    await createNamespace('probe', {});
    await takesEffect(cluster, 'probe', 'prometheus.io/scrape');
    await createNamespace('both', { 'istio-injection': 'enabled' });
    await createNamespace('revision', { 'istio.io/rev': 'default' });
    await createNamespace('outside', {});
    await createNamespace('off', { 'istio-injection': 'disabled' });
    await createNamespace('ambient', { 'istio.io/dataplane-mode': 'ambient' });
  });
  after(async () => {
    await webhook.daemon().stop();
    await cluster.stop();
    await istio.close();
  });

  for (const namespace of ['both', 'revision']) {
    test(`in a namespace that Istio selects (${namespace}), our endpoint ends in its merge`, async () => {
      const pod = await create(namespace, [METRICS]);
      assert.deepEqual(prometheusOf(pod), MERGED);
      assert.equal(appScrapedByIstio(pod), 'http://localhost:9464/metrics');
      assert.match(pod.metadata.annotations?.['autoscrape.io/injected'] ?? '', /"prometheus.io\/port":"9464"/);
    });

    test(`there an https endpoint is left alone, so that Istio's target works (${namespace})`, async () => {
      const pod = await create(namespace, [HTTPS_METRICS]);
      assert.deepEqual(prometheusOf(pod), MERGED);
      assert.equal(appScrapedByIstio(pod), undefined);
    });

    test(`there a pod can stay out (${namespace})`, async () => {
      const out = { 'sidecar.istio.io/inject': 'false' };
      assert.deepEqual(prometheusOf(await create(namespace, [METRICS], out)), DIRECT);
      assert.equal(prometheusOf(await create(namespace, [HTTPS_METRICS], out))['prometheus.io/scheme'], 'https');
    });
  }

  for (const namespace of ['outside', 'off', 'ambient']) {
    test(`in a namespace that Istio doesn't select (${namespace}), the pod is annotated as if there were no Istio`, async () => {
      assert.deepEqual(prometheusOf(await create(namespace, [METRICS])), DIRECT);
      assert.equal(prometheusOf(await create(namespace, [HTTPS_METRICS]))['prometheus.io/scheme'], 'https');
    });
  }

  for (const label of [{ 'sidecar.istio.io/inject': 'true' }, { 'istio.io/rev': 'default' }]) {
    test(`outside, a pod can join by ${Object.keys(label).join()}, and is then never given a scheme`, async () => {
      const pod = await create('outside', [METRICS], label);
      assert.deepEqual(prometheusOf(pod), MERGED);
      assert.equal(appScrapedByIstio(pod), 'http://localhost:9464/metrics');
      assert.deepEqual(prometheusOf(await create('outside', [HTTPS_METRICS], label)), MERGED);
    });
  }

  test('called after Istio, under a name that sorts later, we leave the pod as it is and can say why', async () => {
    const late = await startControlPlane();
    const asked = await startWebhookProcess(late.directory);
    try {
      await registerIstio(late, istio);
      await registerAsTheChart(late, 'prometheus-autoscrape', asked);
      await createNamespace('probe', {}, late);
      await takesEffect(late, 'probe', 'prometheus.io/scrape');
      await createNamespace('both', { 'istio-injection': 'enabled' }, late);
      const pod = await create('both', [METRICS], {}, late);
      assert.deepEqual(prometheusOf(pod), MERGED);
      assert.equal(pod.metadata.annotations?.['autoscrape.io/injected'], undefined);
      assert.equal(appScrapedByIstio(pod), undefined, "the order is what makes Istio know of the application's port");
      // The chart's match conditions skip calls that could change nothing, such as this one; `explain` still says why.
      const { decision, notes } = explain(pod, defaultRules(), { mesh: true });
      assert.ok(decision.outcome === 'skip');
      assert.equal(decision.reason, 'istio_merged');
      assert.match(notes.join(), /^Istio's injector did not know of port 9464/);
    } finally {
      await asked.daemon().stop();
      await late.stop();
    }
  });

  async function createNamespace(name: string, labels: Record<string, string>, where = cluster): Promise<void> {
    const metadata = { name, labels: { 'autoscrape.io/inject': 'enabled', ...labels } };
    assert.equal((await where.request('POST', '/api/v1/namespaces', { metadata })).status, 201);
  }

  async function create(
    namespace: string,
    ports: readonly object[],
    labels: Record<string, string> = {},
    where = cluster,
  ): Promise<PodObject> {
    const { status, body } = await where.request('POST', `/api/v1/namespaces/${namespace}/pods`, {
      metadata: { generateName: 'web-', labels },
      spec: { containers: [{ name: 'web', image: 'web:1', ports }] },
    });
    assert.equal(status, 201, body.message);
    assert.ok(isPod(body));
    return body;
  }
});

function isPod(value: object): value is PodObject {
  return 'metadata' in value && 'spec' in value;
}

function prometheusOf({ metadata }: PodObject): Record<string, string> {
  return Object.fromEntries(Object.entries(metadata.annotations ?? {}).filter(([key]) => PROMETHEUS.test(key)));
}

/** Registers a webhook as Istio registers its injector, with four selectors and failurePolicy Fail. */
async function registerIstio(cluster: ControlPlane, { port, ca }: Target): Promise<void> {
  const webhooks = INJECTOR_SELECTORS.map(({ name, namespace, pod }) => ({
    name,
    admissionReviewVersions: ['v1'],
    sideEffects: 'None',
    failurePolicy: 'Fail',
    reinvocationPolicy: 'Never',
    clientConfig: { url: `https://127.0.0.1:${port}/inject`, caBundle: Buffer.from(ca).toString('base64') },
    rules: [{ operations: ['CREATE'], apiGroups: [''], apiVersions: ['v1'], resources: ['pods'] }],
    namespaceSelector: { matchExpressions: namespace },
    objectSelector: { matchExpressions: pod },
  }));
  const { status, body } = await cluster.request(
    'POST',
    '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations',
    { metadata: { name: 'istio-sidecar-injector' }, webhooks },
  );
  assert.equal(status, 201, body.message);
}

import assert from 'node:assert/strict';
import { request as httpsRequest } from 'node:https';
import type { ClientRequest } from 'node:http';
import { after, before, suite, test } from 'node:test';
import { parse } from 'yaml';
import { MAX_BODY_BYTES, MAX_BYTES_IN_FLIGHT } from '../../src/webhook/request-limits.ts';
import { readFixtures } from '../harness/pods/fixtures.ts';
import { podWithMetrics, reviewOf } from '../harness/autoscrape/admission-review.ts';
import { post } from '../harness/autoscrape/client.ts';
import { annotationsOf, createWithAndWithout, comparable } from '../harness/control-plane/with-and-without.ts';
import type { ApiResponse, KubernetesObject } from '../harness/control-plane/api-client.ts';
import { startControlPlane } from '../harness/control-plane/control-plane.ts';
import type { ControlPlane } from '../harness/control-plane/control-plane.ts';
import { waitFor } from '../harness/process/wait-for.ts';
import { registerAsTheChart, takesEffect } from '../harness/programs/webhook-configuration.ts';
import { startWebhookProcess, sumOf } from '../harness/programs/webhook-process.ts';
import type { WebhookProcess } from '../harness/programs/webhook-process.ts';

const HOOK = 'pods.autoscrape.io';
const SCRAPE = 'prometheus.io/scrape';
const OURS = {
  'prometheus.io/scrape': 'true',
  'prometheus.io/port': '9464',
  'prometheus.io/path': '/metrics',
  'autoscrape.io/injected': JSON.stringify({
    rule: 'metrics-port',
    added: { 'prometheus.io/scrape': 'true', 'prometheus.io/port': '9464', 'prometheus.io/path': '/metrics' },
  }),
};
/** All annotations of a pod together, in bytes (apimachinery's TotalAnnotationSizeLimitB). */
const LIMIT = 256 * 1024;
const METRICS = { name: 'metrics', containerPort: 9464 };
const OPTED_IN = { 'autoscrape.io/inject': 'enabled' };
const MESH = { 'istio-injection': 'enabled' };

suite('pods that go through a real API server and the webhook', { timeout: 600_000 }, () => {
  let cluster: ControlPlane;
  let webhook: WebhookProcess;
  const started: WebhookProcess[] = [];

  before(async () => {
    // Without service accounts no volume with a random name is added, and pods can be compared.
    cluster = await startControlPlane({ controllerManager: true, serviceAccountAdmission: false, audit: 'Metadata' });
    webhook = await startWebhookProcess(cluster.directory);
    started.push(webhook);
    await createNamespace('opted-in', OPTED_IN);
    await createNamespace('opted-in-mesh', { ...OPTED_IN, ...MESH });
    await createNamespace('plain');
    await registerAsTheChart(cluster, 'autoscrape', webhook);
    await takesEffect(cluster, 'opted-in', SCRAPE);
  });
  after(async () => {
    for (const process of started) await process.daemon().kill();
    await cluster.stop();
  });

  suite('each fixture', () => {
    for (const [rulesText, cases] of Map.groupBy(readFixtures(), (fixture) => fixture.rulesText)) {
      const suffix = rulesText === '' ? '' : `-${cases[0]?.name}`;
      if (rulesText !== '') {
        before(async () => {
          const own = await startWebhookProcess(cluster.directory, { name: `webhook${suffix}`, rulesText });
          started.push(own);
          const matchLabels = { rules: suffix.slice(1) };
          await createNamespace(`opted-in${suffix}`, matchLabels);
          await createNamespace(`opted-in-mesh${suffix}`, { ...matchLabels, ...MESH });
          const rules: { annotations?: { scrape?: string } } = parse(rulesText);
          await registerAsTheChart(cluster, `autoscrape${suffix}`, own, {
            rules,
            webhook: { namespaceSelector: { matchLabels } },
          });
          await takesEffect(cluster, `opted-in${suffix}`, rules.annotations?.scrape ?? SCRAPE);
        });
      }
      for (const { name, pod, mesh, want } of cases) {
        test(`${name} comes out as its want.json says, and otherwise as without us`, async () => {
          const namespace = `${mesh ? 'opted-in-mesh' : 'opted-in'}${suffix}`;
          const created = await createWithAndWithout(cluster, pod, { with: namespace, without: 'plain' });
          assert.equal(created.with.status, 201, created.with.body.message);
          assert.deepEqual(annotationsOf(created.with), { ...pod.metadata.annotations, ...want.annotations });
          assert.deepEqual(comparable(created.with), comparable(created.without));
        });
      }
    }
  });

  test('a dry run answers what would be created, and creates nothing', async () => {
    const dry = { ...podWithMetrics(), metadata: { name: 'dry' } };
    const answer = await create('opted-in', dry, '?dryRun=All');
    assert.deepEqual(annotationsOf(answer), OURS);
    assert.equal((await cluster.request('GET', '/api/v1/namespaces/opted-in/pods/dry')).status, 404);
  });

  for (const [kind, path, around] of [
    ['Deployment', '/apis/apps/v1/namespaces/opted-in/deployments', { selector: { matchLabels: { app: 'web' } } }],
    [
      'StatefulSet',
      '/apis/apps/v1/namespaces/opted-in/statefulsets',
      { selector: { matchLabels: { app: 'web' } }, serviceName: 'web' },
    ],
    ['Job', '/apis/batch/v1/namespaces/opted-in/jobs', {}],
  ] as const) {
    test(`the pods that the controller manager makes of a ${kind} are annotated, and its template stays as it is`, async () => {
      const name = `made-by-a-${kind.toLowerCase()}`;
      const { metadata, spec } = podWithMetrics();
      const template = { metadata: { labels: metadata.labels }, spec };
      const withPolicy = kind === 'Job' ? { ...template, spec: { ...spec, restartPolicy: 'Never' } } : template;
      const object = { metadata: { name }, spec: { ...around, template: withPolicy } };
      const { status, body } = await cluster.request('POST', path, object);
      assert.equal(status, 201, body.message);
      const pod = await waitFor(`a pod of ${kind} ${name}`, async () => {
        const list = await cluster.request<{ items: KubernetesObject[] }>('GET', '/api/v1/namespaces/opted-in/pods');
        return list.body.items.find((item) => item.metadata?.name?.startsWith(`${name}-`));
      });
      assert.deepEqual(pod.metadata?.annotations, OURS);
      const kept = await cluster.request<{ spec: { template: { metadata: object } } }>('GET', `${path}/${name}`);
      assert.ok(!('annotations' in kept.body.spec.template.metadata));
    });
  }

  test('a warning reaches the user who creates the pod', async () => {
    const nearMiss = await create('opted-in', podWithMetrics({ [SCRAPE]: 'True' }));
    assert.match(String(nearMiss.headers['warning']), /^299 - "autoscrape: prometheus\.io\/scrape must be exactly/);
    assert.deepEqual(annotationsOf(nearMiss), { [SCRAPE]: 'True' });
    assert.equal((await create('opted-in', podWithMetrics())).headers['warning'], undefined);
  });

  test('the audit log says by which rule a pod was annotated, or why not', async () => {
    const ids = [];
    for (const pod of [podWithMetrics(), { ...podWithMetrics(), spec: { containers: [{ name: 'a', image: 'a' }] } }]) {
      const { headers } = await create('opted-in', pod);
      ids.push(headers['audit-id']);
    }
    const events = await cluster.auditEvents();
    const [annotated, skipped] = ids.map((id) => events.find(({ auditID }) => auditID === id)?.annotations);
    assert.equal(annotated?.[`${HOOK}/rule`], 'metrics-port');
    assert.equal(skipped?.[`${HOOK}/reason`], 'no_candidate');
    assert.match(String(annotated['mutation.webhook.admission.k8s.io/round_0_index_0']), /"mutated":true/);
    assert.match(String(skipped['mutation.webhook.admission.k8s.io/round_0_index_0']), /"mutated":false/);
  });

  suite('odd pods meet the same fate with and without us', () => {
    for (const [what, pod, status, added] of [
      ['annotations: null', withAnnotations(null), 201, OURS],
      ['annotations: {}', withAnnotations({}), 201, OURS],
      ['annotations that are a list', withAnnotations([]), 400, {}],
      ['an annotation that is a number', withAnnotations({ 'prometheus.io/port': 9464 }), 400, {}],
      ['a key that is no qualified name', withAnnotations({ 'a/b/c': 'd' }), 422, {}],
      ['a key called __proto__', withAnnotations({ ['__proto__']: 'x' }), 422, {}],
      ['a key called constructor', withAnnotations({ constructor: 'x' }), 201, OURS],
      ['annotations of exactly 256 KiB', withFiller(LIMIT), 201, {}],
      ['annotations of one byte less than that', withFiller(LIMIT - 1), 201, {}],
      ['annotations of one byte more than 256 KiB', withFiller(LIMIT + 1), 422, {}],
      ['annotations that leave room for ours', withFiller(LIMIT - 8 * 1024), 201, OURS],
      ['a port of 0', withPorts({ ...METRICS, containerPort: 0 }), 422, {}],
      ['a port that is a string', withPorts({ ...METRICS, containerPort: '9464' }), 400, {}],
      ['a port twice', withPorts(METRICS, { ...METRICS, name: 'again' }), 201, OURS],
      ['a port name that is too long', withPorts({ ...METRICS, name: 'metrics-metrics-metrics' }), 422, {}],
      ['no containers', { ...podWithMetrics(), spec: { containers: [] } }, 422, {}],
      ['no spec', { metadata: { generateName: 'odd-' } }, 422, {}],
      ['hostNetwork', { ...podWithMetrics(), spec: { ...podWithMetrics().spec, hostNetwork: true } }, 201, OURS],
    ] as const) {
      test(what, async () => {
        const created = await createWithAndWithout(cluster, pod, { with: 'opted-in', without: 'plain' });
        assert.deepEqual(comparable(created.with), comparable(created.without));
        assert.equal(created.with.status, status, created.with.body.message);
        assert.deepEqual(annotationsOf(created.with), { ...annotationsOf(created.without), ...added });
      });
    }
  });

  suite('when the webhook cannot answer', () => {
    test('overloaded, it asks the API server to come again, which does so by itself', async () => {
      const shed = await webhook.metric('autoscrape_shed_total');
      const bodies = await holdAllBytes(webhook);
      const creation = create('opted-in', podWithMetrics());
      // At least one refusal more than the one that showed that all bytes were taken.
      await waitFor('the review to be refused', async () => (await webhook.metric('autoscrape_shed_total')) > shed + 1);
      for (const body of bodies) body.destroy();
      const created = await creation;
      assert.equal(created.status, 201);
      assert.deepEqual(annotationsOf(created), OURS);
    });

    test('stuck, it costs the pod its annotations and three seconds, not its creation', async () => {
      const before = await failedOpen();
      process.kill(webhook.daemon().pid, 'SIGSTOP');
      const created = await create('opted-in', podWithMetrics()).finally(() =>
        process.kill(webhook.daemon().pid, 'SIGCONT'),
      );
      assert.equal(created.status, 201);
      assert.deepEqual(annotationsOf(created), {});
      assert.equal(await failedOpen(), before + 1);
    });

    test('gone, it costs the pod its annotations; back, pods are annotated again', async () => {
      const before = await failedOpen();
      await webhook.daemon().kill();
      const created = await create('opted-in', podWithMetrics());
      assert.equal(created.status, 201);
      assert.deepEqual(annotationsOf(created), {});
      assert.equal(await failedOpen(), before + 1);
      await webhook.start();
      assert.deepEqual(annotationsOf(await create('opted-in', podWithMetrics())), OURS);
    });
  });

  /** How often the API server has created a pod without us. */
  async function failedOpen(): Promise<number> {
    const { body } = await cluster.request<string>('GET', '/metrics');
    return sumOf(body, 'apiserver_admission_webhook_fail_open_count', new RegExp(`name="${HOOK}"`));
  }

  async function createNamespace(name: string, labels: Readonly<Record<string, string>> = {}): Promise<void> {
    const { status, body } = await cluster.request('POST', '/api/v1/namespaces', { metadata: { name, labels } });
    assert.equal(status, 201, body.message);
  }

  function create(namespace: string, pod: object, query = ''): Promise<ApiResponse<KubernetesObject>> {
    return cluster.request('POST', `/api/v1/namespaces/${namespace}/pods${query}`, pod);
  }
});

function withAnnotations(annotations: unknown): object {
  return { ...podWithMetrics(), metadata: { generateName: 'odd-', annotations } };
}

/** A pod whose annotations have so many bytes. */
function withFiller(bytes: number): object {
  return withAnnotations({ filler: 'x'.repeat(bytes - 'filler'.length) });
}

function withPorts(...ports: readonly object[]): object {
  return { ...podWithMetrics(), spec: { containers: [{ name: 'web', image: 'web:1', ports }] } };
}

/** Requests to the webhook that never end and together hold all the bytes it has for bodies. */
async function holdAllBytes(webhook: WebhookProcess): Promise<ClientRequest[]> {
  const review = JSON.stringify(reviewOf(podWithMetrics()));
  return waitFor('all bytes to be taken', async () => {
    const bodies: ClientRequest[] = [];
    for (let free = MAX_BYTES_IN_FLIGHT; free > 0; free -= MAX_BODY_BYTES - 1) {
      bodies.push(await holdBytes(webhook, Math.min(MAX_BODY_BYTES - 1, free)));
    }
    if ((await post(webhook, review)).status === 503) return bodies;
    // The review came before the last of them, and one of them was refused instead.
    for (const body of bodies) body.destroy();
    return undefined;
  });
}

/** A request that lacks its last byte, once the others have left this process. */
async function holdBytes({ port, ca }: WebhookProcess, bytes: number): Promise<ClientRequest> {
  const headers = { 'content-type': 'application/json', 'content-length': bytes + 1 };
  const options = { host: '127.0.0.1', port, ca, method: 'POST', path: '/mutate', agent: false, headers };
  const body = httpsRequest(options);
  body.on('error', () => {}); // it is destroyed in the end
  await new Promise((resolve) => {
    body.write(Buffer.alloc(bytes, ' '), resolve);
  });
  return body;
}

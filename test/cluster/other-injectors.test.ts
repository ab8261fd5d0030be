import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import type { AuditEvent } from '../harness/control-plane/audit.ts';
import { startControlPlane } from '../harness/control-plane/control-plane.ts';
import type { ControlPlane } from '../harness/control-plane/control-plane.ts';
import { startStandInInjector } from '../harness/programs/stand-in-injector.ts';
import type { Operation, StandInInjector } from '../harness/programs/stand-in-injector.ts';
import { registerAsTheChart, registerOther, takesEffect } from '../harness/programs/webhook-configuration.ts';
import { startWebhookProcess } from '../harness/programs/webhook-process.ts';
import type { WebhookProcess } from '../harness/programs/webhook-process.ts';

// The API server calls webhooks in the order of their configurations' names, and calls ours again when a later one has
// changed the pod. In either order, the pod must end up the same.

const SCRAPE = 'prometheus.io/scrape';
const PORT = 'prometheus.io/port';
const PATH = 'prometheus.io/path';
const MARKER = 'autoscrape.io/injected';

const sidecar = {
  name: 'proxy',
  image: 'registry.example/proxy:1',
  ports: [{ name: 'http-metrics', containerPort: 9999 }],
};

/** What other injectors do to a pod that has annotations or not. */
const injectors = {
  'adds-a-sidecar': (): Operation[] => [{ op: 'add', path: '/spec/containers/-', value: sidecar }],
  'points-at-itself': (pod) => annotate(pod, { [SCRAPE]: 'true', [PORT]: '15020', [PATH]: '/stats/prometheus' }),
  declines: (pod) => annotate(pod, { [SCRAPE]: 'false' }),
} satisfies Record<string, Parameters<typeof startStandInInjector>[0]>;

const names = ['adds-a-sidecar', 'points-at-itself', 'declines'] as const;
const orders = ['before', 'after'] as const;

suite('other injectors before and after ours', { timeout: 300_000 }, () => {
  let cluster: ControlPlane;
  let webhook: WebhookProcess;
  const others: StandInInjector[] = [];

  before(async () => {
    cluster = await startControlPlane({ audit: 'Metadata' });
    webhook = await startWebhookProcess(cluster.directory);
    for (const name of names) {
      const target = await startStandInInjector(injectors[name]);
      others.push(target);
      for (const order of orders) {
        const labels = { injector: `${name}-${order}` };
        const metadata = { name: `${name}-${order}`, labels: { ...labels, 'autoscrape.io/inject': 'enabled' } };
        await cluster.request('POST', '/api/v1/namespaces', { metadata });
        await registerOther(cluster, `${order === 'before' ? 'aaa' : 'zzz'}-${name}`, {
          name: 'pods.injector.example',
          target,
          namespaceSelector: { matchLabels: labels },
        });
      }
    }
    await cluster.request('POST', '/api/v1/namespaces', {
      metadata: { name: 'alone', labels: { 'autoscrape.io/inject': 'enabled' } },
    });
    await registerAsTheChart(cluster, 'autoscrape', webhook);
    await takesEffect(cluster, 'alone', SCRAPE);
  });
  after(async () => {
    await webhook.daemon().kill();
    for (const other of others) await other.close();
    await cluster.stop();
  });

  for (const order of orders) {
    test(`a sidecar's metrics port is found, though it is added ${order} our turn`, async () => {
      const { annotations, calls } = await create(`adds-a-sidecar-${order}`, { ports: [{ containerPort: 80 }] });
      assert.deepEqual(
        { [SCRAPE]: annotations[SCRAPE], [PORT]: annotations[PORT] },
        { [SCRAPE]: 'true', [PORT]: '9999' },
      );
      assert.equal(
        calls.filter(({ configuration }) => configuration === 'autoscrape').length,
        order === 'after' ? 2 : 1,
      );
    });

    test(`the app's own metrics port wins over that of a sidecar added ${order} our turn`, async () => {
      const { annotations, calls } = await create(`adds-a-sidecar-${order}`);
      assert.equal(annotations[PORT], '9464');
      // The match conditions spare the second call for a pod that has all it needs.
      assert.equal(calls.filter(({ configuration }) => configuration === 'autoscrape').length, 1);
    });

    test(`an injector that comes ${order} us and points Prometheus at itself is not fought`, async () => {
      const { annotations } = await create(`points-at-itself-${order}`);
      const { [MARKER]: marker, ...scraped } = annotations;
      assert.deepEqual(scraped, { [SCRAPE]: 'true', [PORT]: '15020', [PATH]: '/stats/prometheus' });
      assert.equal(marker !== undefined, order === 'after');
    });

    test(`an injector that comes ${order} us and declines is heard`, async () => {
      const { annotations } = await create(`declines-${order}`);
      assert.equal(annotations[SCRAPE], 'false');
    });
  }

  test('without another injector the same pod gets the same annotations', async () => {
    const alone = await create('alone');
    for (const order of orders) {
      assert.deepEqual((await create(`adds-a-sidecar-${order}`)).annotations, alone.annotations);
    }
  });

  /** A created pod's annotations, and the calls of webhooks that the audit log has of its creation. */
  async function create(namespace: string, { ports = [{ name: 'metrics', containerPort: 9464 }] }: Ports = {}) {
    const pod = {
      metadata: { generateName: 'pod-' },
      spec: { containers: [{ name: 'app', image: 'registry.example/app:1', ports }] },
    };
    const { status, headers, body } = await cluster.request('POST', `/api/v1/namespaces/${namespace}/pods`, pod);
    assert.equal(status, 201, body.message);
    const event = (await cluster.auditEvents()).find(({ auditID }) => auditID === headers['audit-id']);
    assert.ok(event);
    return { annotations: body.metadata?.annotations ?? {}, calls: callsIn(event) };
  }
});

interface Ports {
  readonly ports?: readonly object[];
}

interface WebhookCall {
  readonly configuration: string;
  readonly webhook: string;
  readonly mutated: boolean;
}

function callsIn({ annotations = {} }: AuditEvent): WebhookCall[] {
  return Object.entries(annotations)
    .filter(([key]) => key.startsWith('mutation.webhook.admission.k8s.io/'))
    .map(([, text]): WebhookCall => JSON.parse(text));
}

function annotate(pod: object, annotations: Readonly<Record<string, string>>): Operation[] {
  const { metadata } = pod as { metadata?: { annotations?: object } };
  const missing: Operation[] = metadata?.annotations ? [] : [{ op: 'add', path: '/metadata/annotations', value: {} }];
  return [
    ...missing,
    ...Object.entries(annotations).map(([key, value]): Operation => {
      return { op: 'add', path: `/metadata/annotations/${key.replace('/', '~1')}`, value };
    }),
  ];
}

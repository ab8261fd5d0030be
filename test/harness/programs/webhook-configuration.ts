import assert from 'node:assert/strict';
import { isObject } from '../../../src/core/json.ts';
import type { JsonObject } from '../../../src/core/json.ts';
import type { LabelSelector } from '../../../src/core/rules/selector.ts';
import { at, list, one, render } from '../chart/render.ts';
import type { Target } from '../autoscrape/client.ts';
import type { ControlPlane } from '../control-plane/control-plane.ts';
import { waitFor } from '../process/wait-for.ts';

const CONFIGURATIONS = '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations';

/** What is set of the chart's values. */
export interface ChartValues {
  readonly rules?: unknown;
  readonly webhook?: {
    readonly namespaceSelector?: LabelSelector;
    readonly objectSelector?: LabelSelector;
    readonly excludedNamespaces?: readonly string[];
  };
}

/**
 * Registers a webhook as the chart would: its own MutatingWebhookConfiguration, rendered by Helm, with a URL in place of
 * the Service and the webhook's authority in place of the CA injector.
 */
export async function registerAsTheChart(
  cluster: ControlPlane,
  name: string,
  { port, ca }: Target,
  values: ChartValues = {},
): Promise<void> {
  const set = Object.entries(values).flatMap(([key, value]) => ['--set-json', `${key}=${JSON.stringify(value)}`]);
  const rendered = one(await render(set), 'MutatingWebhookConfiguration');
  const webhooks = list(rendered, 'webhooks').map((webhook) => {
    assert.ok(isObject(webhook));
    const path = String(at(webhook, 'clientConfig', 'service', 'path'));
    return { ...webhook, clientConfig: { url: `https://127.0.0.1:${port}${path}`, caBundle: base64(ca) } };
  });
  const labels = at(rendered, 'metadata', 'labels');
  await register(cluster, { name, ...(isObject(labels) && { labels }) }, webhooks);
}

/** Removes what was registered under the name. */
export async function unregister(cluster: ControlPlane, name: string): Promise<void> {
  const { status, body } = await cluster.request('DELETE', `${CONFIGURATIONS}/${name}`);
  assert.equal(status, 200, body.message);
}

/** Another webhook for pods, as an injector registers it. */
export interface OtherWebhook {
  readonly name: string;
  readonly target: Target;
  readonly namespaceSelector: { readonly matchLabels: Readonly<Record<string, string>> };
}

/** Registers a webhook for the creation of pods that has nothing special about it. */
export async function registerOther(
  cluster: ControlPlane,
  name: string,
  { name: webhook, target, namespaceSelector }: OtherWebhook,
): Promise<void> {
  await register(cluster, { name }, [
    {
      name: webhook,
      admissionReviewVersions: ['v1'],
      sideEffects: 'None',
      failurePolicy: 'Fail',
      reinvocationPolicy: 'Never',
      clientConfig: { url: `https://127.0.0.1:${target.port}/mutate`, caBundle: base64(target.ca) },
      rules: [{ operations: ['CREATE'], apiGroups: [''], apiVersions: ['v1'], resources: ['pods'] }],
      namespaceSelector,
    },
  ]);
}

async function register(cluster: ControlPlane, metadata: JsonObject, webhooks: readonly unknown[]): Promise<void> {
  const { status, body } = await cluster.request('POST', CONFIGURATIONS, { metadata, webhooks });
  assert.equal(status, 201, body.message);
}

/** Returns once the API server calls the webhook: a moment after its registration, which it watches like any client. */
export async function takesEffect(cluster: ControlPlane, namespace: string, annotation: string): Promise<void> {
  const pod = {
    metadata: { generateName: 'probe-', labels: { 'autoscrape.io/port': '9464' } },
    spec: { containers: [{ name: 'app', image: 'none' }] },
  };
  await waitFor(`pods of ${namespace} to be annotated`, async () => {
    const { body } = await cluster.request('POST', `/api/v1/namespaces/${namespace}/pods?dryRun=All`, pod);
    return body.metadata?.annotations?.[annotation] !== undefined;
  });
}

function base64(pem: string): string {
  return Buffer.from(pem).toString('base64');
}

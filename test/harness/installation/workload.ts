import type { ApiRequest, KubernetesObject } from '../control-plane/api-client.ts';
import { waitFor } from '../process/wait-for.ts';
import { IMAGE } from './image.ts';

/** Returns an app with a metrics endpoint, whose manifest says nothing of scraping: the sample under another name and port. */
export function workload(namespace: string, name: string, kind: 'Deployment' | 'Pod' = 'Deployment'): unknown {
  const labels = { app: name };
  const spec = {
    automountServiceAccountToken: false,
    containers: [
      {
        name: 'app',
        image: IMAGE,
        args: ['sample', '--port=9464'],
        ports: [
          { name: 'http', containerPort: 8080 },
          { name: 'http-metrics', containerPort: 9464 },
        ],
      },
    ],
  };
  return kind === 'Pod'
    ? { apiVersion: 'v1', kind, metadata: { name, namespace, labels }, spec }
    : {
        apiVersion: 'apps/v1',
        kind,
        metadata: { name, namespace },
        spec: { selector: { matchLabels: labels }, template: { metadata: { labels }, spec } },
      };
}

/** What tells whether a pod is still the same, and what was done to it. */
export interface PodState {
  readonly name: string;
  readonly uid: string;
  readonly restarts: number;
  readonly ready: boolean;
  readonly annotations: Readonly<Record<string, string>>;
}

interface PodObject extends KubernetesObject {
  readonly status?: {
    readonly containerStatuses?: readonly { readonly restartCount: number; readonly ready: boolean }[];
  };
}

/** Returns the pods of a namespace that match a label selector and aren't about to go. */
export async function podsOf(request: ApiRequest, namespace: string, selector: string): Promise<PodState[]> {
  const query = `labelSelector=${encodeURIComponent(selector)}`;
  const { body } = await request<{ items: readonly PodObject[] }>(
    'GET',
    `/api/v1/namespaces/${namespace}/pods?${query}`,
  );
  return body.items
    .filter(({ metadata }) => metadata?.['deletionTimestamp'] === undefined)
    .map(({ metadata, status }) => ({
      name: metadata?.name ?? '',
      uid: metadata?.uid ?? '',
      restarts: (status?.containerStatuses ?? []).reduce((sum, { restartCount }) => sum + restartCount, 0),
      ready: status?.containerStatuses?.every(({ ready }) => ready) ?? false,
      annotations: metadata?.annotations ?? {},
    }))
    .toSorted((one, other) => one.name.localeCompare(other.name));
}

/** Returns the one pod that matches a label selector, once its containers are ready. */
export async function readyPod(request: ApiRequest, namespace: string, selector: string): Promise<PodState> {
  return waitFor(
    `one pod ${selector} of ${namespace} to be ready`,
    async () => {
      const pods = await podsOf(request, namespace, selector);
      return pods.length === 1 && pods[0]?.ready === true && pods[0];
    },
    { seconds: 120, everyMs: 500 },
  );
}

/** Applies objects as they are. */
export async function apply(
  cluster: { kubectl: (args: readonly string[], stdin: string) => Promise<string> },
  ...objects: readonly unknown[]
): Promise<void> {
  const list = { apiVersion: 'v1', kind: 'List', items: objects };
  await cluster.kubectl(['apply', '--server-side', '--filename=-'], JSON.stringify(list));
}

/** A namespace, opted in or with other labels. */
export function namespace(
  name: string,
  labels: Readonly<Record<string, string>> = { 'autoscrape.io/inject': 'enabled' },
): unknown {
  return {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name, labels: { ...labels, 'autoscrape.io/test': 'yes' } },
  };
}

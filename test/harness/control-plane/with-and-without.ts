import type { ApiResponse, KubernetesObject } from './api-client.ts';
import type { ControlPlane } from './control-plane.ts';

/** A namespace whose pods go through the webhook, and one whose pods don't. */
export interface Namespaces {
  readonly with: string;
  readonly without: string;
}

/** What the API server made of the same pod in both namespaces. */
export interface WithAndWithout {
  readonly with: ApiResponse<KubernetesObject>;
  readonly without: ApiResponse<KubernetesObject>;
}

/**
 * Creates a pod, the same bytes, in both namespaces. What the webhook may have changed is stored; the other is a dry run,
 * which goes through all of admission, defaulting and validation and only leaves out etcd: half the writes, and the
 * same answer.
 */
export async function createWithAndWithout(
  cluster: ControlPlane,
  pod: object,
  namespaces: Namespaces,
): Promise<WithAndWithout> {
  const bytes = JSON.stringify(pod);
  const [annotated, plain] = await Promise.all([
    cluster.request('POST', `/api/v1/namespaces/${namespaces.with}/pods`, bytes),
    cluster.request('POST', `/api/v1/namespaces/${namespaces.without}/pods?dryRun=All`, bytes),
  ]);
  return { with: annotated, without: plain };
}

/** The annotations of an answered object; none where there are none. */
export function annotationsOf({ body }: ApiResponse<KubernetesObject>): Readonly<Record<string, string>> {
  return body.metadata?.annotations ?? {};
}

/** What of an answer doesn't depend on where and when it was given, nor on annotations: the pod, or why it was refused. */
export function comparable({ status, body }: ApiResponse<KubernetesObject>): object {
  if (body.kind === 'Status') return { status, reason: body['reason'], causes: causesOf(body) };
  // managedFields lists annotations too, with the time.
  const { uid, resourceVersion, creationTimestamp, namespace, managedFields, name, annotations, ...metadata } =
    body.metadata ?? {};
  void [uid, resourceVersion, creationTimestamp, namespace, managedFields, annotations];
  return {
    status,
    ...body,
    // A generated name is another one each time.
    metadata: { ...metadata, ...(metadata['generateName'] === undefined && { name }) },
  };
}

function causesOf(status: KubernetesObject): unknown {
  const { details } = status;
  return typeof details === 'object' && details !== null && 'causes' in details ? details.causes : undefined;
}

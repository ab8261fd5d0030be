import { randomUUID } from 'node:crypto';

/** What a test wants to be different from the review of a Deployment's pod. */
export type Request = Readonly<Record<string, unknown>>;

/** An AdmissionReview of a pod that is being created, as an API server sends it; `changes` replace parts of the request. */
export function reviewOf(object: unknown, changes: Request = {}) {
  const pods = { group: '', version: 'v1', resource: 'pods' };
  const pod = { group: '', version: 'v1', kind: 'Pod' };
  return {
    kind: 'AdmissionReview',
    apiVersion: 'admission.k8s.io/v1',
    request: {
      uid: randomUUID(),
      kind: pod,
      resource: pods,
      requestKind: pod,
      requestResource: pods,
      namespace: 'shop',
      operation: 'CREATE',
      userInfo: { username: 'system:serviceaccount:kube-system:replicaset-controller' },
      object,
      oldObject: null,
      dryRun: false,
      options: { kind: 'CreateOptions', apiVersion: 'meta.k8s.io/v1' },
      ...changes,
    },
  };
}

/** A pod with a port that the shipped rules find, as a ReplicaSet creates it. */
export function podWithMetrics(annotations?: Readonly<Record<string, string>>) {
  return {
    kind: 'Pod',
    apiVersion: 'v1',
    metadata: { generateName: 'web-', labels: { app: 'web' }, ...(annotations !== undefined && { annotations }) },
    spec: {
      containers: [{ name: 'web', image: 'web:1', ports: [{ name: 'metrics', containerPort: 9464, protocol: 'TCP' }] }],
    },
  };
}

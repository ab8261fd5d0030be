import { isObject, member } from '../core/json.ts';
import type { Result } from '../core/result.ts';
import { podsPath } from '../kube/api-paths.ts';
import type { Failure, Kube } from '../kube/client.ts';

/** The image of the pod; it is never pulled. */
export const DRY_RUN_IMAGE = 'registry.k8s.io/pause:3.10';

/** What may have to be different for the webhook to be called, and for other policies to let the pod pass. */
export interface DryRunPodOptions {
  readonly labels: Readonly<Record<string, string>>;
  readonly image: string;
}

/**
 * Returns a pod to create as a dry run. Its autoscrape.io/port label makes every rules file annotate
 * it: it tests the installation, not the rules. The pod satisfies the "restricted" Pod Security Standard and
 * sets resources, as admission policies commonly require. It sets no user id, because OpenShift accepts
 * only those in the namespace's range.
 */
export function dryRunPod({ labels, image }: DryRunPodOptions) {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { generateName: 'autoscrape-verify-', labels: { 'autoscrape.io/port': 'metrics', ...labels } },
    spec: {
      automountServiceAccountToken: false,
      securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
      containers: [
        {
          name: 'main',
          image,
          ports: [{ name: 'metrics', containerPort: 9464 }],
          securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
          resources: { requests: { cpu: '1m', memory: '1Mi' }, limits: { cpu: '10m', memory: '8Mi' } },
        },
      ],
    },
  };
}

/** Returns the pod as the API server would create it, or why it would not. All of admission runs, and nothing is stored. */
export function createAsDryRun(
  kube: Pick<Kube, 'request'>,
  namespace: string,
  pod: unknown,
  timeoutMs: number,
): Promise<Result<unknown, Failure>> {
  return kube.request({
    method: 'POST',
    path: podsPath(namespace),
    query: { dryRun: 'All' },
    body: pod,
    timeoutMs,
  });
}

/** Returns what is wrong with the annotations of the returned pod; or undefined where none is missing and none differs. */
export function findProblem(pod: unknown, expected: Readonly<Record<string, string>>): string | undefined {
  const found = member(member(pod, 'metadata'), 'annotations');
  const annotations = isObject(found) ? found : {};
  const wrong = Object.entries(expected).filter(([key, value]) => annotations[key] !== value);
  if (wrong.length === 0) return undefined;
  if (wrong.length === Object.keys(expected).length && wrong.every(([key]) => annotations[key] === undefined)) {
    return [
      'the pod has no annotations: the API server did not call the webhook, the call failed, or the webhook runs with --observe.',
      'Check that the webhook is ready: kubectl get pods -l app.kubernetes.io/component=webhook -A',
      'Check its configuration: kubectl get mutatingwebhookconfigurations -l app.kubernetes.io/name=autoscrape -o yaml',
      '  - caBundle is set;',
      '  - namespaceSelector selects the namespace (by default its label autoscrape.io/inject: enabled or true);',
      "  - objectSelector and matchConditions select the pod (--labels, or the chart's test.podLabels, adds labels to it).",
    ].join('\n');
  }
  const differences = wrong.map(([key, value]) => {
    const actual = annotations[key];
    return `${key} is ${actual === undefined ? 'missing' : JSON.stringify(actual)}, not ${JSON.stringify(value)}`;
  });
  return `the annotations differ from those of these rules: ${differences.join('; ')}`;
}

import type { Failure } from '../kube/client.ts';

/** What a failed change of a pod concerns: every pod, those of its namespace, or that pod alone. */
export type FailureScope = 'cluster' | 'namespace' | 'pod';

/**
 * The refusal of every authorizer (k8s.io/apiserver, `responsewriters.Forbidden`). Admission's
 * refusals differ.
 */
const RIGHT_IS_MISSING = /is forbidden: User ".*" cannot \w+ resource /s;

/** Overload, or an API server that is away: any other request would fail in the same way. */
const CLUSTER_WIDE: readonly number[] = [0, 429, 502, 503, 504];

/**
 * Returns what a failed change of a pod concerns. A missing right may be granted in other
 * namespaces; a webhook that fails and has `failurePolicy: Fail` is a 500, and it is often
 * configured for some namespaces only; and the chart's policy reads the namespace's label.
 * Everything else (403 and 422 by admission, 400 …) concerns this pod.
 */
export function scopeOf(failure: Failure): FailureScope {
  const { status, message } = failure;
  if (CLUSTER_WIDE.includes(status)) return 'cluster';
  if (isLabelLag(failure)) return 'namespace';
  if (status >= 500 || status === 401 || (status === 403 && RIGHT_IS_MISSING.test(message))) return 'namespace';
  return 'pod';
}

/**
 * Part of the message of the chart's ValidatingAdmissionPolicy
 * (chart/templates/reconciler/guard.yaml) about the namespace's label.
 */
export const NOT_OPTED_IN = 'must not annotate pods of a namespace where autoscrape is not opted in';

/** Part of that policy's messages about changes that something else may have added to ours. */
export const OR_ANOTHER = 'a mutating webhook or policy changed the pod in the same update';

/**
 * Returns whether the chart's policy has not noticed the namespace's label yet, which takes it some
 * seconds.
 */
export function isLabelLag({ message }: Failure): boolean {
  return message.includes(NOT_OPTED_IN);
}

/**
 * Returns whether the chart's policy refused more than the reconciler asked for. It sees the pod
 * after all mutation, so something else has added to the change.
 */
export function isMutatedByOthers({ message }: Failure): boolean {
  return message.includes(OR_ANOTHER);
}

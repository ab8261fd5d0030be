import type { Failure } from '../kube/request.ts';

/** Whom a failed change of a pod concerns: every pod, those of its namespace, or that pod alone. */
export type FailureScope = 'cluster' | 'namespace' | 'pod';

/** What every authorizer's refusal reads like (k8s.io/apiserver, `responsewriters.Forbidden`); admission's reads differently. */
const RIGHT_IS_MISSING = /is forbidden: User ".*" cannot \w+ resource /s;

/** Overload, or an API server that is away: it would answer any other request in the same way. */
const CLUSTER_WIDE: readonly number[] = [0, 429, 502, 503, 504];

/**
 * Returns whom a failed change of a pod concerns. A missing right may be one that was granted in other namespaces; 500 is what a
 * webhook brings about that fails and must not (`failurePolicy: Fail`), which is often meant for some namespaces only; and the
 * chart's policy reads the namespace's label. Everything else (403 and 422 by admission, 400 …) was said of this very pod.
 */
export function scopeOf(failure: Failure): FailureScope {
  const { status, message } = failure;
  if (CLUSTER_WIDE.includes(status)) return 'cluster';
  if (isLabelLag(failure)) return 'namespace';
  if (status >= 500 || status === 401 || (status === 403 && RIGHT_IS_MISSING.test(message))) return 'namespace';
  return 'pod';
}

// What the chart's ValidatingAdmissionPolicy for this reconciler says (chart/templates/reconciler/guard.yaml).
const NOT_OPTED_IN = 'must not annotate pods of a namespace where autoscrape is not opted in';
const OR_ANOTHER = 'a mutating webhook or policy changed the pod in the same update';

/** Returns whether the chart's policy does not know of the namespace's label, which takes it some seconds to notice. */
export function isLabelLag({ message }: Failure): boolean {
  return message.includes(NOT_OPTED_IN);
}

/**
 * Returns whether the chart's policy refused more than the reconciler asks for. It sees the pod after all mutation, so something else
 * has added to the change.
 */
export function isMutatedByOthers({ message }: Failure): boolean {
  return message.includes(OR_ANOTHER);
}

import type { Container, Pod } from '../pod/pod.ts';

/**
 * Why the endpoint of one container comes before those of the others: a stable key, with the end of a
 * sentence that begins with "because".
 */
export const PRECEDENCES = {
  default_container: 'kubectl.kubernetes.io/default-container names its container',
  regular_container: 'the other containers are native sidecars',
  probed: 'the kubelet probes its container, and not all of the others',
  declared_first: 'its container comes first',
  first_port: 'its container declares it first',
  first_rule: 'the rule that finds it comes first',
  stated: 'the pod itself names it',
  scrapable: 'endpoints before it use https, which is not annotated here',
} as const satisfies Record<string, string>;

/** A key of {@link PRECEDENCES}. */
export type Precedence = keyof typeof PRECEDENCES;

/** https://kubernetes.io/docs/reference/labels-annotations-taints/#kubectl-kubernetes-io-default-container */
const DEFAULT_CONTAINER = 'kubectl.kubernetes.io/default-container';

/**
 * Returns which of several containers is the application itself, as far as the pod tells, and why. Sidecars and
 * exporters are usually declared behind the application, and have probes less often. `containers` are in the pod's
 * order, regular ones first.
 */
export function mainContainer(
  containers: readonly [Container, ...Container[]],
  pod: Pod,
): { readonly main: Container; readonly because: Precedence } {
  const name = pod.annotations.get(DEFAULT_CONTAINER);
  const named = name === undefined ? undefined : containers.find((container) => container.name === name);
  if (named !== undefined) return { main: named, because: 'default_container' };
  const regular = containers.filter((container) => pod.containers.includes(container));
  const [only, another] = regular;
  if (only !== undefined && another === undefined) return { main: only, because: 'regular_container' };
  const left = only === undefined ? containers : regular;
  const probed = left.filter((container) => container.isProbed());
  const [first] = probed;
  return first !== undefined && probed.length < left.length
    ? { main: first, because: 'probed' }
    : { main: left[0] ?? containers[0], because: 'declared_first' };
}

import { objectIn, objectsIn, text, textEntries } from '../core/json.ts';
import { ownerOf } from '../core/pod/owner.ts';
import type { LabelSelector } from '../core/rules/selector.ts';

/** A controller with its pods of all versions, or a pod without one. */
export interface Workload {
  /** Such as `Deployment`; `Pod` for one without a controller. */
  readonly kind: string;
  readonly name: string;
  /** The newest first. */
  readonly pods: readonly unknown[];
  /** The object whose selector selects these pods, where it is one that has a lasting selector. */
  readonly controller: Controller | undefined;
}

/** A controller of pods. */
export interface Controller {
  readonly kind: string;
  readonly name: string;
}

/** Returns the workloads of a namespace's pods, by kind and name. */
export function groupPods(pods: readonly unknown[]): readonly Workload[] {
  // Pods of one second stay in the order in which the API server lists them.
  const newestFirst = pods.toSorted((a, b) => compare(createdAt(b), createdAt(a)));
  const groups = Map.groupBy(newestFirst, (pod) => {
    const { kind, name } = identityOf(pod);
    return `${kind}/${name}`;
  });
  return [...groups.values()]
    .map((group) => ({ ...identityOf(group[0]), pods: group }))
    .toSorted((a, b) => compare(`${a.kind}/${a.name}`, `${b.kind}/${b.name}`));
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** RFC 3339 in UTC: the order of the strings is that of the times. */
function createdAt(pod: unknown): string {
  return text(objectIn(pod, 'metadata').creationTimestamp);
}

function identityOf(pod: unknown): Omit<Workload, 'pods'> {
  const owner = ownerOf(pod);
  if (owner === undefined) return { kind: 'Pod', name: text(objectIn(pod, 'metadata').name), controller: undefined };
  const { kind, name, workload } = owner;
  const controller = SELECTING.has(kind) ? { kind, name } : undefined;
  // Only a Deployment and a CronJob add to the names of what they create.
  return { kind: workload === name ? kind : (CREATORS.get(kind) ?? kind), name: workload, controller };
}

const CREATORS: ReadonlyMap<string, string> = new Map([
  ['ReplicaSet', 'Deployment'],
  ['Job', 'CronJob'],
]);

/**
 * Controllers of apps/v1. Their selectors cannot be changed, select all of their pods, and no pods
 * of others: https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#selector
 */
const SELECTING = new Set(['ReplicaSet', 'StatefulSet', 'DaemonSet']);

/** Returns the path of the controller. */
export function controllerPath(namespace: string, { kind, name }: Controller): string {
  return `/apis/apps/v1/namespaces/${encodeURIComponent(namespace)}/${kind.toLowerCase()}s/${encodeURIComponent(name)}`;
}

/**
 * Returns the selector of a controller, without the label that differs between the versions of a
 * Deployment; undefined where nothing is left.
 */
export function lastingSelector(controller: unknown): LabelSelector | undefined {
  const selector = objectIn(objectIn(controller, 'spec'), 'selector');
  const expressions = objectsIn(selector, 'matchExpressions');
  // A selector that cannot be written as it is would select other pods.
  if (expressions.length > 0) return undefined;
  return labelsOf(textEntries(selector.matchLabels));
}

/**
 * Returns a selector of the pod's labels, without those that controllers set for one version or one
 * pod and those that name a version; undefined where none is left.
 */
export function labelsAsSelector(pod: unknown): LabelSelector | undefined {
  return labelsOf(textEntries(objectIn(objectIn(pod, 'metadata'), 'labels')));
}

function labelsOf(labels: readonly (readonly [string, string])[]): LabelSelector | undefined {
  const lasting = labels.filter(([key]) => !CHANGING.has(key) && !OURS.test(key));
  return lasting.length === 0 ? undefined : { matchLabels: Object.fromEntries(lasting) };
}

const OURS = /^autoscrape\.io\//;

/** https://kubernetes.io/docs/reference/labels-annotations-taints/ */
const CHANGING = new Set([
  'pod-template-hash',
  'rollouts-pod-template-hash',
  'pod-template-generation',
  'controller-revision-hash',
  'controller-uid',
  'job-name',
  'batch.kubernetes.io/controller-uid',
  'batch.kubernetes.io/job-name',
  'batch.kubernetes.io/job-completion-index',
  'apps.kubernetes.io/pod-index',
  'statefulset.kubernetes.io/pod-name',
  'app.kubernetes.io/version',
  'helm.sh/chart',
  'version',
]);

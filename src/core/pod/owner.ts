import { objectIn, objectsIn, text } from '../json.ts';

/** The controller of a pod. */
export interface Owner {
  readonly kind: string;
  readonly name: string;
  /**
   * The name without what differs between the versions of one workload: the template's hash of a
   * ReplicaSet, the time of a CronJob's Job. The same as the name where there is no such part.
   */
  readonly workload: string;
}

/** Returns the controller of the pod, or undefined where it has none. */
export function ownerOf(pod: unknown): Owner | undefined {
  const metadata = objectIn(pod, 'metadata');
  const owner = objectsIn(metadata, 'ownerReferences').find(({ controller }) => controller === true);
  if (owner === undefined) return undefined;
  const [kind, name] = [text(owner.kind), text(owner.name)];
  return { kind, name, workload: withoutVersion(kind, name, objectIn(metadata, 'labels')) };
}

function withoutVersion(kind: string, name: string, labels: Readonly<Record<string, unknown>>): string {
  // The second is that of Argo Rollouts: https://argo-rollouts.readthedocs.io/en/stable/FAQ/
  const hash = text(labels['pod-template-hash']) || text(labels['rollouts-pod-template-hash']);
  if (kind === 'ReplicaSet' && hash !== '' && name.endsWith(`-${hash}`)) return name.slice(0, -hash.length - 1);
  // A CronJob appends the time in minutes to the names of its Jobs (getJobName of kubernetes'
  // pkg/controller/cronjob).
  return kind === 'Job' ? name.replace(/-\d{8,}$/, '') : name;
}

import { objectIn, text } from '../core/ask/asked-pod.ts';
import type { Result } from '../core/result.ts';
import { groupPods } from '../learn/workload.ts';

/** The kinds that own pods, by the names that kubectl takes for them. */
const KINDS: ReadonlyMap<string, string> = new Map(
  Object.entries({
    Pod: ['pod', 'pods', 'po'],
    // groupPods calls the owner of a ReplicaSet so, whether it is a Deployment or Argo's Rollout.
    Deployment: ['deployment', 'deployments', 'deploy', 'rollout', 'rollouts', 'ro'],
    StatefulSet: ['statefulset', 'statefulsets', 'sts'],
    DaemonSet: ['daemonset', 'daemonsets', 'ds'],
    ReplicaSet: ['replicaset', 'replicasets', 'rs'],
    Job: ['job', 'jobs'],
    CronJob: ['cronjob', 'cronjobs', 'cj'],
  }).flatMap(([kind, names]) => names.map((name) => [name, kind] as const)),
);

/** Of one workload: each is asked once. */
export const MAX_PODS = 50;

/** What to look at: a pod's name, or a kind and a name. */
export interface DoctorTarget {
  readonly kind: string;
  readonly name: string;
}

/** Returns what `pod/x` or `deploy/x` names, or what is wrong with it. A name alone is a pod's. */
export function readTarget(target: string): Result<DoctorTarget, string> {
  const [, written = 'pod', name = ''] = /^(?:([A-Za-z]+)\/)?([a-z0-9][a-z0-9.-]*)$/.exec(target) ?? [];
  const kind = KINDS.get(written.toLowerCase());
  if (name !== '' && kind !== undefined) return { ok: true, value: { kind, name } };
  const known = 'pod, deploy, rollout, sts, ds, rs, job or cronjob';
  return { ok: false, error: `give a pod or workload as KIND/NAME, such as deploy/shop; KIND is ${known}` };
}

/** Returns the pods of the target among those of its namespace, the newest first. */
export function selectPods({ kind, name }: DoctorTarget, pods: readonly unknown[]): readonly unknown[] {
  if (kind === 'Pod') return pods.filter((pod) => text(objectIn(pod, 'metadata').name) === name);
  if (kind === 'ReplicaSet')
    return pods.filter((pod) => {
      const owners = objectIn(pod, 'metadata')['ownerReferences'];
      return Array.isArray(owners) && owners.some((owner: unknown) => isOwner(owner, kind, name));
    });
  return groupPods(pods).find((workload) => workload.kind === kind && workload.name === name)?.pods ?? [];
}

function isOwner(owner: unknown, kind: string, name: string): boolean {
  const holder = objectIn({ owner }, 'owner');
  return holder['kind'] === kind && holder['name'] === name;
}

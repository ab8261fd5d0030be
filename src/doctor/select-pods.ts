import { objectIn, objectsIn, text } from '../core/json.ts';
import type { Result } from '../core/result.ts';
import { groupPods } from '../learn/workload.ts';
import { kindOf } from '../live/object-names.ts';

/** Argo's Rollout, by the names that kubectl takes for it. */
const ROLLOUT = /^(?:ro|rollouts?)$/i;

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
  // groupPods calls the owner of a ReplicaSet so, whether it is a Deployment or a Rollout.
  const kind = ROLLOUT.test(written) ? 'Deployment' : kindOf(written)?.kind;
  if (name !== '' && kind !== undefined) return { ok: true, value: { kind, name } };
  const known = 'pod, deploy, rollout, sts, ds, rs, job or cronjob';
  return { ok: false, error: `give a pod or workload as KIND/NAME, such as deploy/shop; KIND is ${known}` };
}

/** Returns the pods of the target among those of its namespace, the newest first. */
export function selectPods({ kind, name }: DoctorTarget, pods: readonly unknown[]): readonly unknown[] {
  if (kind === 'Pod') return pods.filter((pod) => text(objectIn(pod, 'metadata').name) === name);
  if (kind === 'ReplicaSet')
    return pods.filter((pod) =>
      objectsIn(objectIn(pod, 'metadata'), 'ownerReferences').some(
        (owner) => owner.kind === kind && owner.name === name,
      ),
    );
  return groupPods(pods).find((workload) => workload.kind === kind && workload.name === name)?.pods ?? [];
}

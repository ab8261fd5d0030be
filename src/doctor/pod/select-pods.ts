import { nameOf } from '../../core/metadata.ts';
import { objectIn, objectsIn } from '../../core/json.ts';
import { ownerOf } from '../../core/pod/owner.ts';
import type { Result } from '../../core/result.ts';
import { groupPods } from '../../learn/workload.ts';
import { kindOf } from '../../live/object-names.ts';

/** Argo's Rollout, by the names that kubectl takes for it. */
const ROLLOUT = /^(?:ro|rollouts?)(?:\.argoproj\.io)?$/i;

/** What to look at: a pod or a workload, or without a name all of the kind. */
export interface DoctorTarget {
  readonly kind: string;
  readonly name: string | undefined;
  /** As it was written. */
  readonly written: string;
}

/**
 * Returns what the words name as kubectl has it: `deploy/shop sts/db`, `deploy shop`, `deploy`. A name alone is a pod's.
 * Returns a sentence where one can't be read.
 */
export function readTargets(words: readonly string[]): Result<readonly DoctorTarget[], string> {
  const [first = '', ...names] = words;
  const kind = first.includes('/') ? undefined : kindNamed(first);
  if (kind !== undefined) {
    const wrong = names.find((name) => !NAME.test(name));
    if (wrong !== undefined) return { ok: false, error: misread(wrong) };
    if (names.length === 0) return { ok: true, value: [{ kind, name: undefined, written: first }] };
    return { ok: true, value: names.map((name) => ({ kind, name, written: `${first}/${name}` })) };
  }
  const targets: DoctorTarget[] = [];
  for (const written of words) {
    const [, kindWord = 'pod', name = ''] = /^(?:([A-Za-z.]+)\/)?([a-z0-9][a-z0-9.-]*)$/.exec(written) ?? [];
    const kind = kindNamed(kindWord);
    if (name === '' || kind === undefined) return { ok: false, error: misread(written) };
    targets.push({ kind, name, written });
  }
  return { ok: true, value: targets };
}

const NAME = /^[a-z0-9][a-z0-9.-]*$/;

function kindNamed(word: string): string | undefined {
  // groupPods calls the owner of a ReplicaSet so, whether it is a Deployment or a Rollout.
  return ROLLOUT.test(word) ? 'Deployment' : kindOf(word)?.kind;
}

function misread(word: string): string {
  const known = 'pod, deploy, rollout, sts, ds, rs, job or cronjob';
  return `${word}: give a pod or workload as KIND/NAME, such as deploy/shop; KIND is ${known}`;
}

/** Returns the pods of the target among those of its namespace, the newest first. */
export function selectPods({ kind, name }: DoctorTarget, pods: readonly unknown[]): readonly unknown[] {
  if (kind === 'Pod') return pods.filter((pod) => name === undefined || nameOf(pod) === name);
  if (kind === 'ReplicaSet' || kind === 'Job')
    return groupPods(pods).flatMap((workload) =>
      workload.pods.filter((pod) =>
        objectsIn(objectIn(pod, 'metadata'), 'ownerReferences').some(
          (owner) => owner.kind === kind && (name === undefined || owner.name === name),
        ),
      ),
    );
  return groupPods(pods)
    .filter((workload) => workload.kind === kind && (name === undefined || workload.name === name))
    .flatMap((workload) => workload.pods);
}

/** Returns the workload of a pod, such as `Deployment orders`; empty for a pod without one. */
export function workloadOf(pod: unknown): string {
  const owner = ownerOf(pod);
  if (owner === undefined) return '';
  if (owner.workload === owner.name) return `${owner.kind} ${owner.name}`;
  return `${owner.kind === 'ReplicaSet' ? 'Deployment' : 'CronJob'} ${owner.workload}`;
}

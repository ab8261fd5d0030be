import { isObject, member } from '../core/json.ts';
import type { ManifestObject, Workload } from './workload.ts';

/** Workloads without those that another of the input makes. */
export interface Owned {
  readonly workloads: readonly Workload[];
  /** Those that another makes, with what that is called. */
  readonly owned: readonly { readonly workload: Workload; readonly owner: string }[];
}

/**
 * Returns the workloads whose controller is not among them. `kubectl get all` lists a Deployment, its ReplicaSets and
 * their Pods, which are one workload.
 */
export function withoutOwned(workloads: readonly Workload[]): Owned {
  const uids = new Map(workloads.map((workload) => [uidOf(workload), workload]));
  const names = new Map(workloads.map((workload) => [nameOf(workload, workload.kind, workload.name), workload]));
  const free: Workload[] = [];
  const owned: { workload: Workload; owner: string }[] = [];
  for (const workload of workloads) {
    const reference = controllerOf(workload);
    const owner =
      reference &&
      (uids.get(text(reference.uid)) ?? names.get(nameOf(workload, text(reference.kind), text(reference.name))));
    // An object that names itself would otherwise vanish.
    if (owner === undefined || owner.object === workload.object) free.push(workload);
    else owned.push({ workload, owner: `${owner.kind} ${owner.name}` });
  }
  return { workloads: free, owned };
}

interface OwnerReference {
  readonly kind?: unknown;
  readonly name?: unknown;
  readonly uid?: unknown;
}

function controllerOf({ object }: ManifestObject): OwnerReference | undefined {
  const references = member(member(object, 'metadata'), 'ownerReferences');
  if (!Array.isArray(references)) return undefined;
  return references.find((reference: unknown) => isObject(reference) && member(reference, 'controller') === true);
}

function uidOf({ object }: ManifestObject): string | symbol {
  // A manifest from a file has no uid, and must not be taken for another one without.
  return text(member(member(object, 'metadata'), 'uid')) || Symbol('no uid');
}

function nameOf({ namespace }: ManifestObject, kind: string, name: string): string {
  return `${namespace}/${kind}/${name}`;
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

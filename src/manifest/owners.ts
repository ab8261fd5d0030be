import { isObject, member, text } from '../core/json.ts';
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
  const references = workloads.map(controllerOf);
  // Only what some workload names is kept: of 20,000 pods, few are owners.
  const wanted = new Set<string>();
  for (const [i, reference] of references.entries()) {
    const workload = workloads[i];
    if (reference === undefined || workload === undefined) continue;
    wanted.add(text(reference.uid));
    wanted.add(nameOf(workload, text(reference.kind), text(reference.name)));
  }
  const owners = new Map<string, Workload>();
  for (const workload of wanted.size === 0 ? [] : workloads) {
    const uid = uidOf(workload);
    const name = nameOf(workload, workload.kind, workload.name);
    if (uid !== '' && wanted.has(uid)) owners.set(uid, workload);
    if (wanted.has(name)) owners.set(name, workload);
  }
  const free: Workload[] = [];
  const owned: { workload: Workload; owner: string }[] = [];
  for (const [i, workload] of workloads.entries()) {
    const reference = references[i];
    const owner =
      reference &&
      (owners.get(text(reference.uid)) ?? owners.get(nameOf(workload, text(reference.kind), text(reference.name))));
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

function uidOf({ object }: ManifestObject): string {
  return text(member(member(object, 'metadata'), 'uid'));
}

function nameOf({ namespace }: ManifestObject, kind: string, name: string): string {
  return `${namespace}/${kind}/${name}`;
}

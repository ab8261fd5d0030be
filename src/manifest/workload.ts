import { ASK_LABEL } from '../core/ask-label.ts';
import { isObject, member, own } from '../core/json.ts';
import type { JsonObject } from '../core/json.ts';
import { OPT_IN_LABEL, readOptIn, unknownValue } from '../core/opt-in.ts';

/** An object of a manifest that creates pods, with the pod that it creates. */
export interface Workload {
  readonly kind: string;
  /** Empty where the manifest does not set it. */
  readonly namespace: string;
  readonly name: string;
  /** The pod as admission would see it, of any type. */
  readonly pod: unknown;
}

/** The workloads of a manifest, and a count of its other objects. */
export interface Workloads {
  readonly workloads: readonly Workload[];
  /** The number of objects of each kind that create no pods; the kind is empty where the object has none. */
  readonly others: ReadonlyMap<string, number>;
  /** Namespaces with a label of ours that means neither yes nor no, with what to write instead. */
  readonly namespaceProblems: readonly { readonly name: string; readonly problem: string }[];
}

/** The path of the pod template in each kind that creates pods. */
const TEMPLATES: ReadonlyMap<string, readonly string[]> = new Map([
  ['Deployment', ['spec', 'template']],
  ['StatefulSet', ['spec', 'template']],
  ['DaemonSet', ['spec', 'template']],
  ['ReplicaSet', ['spec', 'template']],
  ['ReplicationController', ['spec', 'template']],
  ['Job', ['spec', 'template']],
  ['CronJob', ['spec', 'jobTemplate', 'spec', 'template']],
]);

/** Returns the workloads among the values, in order, including those in lists of any depth. */
export function readWorkloads(values: readonly unknown[]): Workloads {
  const workloads: Workload[] = [];
  const others = new Map<string, number>();
  const namespaceProblems: Workloads['namespaceProblems'][number][] = [];
  // A stack instead of recursion, because the input decides how deep lists are nested.
  const waiting: { readonly value: unknown; readonly listKind: string }[] = [];
  const put = (items: readonly unknown[], listKind: string): void => {
    waiting.push(...items.map((value) => ({ value, listKind })).toReversed());
  };
  put(values, '');
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { value, listKind } = next;
    const items = Array.isArray(value) ? value : member(value, 'items');
    // The API server omits the kind of the items of a PodList.
    const kind = isObject(value) ? text(own(value, 'kind')) || listKind : '';
    const template = TEMPLATES.get(kind);
    if (isObject(value) && kind === 'Pod') workloads.push({ ...identity(value, kind), pod: value });
    else if (isObject(value) && template !== undefined)
      workloads.push({ ...identity(value, kind), pod: podOf(value, template) });
    else if (Array.isArray(items)) put(items, kind.replace(/List$/, ''));
    else {
      others.set(kind, (others.get(kind) ?? 0) + 1);
      if (kind === 'Namespace') {
        const name = text(member(member(value, 'metadata'), 'name'));
        namespaceProblems.push(...labelProblems(value).map((problem) => ({ name, problem })));
      }
    }
  }
  return { workloads, others, namespaceProblems };
}

function labelProblems(namespace: unknown): string[] {
  const labels = member(member(namespace, 'metadata'), 'labels');
  return [OPT_IN_LABEL, ASK_LABEL].flatMap((label) => {
    const value = member(labels, label);
    return typeof value === 'string' && readOptIn(value) === 'unknown' ? [unknownValue(label, value)] : [];
  });
}

function identity(object: JsonObject, kind: string): Omit<Workload, 'pod'> {
  const metadata = own(object, 'metadata');
  if (!isObject(metadata)) return { kind, namespace: '', name: '' };
  return {
    kind,
    namespace: text(own(metadata, 'namespace')),
    name: text(own(metadata, 'name')) || text(own(metadata, 'generateName')),
  };
}

/** Returns the pod that a controller creates from the template: it has metadata even where the template has none. */
function podOf(object: JsonObject, path: readonly string[]): unknown {
  let template: unknown = object;
  for (const key of path) template = member(template, key);
  if (!isObject(template)) return undefined;
  return { apiVersion: 'v1', kind: 'Pod', metadata: own(template, 'metadata') ?? {}, spec: own(template, 'spec') };
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

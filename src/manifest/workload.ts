import { isObject, member, own, text } from '../core/json.ts';
import type { JsonObject } from '../core/json.ts';
import { groupOf, isBuiltIn, mayHoldTemplate, podsOfKind } from './kinds.ts';
import type { PodsOfKind } from './kinds.ts';
import type { Document } from './parse.ts';
import { podTemplates } from './pod-templates.ts';

/** An object of a manifest: what it is called, and where it is. */
export interface ManifestObject {
  /** Empty where the manifest does not set it, as are kind, namespace and name. */
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  /** The line on which its document begins. */
  readonly line: number;
  /** The object as it was read. */
  readonly object: unknown;
}

/** An object that creates pods, with the pod that it creates. */
export interface Workload extends ManifestObject {
  /** The path of the pod template in the object, such as `spec.template`; empty for a Pod. */
  readonly template: string;
  /** Whether the object has several pod templates, each of which is a workload. */
  readonly isOneOfSeveral: boolean;
  /** The pod as admission would see it, of any type. */
  readonly pod: unknown;
}

/** An object without a pod template. */
export interface OtherObject extends ManifestObject {
  readonly pods: PodsOfKind;
}

/** The objects of a manifest, in order. */
export interface Workloads {
  readonly workloads: readonly Workload[];
  readonly others: readonly OtherObject[];
}

/** The path of the pod template in each of Kubernetes' own kinds that create pods. */
const TEMPLATES: ReadonlyMap<string, readonly string[]> = new Map([
  ['Deployment', ['spec', 'template']],
  ['StatefulSet', ['spec', 'template']],
  ['DaemonSet', ['spec', 'template']],
  ['ReplicaSet', ['spec', 'template']],
  ['ReplicationController', ['spec', 'template']],
  ['Job', ['spec', 'template']],
  ['CronJob', ['spec', 'jobTemplate', 'spec', 'template']],
]);

/**
 * Returns the objects of the documents, in order, including those in lists of any depth. An object with several pod
 * templates is as many workloads.
 */
export function readWorkloads(documents: readonly Document[]): Workloads {
  const workloads: Workload[] = [];
  const others: OtherObject[] = [];
  // A stack instead of recursion, because the input decides how deep lists are nested.
  const waiting: { readonly value: unknown; readonly line: number; readonly listed: Listed }[] = [];
  const put = (values: readonly unknown[], line: number, listed: Listed): void => {
    for (const value of values.toReversed()) waiting.push({ value, line, listed });
  };
  for (const { value, line } of documents.toReversed())
    waiting.push({ value, line, listed: { apiVersion: '', kind: '' } });
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { value, line, listed } = next;
    const identity = identify(value, line, listed);
    const made = isObject(value) ? podsOf(value, identity) : [];
    const items = Array.isArray(value) ? value : member(value, 'items');
    if (made.length > 0)
      workloads.push(...made.map((pod) => ({ ...identity, ...pod, isOneOfSeveral: made.length > 1 })));
    else if (Array.isArray(items))
      put(items, line, { apiVersion: identity.apiVersion, kind: identity.kind.replace(/List$/, '') });
    else others.push({ ...identity, pods: podsOfKind(identity.apiVersion, identity.kind) });
  }
  return { workloads, others };
}

/** What a list says of its items: the API server omits both in the items of a PodList. */
type Listed = Pick<ManifestObject, 'apiVersion' | 'kind'>;

function identify(value: unknown, line: number, listed: Listed): ManifestObject {
  const metadata = member(value, 'metadata');
  const kind = text(member(value, 'kind'));
  return {
    apiVersion: text(member(value, 'apiVersion')) || (kind === '' ? listed.apiVersion : ''),
    kind: kind || listed.kind,
    namespace: text(member(metadata, 'namespace')),
    name: text(member(metadata, 'name')) || text(member(metadata, 'generateName')),
    line,
    object: value,
  };
}

function podsOf(object: JsonObject, { apiVersion, kind }: ManifestObject): Pick<Workload, 'template' | 'pod'>[] {
  // Other groups have kinds of the same name: Volcano's Job, Knative's Service.
  if (isBuiltIn(groupOf(apiVersion))) {
    if (kind === 'Pod') return [{ template: '', pod: object }];
    const path = TEMPLATES.get(kind);
    if (path !== undefined) return [{ template: path.join('.'), pod: podOf(at(object, path)) }];
  }
  if (!mayHoldTemplate(apiVersion, kind) || Array.isArray(own(object, 'items'))) return [];
  return podTemplates(object).map(({ path, template }) => ({ template: path, pod: podOf(template) }));
}

function at(object: JsonObject, path: readonly string[]): unknown {
  let value: unknown = object;
  for (const key of path) value = member(value, key);
  return value;
}

/** Returns the pod that a controller creates from the template: it has metadata even where the template has none. */
function podOf(template: unknown): unknown {
  if (!isObject(template)) return undefined;
  return { apiVersion: 'v1', kind: 'Pod', metadata: own(template, 'metadata') ?? {}, spec: own(template, 'spec') };
}

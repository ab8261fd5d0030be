import { isObject, own } from '../core/json.ts';

/** The namespace label that opts in; the webhook's namespaceSelector asks for the same. */
export const OPT_IN = 'autoscrape.io/inject=enabled';

/** Namespaces of the cluster's own machinery: never worked on, whatever their labels, as in the webhook's selector. */
export const SYSTEM_NAMESPACES: readonly string[] = ['kube-system', 'kube-public', 'kube-node-lease'];

/** What counts of a namespace. */
export interface Namespace {
  readonly name: string;
  readonly optedIn: boolean;
  /** Istio injects its proxy into the pods here. */
  readonly mesh: boolean;
  readonly terminating: boolean;
}

/** What counts of the object, or undefined where it is not a namespace. */
export function readNamespace(object: unknown): Namespace | undefined {
  const metadata = isObject(object) ? own(object, 'metadata') : undefined;
  if (!isObject(metadata)) return undefined;
  const name = own(metadata, 'name');
  if (typeof name !== 'string') return undefined;
  const found = own(metadata, 'labels');
  const labels = isObject(found) ? found : {};
  return {
    name,
    optedIn: own(labels, 'autoscrape.io/inject') === 'enabled',
    mesh: own(labels, 'istio-injection') === 'enabled' || own(labels, 'istio.io/rev') !== undefined,
    terminating: own(metadata, 'deletionTimestamp') !== undefined,
  };
}

import { isObject, own } from '../core/json.ts';
import { OPT_IN_LABEL, readOptIn } from '../core/opt-in.ts';

/** The selector of namespaces to read: all that have the label, so that a value which means neither yes nor no can be logged. */
export const HAS_OPT_IN_LABEL = OPT_IN_LABEL;

/** Namespaces of the cluster's own machinery: never worked on, whatever their labels, as in the webhook's selector. */
export const SYSTEM_NAMESPACES: readonly string[] = ['kube-system', 'kube-public', 'kube-node-lease'];

/** What counts of a namespace. */
export interface Namespace {
  readonly name: string;
  readonly optedIn: boolean;
  /** The opt-in label's value, where it means neither yes nor no. The namespace is then not opted in. */
  readonly unknownOptIn?: string;
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
  const value = own(labels, OPT_IN_LABEL);
  const optIn = typeof value === 'string' ? readOptIn(value) : 'no';
  return {
    name,
    optedIn: optIn === 'yes',
    ...(typeof value === 'string' && optIn === 'unknown' && { unknownOptIn: value }),
    mesh: own(labels, 'istio-injection') === 'enabled' || own(labels, 'istio.io/rev') !== undefined,
    terminating: own(metadata, 'deletionTimestamp') !== undefined,
  };
}

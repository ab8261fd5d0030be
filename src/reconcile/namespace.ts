import { ASK_LABEL } from '../core/ask-label.ts';
import { isObject, member, own, textEntries } from '../core/json.ts';
import { OPT_IN_LABEL } from '../core/inject-label.ts';
import * as podSelectors from '../core/pod-selectors.ts';
import type { PodSelectors } from '../core/pod-selectors.ts';
import type { Result } from '../core/result.ts';
import type { SelectorText } from '../core/rules/selector-text.ts';
import { namespacePath, NAMESPACES_PATH } from '../kube/api-paths.ts';
import type { Failure, Kube } from '../kube/client.ts';
import { listAll } from '../kube/list-pages.ts';
import { isRetryable, retry } from '../kube/retry.ts';

/** What is read of a namespace. */
export interface Namespace {
  readonly name: string;
  readonly optedIn: boolean;
  /**
   * The opt-in label's value, where it means neither yes nor no. The namespace is then not opted
   * in.
   */
  readonly unknownOptIn?: string;
  /** Istio injects its proxy into the pods here. */
  readonly mesh: boolean;
  /** The value of the label autoscrape.io/ask. */
  readonly askLabel?: string;
  readonly terminating: boolean;
}

/** Which namespaces are opted in. */
export interface OptIn {
  /** The selector of namespaces to list and to watch. */
  readonly query: string;
  /** Returns what is read of the object, or undefined where it is not a namespace. */
  readonly read: (object: unknown) => Namespace | undefined;
}

/**
 * Namespaces whose label says so. All that have the label are read, so that a value which means
 * neither yes nor no can be logged.
 */
export const BY_LABEL: OptIn = { query: OPT_IN_LABEL, read: (object) => readNamespace(object) };

/** Returns the namespaces that the selector selects, whatever the label says: as the webhook's selector does. */
export function bySelector({ text, requirements }: SelectorText): OptIn {
  const selectors = [podSelectors.podSelector({ namespaces: requirements })];
  return { query: text, read: (object) => readNamespace(object, selectors) };
}

/** Returns what is read of the object, opted in by the selectors; undefined where it is not a namespace. */
export function readNamespace(object: unknown, selectors: PodSelectors = podSelectors.BY_LABEL): Namespace | undefined {
  const metadata = member(object, 'metadata');
  if (!isObject(metadata)) return undefined;
  const name = own(metadata, 'name');
  if (typeof name !== 'string') return undefined;
  const labels = own(metadata, 'labels');
  const value = member(labels, OPT_IN_LABEL);
  const askLabel = member(labels, ASK_LABEL);
  const optIn = podSelectors.judgeNamespace(selectors, name, new Map(textEntries(labels)))?.optIn;
  return {
    name,
    optedIn: optIn === 'yes',
    ...(typeof value === 'string' && optIn === 'unknown' && { unknownOptIn: value }),
    mesh: member(labels, 'istio-injection') === 'enabled' || member(labels, 'istio.io/rev') !== undefined,
    ...(typeof askLabel === 'string' && { askLabel }),
    terminating: own(metadata, 'deletionTimestamp') !== undefined,
  };
}

/** One namespace, all of them, or those that may be opted in. */
export type NamespaceSelection = { readonly name: string } | 'all' | 'optIn';

/**
 * Returns the selected namespaces, or why they could not be read. It retries, but not when the API
 * server does not respond at all: perhaps there is none.
 */
export async function findNamespaces(
  kube: Kube,
  selection: NamespaceSelection,
  signal: AbortSignal,
  optIn = BY_LABEL,
): Promise<Result<readonly Namespace[], Failure>> {
  return retry(
    () => readNamespaces(kube, selection, signal, optIn),
    signal,
    (failure) => failure.status !== 0 && isRetryable(failure),
  );
}

async function readNamespaces(
  kube: Kube,
  selection: NamespaceSelection,
  signal: AbortSignal,
  optIn: OptIn,
): Promise<Result<readonly Namespace[], Failure>> {
  if (typeof selection === 'object') {
    const read = await kube.request({ method: 'GET', path: namespacePath(selection.name), signal });
    if (!read.ok) return read;
    const namespace = optIn.read(read.value);
    if (namespace !== undefined) return { ok: true, value: [namespace] };
    return { ok: false, error: { status: 200, message: 'the answer is not a namespace' } };
  }
  const namespaces: Namespace[] = [];
  const source = { path: NAMESPACES_PATH, query: selection === 'all' ? {} : { labelSelector: optIn.query } };
  const onObject = (object: unknown) => {
    const namespace = optIn.read(object);
    if (namespace !== undefined) namespaces.push(namespace);
  };
  const listed = await listAll(kube, source, onObject, signal);
  return listed.ok ? { ok: true, value: namespaces } : listed;
}

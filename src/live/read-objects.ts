import { isObject } from '../core/json.ts';
import type { Result } from '../core/result.ts';
import { collectionPath, namespacePath, NAMESPACES_PATH } from '../kube/api-paths.ts';
import type { Failure, Kube } from '../kube/client.ts';
import { isOutage } from '../kube/client.ts';
import { listAll } from '../kube/list-pages.ts';
import { LIVE_KINDS } from './object-names.ts';
import type { LiveKind } from './object-names.ts';
import type { Selection } from './selection.ts';

/** What was read of the cluster. */
export interface LiveObjects {
  /** The selected objects, each with its apiVersion and kind. */
  readonly selected: readonly unknown[];
  /** Namespaces, Services and monitors, which say something about their pods. */
  readonly related: readonly unknown[];
  /** Sentences on what was selected and couldn't be read. */
  readonly problems: readonly string[];
  /** Sentences on what else couldn't be read, and is therefore not known. */
  readonly notes: readonly string[];
}

type ReadableKind = Pick<LiveKind, 'apiVersion' | 'kind' | 'plural'>;

const SERVICES: ReadableKind = { apiVersion: 'v1', kind: 'Service', plural: 'services' };

const MONITORS: readonly ReadableKind[] = ['ServiceMonitor', 'PodMonitor'].map((kind) => ({
  apiVersion: 'monitoring.coreos.com/v1',
  kind,
  plural: `${kind.toLowerCase()}s`,
}));

/**
 * Returns the selected objects with what the cluster says about their pods, or a sentence where nothing can be read at all:
 * no API server, no valid credentials, no such namespace.
 */
export async function readObjects(
  kube: Kube,
  selection: Selection,
  signal: AbortSignal,
): Promise<Result<LiveObjects, string>> {
  const { namespace } = selection;
  // First and alone: where there is no API server, this is the only request that waits for one.
  const namespaces = await readNamespaces(kube, namespace, signal);
  if (!namespaces.ok && isFatal(namespaces.error)) return { ok: false, error: sentenceOf(namespaces.error) };
  if (!namespaces.ok && namespaces.error.status === 404)
    return { ok: false, error: `there is no namespace ${namespace} in the cluster ${kube.server}` };
  const notes = namespaces.ok
    ? []
    : [`Not known whether namespaces are opted in, or in a mesh: ${namespaces.error.message}`];
  const [selected, services, ...monitors] = await Promise.all([
    readSelected(kube, selection, signal),
    listKind(kube, SERVICES, { namespace, selector: undefined }, signal),
    // A monitor may select pods of other namespaces than its own: mostly it is in Prometheus' own.
    ...MONITORS.map((kind) => listKind(kube, kind, { namespace: undefined, selector: undefined }, signal)),
  ]);
  if (!selected.ok) return selected;
  const related = namespaces.ok ? [...namespaces.value] : [];
  if (services.ok) related.push(...services.value);
  else notes.push(`Services are not looked at: ${services.error.message}`);
  // Not found: the cluster has no such kind.
  for (const [i, listed] of monitors.entries()) {
    if (listed.ok) related.push(...listed.value);
    else if (listed.error.status !== 404)
      notes.push(`${MONITORS[i]?.kind ?? ''}s are not looked at: ${listed.error.message}`);
  }
  return { ok: true, value: { ...selected.value, related, notes } };
}

/** Returns whether no other request will succeed either: no connection, or credentials that are not accepted. */
function isFatal(failure: Failure): boolean {
  return isOutage(failure) || failure.status === 401;
}

function sentenceOf({ status, message }: Failure): string {
  return status === 401
    ? `the API server does not accept your credentials (401 ${message}): log in to the cluster again`
    : message;
}

async function readNamespaces(
  kube: Kube,
  name: string | undefined,
  signal: AbortSignal,
): Promise<Result<readonly unknown[], Failure>> {
  const kind = { apiVersion: 'v1', kind: 'Namespace' };
  if (name !== undefined) {
    const read = await kube.request({ method: 'GET', path: namespacePath(name), signal });
    return read.ok ? { ok: true, value: [typed(read.value, kind)] } : read;
  }
  const items: unknown[] = [];
  const listed = await listAll(kube, { path: NAMESPACES_PATH }, (item) => items.push(typed(item, kind)), signal);
  return listed.ok ? { ok: true, value: items } : listed;
}

async function readSelected(
  kube: Kube,
  { targets, namespace, selector }: Selection,
  signal: AbortSignal,
): Promise<Result<Pick<LiveObjects, 'selected' | 'problems'>, string>> {
  const wanted = targets.length > 0 ? targets : LIVE_KINDS.map((kind) => ({ kind, name: undefined }));
  const answers = await Promise.all(
    wanted.map(async ({ kind, name }) =>
      name === undefined
        ? listKind(kube, kind, { namespace, selector }, signal)
        : readOne(kube, kind, { namespace, name }, signal),
    ),
  );
  const selected: unknown[] = [];
  const problems: string[] = [];
  for (const answer of answers) {
    if (answer.ok) {
      for (const object of answer.value) selected.push(object);
      continue;
    }
    // A selector that can't be parsed is refused once for each kind.
    if (isFatal(answer.error) || answer.error.status === 400) return { ok: false, error: sentenceOf(answer.error) };
    problems.push(answer.error.message);
  }
  return { ok: true, value: { selected, problems } };
}

async function readOne(
  kube: Kube,
  kind: ReadableKind,
  { namespace, name }: { readonly namespace: string | undefined; readonly name: string },
  signal: AbortSignal,
): Promise<Result<readonly unknown[], Failure>> {
  const path = `${collectionPath(kind, namespace)}/${encodeURIComponent(name)}`;
  const read = await kube.request({ method: 'GET', path, signal });
  if (read.ok) return { ok: true, value: [typed(read.value, kind)] };
  if (read.error.status !== 404) return read;
  const message = `there is no ${kind.kind} ${name} in namespace ${namespace ?? ''}`;
  return { ok: false, error: { ...read.error, message } };
}

async function listKind(
  kube: Kube,
  kind: ReadableKind,
  { namespace, selector }: Pick<Selection, 'namespace' | 'selector'>,
  signal: AbortSignal,
): Promise<Result<readonly unknown[], Failure>> {
  const items: unknown[] = [];
  const source = {
    path: collectionPath(kind, namespace),
    ...(selector !== undefined && { query: { labelSelector: selector } }),
  };
  const listed = await listAll(kube, source, (item) => items.push(typed(item, kind)), signal);
  return listed.ok ? { ok: true, value: items } : listed;
}

/** Returns the object with its apiVersion and kind, which the API server leaves out in the items of a list. */
function typed(object: unknown, { apiVersion, kind }: Pick<LiveKind, 'apiVersion' | 'kind'>): unknown {
  return isObject(object) ? { ...object, apiVersion, kind } : object;
}

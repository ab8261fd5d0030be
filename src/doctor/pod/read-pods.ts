import { nameOf } from '../../core/metadata.ts';
import { isObject } from '../../core/json.ts';
import type { Result } from '../../core/result.ts';
import { namespacePath, podPath, podsPath } from '../../kube/api-paths.ts';
import type { Failure, Kube } from '../../kube/client.ts';
import { isOutage } from '../../kube/client.ts';
import { listAll } from '../../kube/list-pages.ts';
import type { Selection } from '../../live/selection.ts';
import { selectPods } from './select-pods.ts';
import type { DoctorTarget } from './select-pods.ts';

/** The selected pods, with sentences on targets that are not there. */
export interface PodsRead {
  readonly pods: readonly unknown[];
  readonly problems: readonly string[];
}

/** Returns the selected pods, or a sentence where none can be read: no API server, no credentials, no right, no namespace. */
export async function readPods(
  kube: Pick<Kube, 'request' | 'server'>,
  selection: Selection<DoctorTarget>,
  signal: AbortSignal,
): Promise<Result<PodsRead, string>> {
  const { targets, namespace, selector } = selection;
  const named = targets.length > 0 && targets.every(({ kind, name }) => kind === 'Pod' && name !== undefined);
  if (named && namespace !== undefined) return readNamed(kube, namespace, targets, signal);
  const pods: unknown[] = [];
  const path = namespace === undefined ? '/api/v1/pods' : podsPath(namespace);
  const source = { path, ...(selector !== undefined && { query: { labelSelector: selector } }) };
  const listed = await listAll(kube, source, (pod) => pods.push(inNamespace(pod, namespace)), signal);
  if (!listed.ok) return { ok: false, error: explain(listed.error, namespace) };
  if (pods.length === 0 && namespace !== undefined && !(await hasNamespace(kube, namespace, signal)))
    return { ok: false, error: `there is no namespace ${namespace} in the cluster ${kube.server}` };
  if (targets.length === 0) return { ok: true, value: { pods, problems: [] } };
  const found = new Set<unknown>();
  const problems: string[] = [];
  for (const target of targets) {
    const selected = selectPods(target, pods);
    for (const pod of selected) found.add(pod);
    const where = namespace === undefined ? 'the cluster' : `namespace ${namespace}`;
    if (selected.length === 0) problems.push(`${where} has no pod of ${target.written}: 0 pods looked at`);
  }
  return { ok: true, value: { pods: [...found], problems } };
}

async function readNamed(
  kube: Pick<Kube, 'request' | 'server'>,
  namespace: string,
  targets: readonly DoctorTarget[],
  signal: AbortSignal,
): Promise<Result<PodsRead, string>> {
  const pods: unknown[] = [];
  const problems: string[] = [];
  // A name that is given twice is one pod.
  for (const name of new Set(targets.map((target) => target.name ?? ''))) {
    const read = await kube.request({ method: 'GET', path: podPath(namespace, name), signal });
    if (read.ok && nameOf(read.value) !== name)
      return {
        ok: false,
        error: `the answer of ${kube.server} is not the pod ${name}: it is no API server, or a login page`,
      };
    if (read.ok) pods.push(inNamespace(read.value, namespace));
    else if (read.error.status === 404) problems.push(`there is no pod ${name} in namespace ${namespace}`);
    else return { ok: false, error: explain(read.error, namespace) };
  }
  return { ok: true, value: { pods, problems } };
}

/** The API server always names it; whatever reads pods relies on it. */
function inNamespace(pod: unknown, namespace: string | undefined): unknown {
  if (namespace === undefined || !isObject(pod)) return pod;
  return { ...pod, metadata: { ...(isObject(pod['metadata']) ? pod['metadata'] : {}), namespace } };
}

/** Returns false where there is certainly no such namespace. */
async function hasNamespace(kube: Pick<Kube, 'request'>, name: string, signal: AbortSignal): Promise<boolean> {
  const read = await kube.request({ method: 'GET', path: namespacePath(name), signal });
  return read.ok || read.error.status !== 404;
}

function explain(failure: Failure, namespace: string | undefined): string {
  const { status, message } = failure;
  if (isOutage(failure)) return message;
  if (status === 401)
    return `the API server does not accept your credentials (401 ${message}): log in to the cluster again`;
  if (status === 403)
    return namespace === undefined
      ? `needs list on pods in all namespaces; -n NAMESPACE looks at one: ${message}`
      : `needs list on pods in namespace ${namespace}: ${message}`;
  return `the pods can't be read: ${message}`;
}

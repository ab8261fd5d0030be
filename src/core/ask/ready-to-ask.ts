import { objectIn, objectsIn, text } from '../json.ts';
import type { JsonObject } from '../json.ts';

/** A server compiles and fills caches in its first seconds: a request must not add to that. */
const AFTER_READY_MS = 30_000;

/** A Job's pod often serves nothing before its work has begun. */
const AFTER_READY_JOB_MS = 60_000;

/**
 * A container that was restarted may crash again, and must not be asked after each crash. The
 * kubelet's longest pause before a restart is five minutes.
 * https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#restart-policy
 */
const AFTER_RESTART_MS = 300_000;

/**
 * Returns from which Unix time on the pod may be asked, in milliseconds; it may lie in the past.
 * Undefined where the pod is not running and ready, is being deleted, or where one of its
 * containers is not running, such as between two crashes. `jitterMs` (0 to 30,000) is added, so
 * that the pods of a rollout are not asked all at once.
 */
export function askableFrom(pod: unknown, jitterMs: number): number | undefined {
  const ready = readReady(pod);
  if (ready === undefined) return undefined;
  const isJob = objectsIn(objectIn(pod, 'metadata'), 'ownerReferences').some(
    ({ kind, controller }) => kind === 'Job' && controller === true,
  );
  const readyFrom = unixMs(ready.condition.lastTransitionTime) + (isJob ? AFTER_READY_JOB_MS : AFTER_READY_MS);
  const restartedFrom = ready.running
    .filter(({ restartCount }) => typeof restartCount === 'number' && restartCount > 0)
    .map((container) => unixMs(objectIn(objectIn(container, 'state'), 'running').startedAt) + AFTER_RESTART_MS);
  const from = Math.max(readyFrom, ...restartedFrom) + jitterMs;
  // Without a readable time nobody knows how long the pod has been ready.
  return Number.isNaN(from) ? undefined : from;
}

/** Returns whether the pod is running and ready with all of its containers, and is not being deleted. */
export function isReady(pod: unknown): boolean {
  return readReady(pod) !== undefined;
}

/** Returns the condition of a pod that is ready, with the statuses of its containers; undefined where it is not. */
function readReady(
  pod: unknown,
): { readonly condition: JsonObject; readonly running: readonly JsonObject[] } | undefined {
  const status = objectIn(pod, 'status');
  if (status.phase !== 'Running' || text(objectIn(pod, 'metadata').deletionTimestamp) !== '') return undefined;
  const condition = objectsIn(status, 'conditions').find(({ type }) => type === 'Ready');
  if (condition?.status !== 'True') return undefined;
  const running = runningContainers(objectIn(pod, 'spec'), status);
  return running && { condition, running };
}

/**
 * Returns the statuses of the containers that run as long as the pod does, or undefined where one
 * of them is not running.
 */
function runningContainers(spec: JsonObject, status: JsonObject): readonly JsonObject[] | undefined {
  const sidecars = objectsIn(spec, 'initContainers').filter(({ restartPolicy }) => restartPolicy === 'Always');
  const statuses = [
    ...statusesOf(objectsIn(spec, 'containers'), objectsIn(status, 'containerStatuses')),
    ...statusesOf(sidecars, objectsIn(status, 'initContainerStatuses')),
  ];
  const running = statuses.filter((each) => each !== undefined).filter((each) => 'running' in objectIn(each, 'state'));
  return running.length === statuses.length ? running : undefined;
}

function statusesOf(containers: readonly JsonObject[], statuses: readonly JsonObject[]): (JsonObject | undefined)[] {
  const byName = new Map(statuses.map((status) => [status.name, status]));
  return containers.map(({ name }) => byName.get(name));
}

/** Returns a time of the API's as Unix time in milliseconds, NaN for anything else. */
function unixMs(time: unknown): number {
  if (!UTC.test(text(time))) return Number.NaN;
  // oxlint-disable-next-line no-restricted-globals -- reads its argument only, neither the clock nor the time zone
  return Date.parse(text(time));
}

const UTC = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;

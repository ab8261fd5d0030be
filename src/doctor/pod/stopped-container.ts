import { nameOf } from '../../core/metadata.ts';
import { objectIn, objectsIn, text } from '../../core/json.ts';
import type { JsonObject } from '../../core/json.ts';
import { finding, quoted } from '../finding.ts';
import type { Finding } from '../finding.ts';

/** In ms: an app that is not ready so soon after its start has probably not opened its port yet. */
const STARTS_MS = 2 * 60_000;

/** Where to look for the container. */
export interface ContainerOf {
  readonly namespace: string;
  /** The port that does not answer; undefined where none is named. */
  readonly port: number | undefined;
  /** Unix time in ms. */
  readonly now: number;
}

/**
 * Returns that the container behind a port does not run, or has just started and is not ready; undefined where neither is
 * so. A pod whose app crashes again and again has the phase Running as well.
 */
export function stoppedContainer(pod: unknown, { namespace, port, now }: ContainerOf): Finding | undefined {
  const spec = objectIn(pod, 'spec');
  const all = [...objectsIn(spec, 'containers'), ...objectsIn(spec, 'initContainers').filter(isSidecar)];
  const declaring = all.filter((container) =>
    objectsIn(container, 'ports').some(({ containerPort }) => containerPort === port),
  );
  const names = (declaring.length > 0 ? declaring : all).map(({ name }) => name);
  const status = objectIn(pod, 'status');
  const states = [...objectsIn(status, 'containerStatuses'), ...objectsIn(status, 'initContainerStatuses')].filter(
    ({ name }) => names.includes(name),
  );
  const stopped = states.find((each) => reasonOf(each) !== undefined);
  if (stopped !== undefined) return notRunning(stopped, nameOf(pod), namespace);
  const starting = states.find((each) => {
    const started = Date.parse(text(objectIn(objectIn(each, 'state'), 'running')['startedAt']));
    return each['ready'] === false && now - started < STARTS_MS;
  });
  if (starting === undefined) return undefined;
  return finding(
    'pod-new',
    'the app has just started',
    `The container ${quoted(text(starting['name']))} started less than two minutes ago, and is not ready yet.`,
    'Run this again in a minute.',
  );
}

function isSidecar({ restartPolicy }: JsonObject): boolean {
  return restartPolicy === 'Always';
}

/** Returns why a container does not run, in Kubernetes' word; undefined where it runs, or nothing is known of it. */
function reasonOf(status: JsonObject): string | undefined {
  const { waiting, terminated } = objectIn(status, 'state');
  const [what, state] = waiting === undefined ? ['Terminated', terminated] : ['Waiting', waiting];
  return state === undefined ? undefined : text(objectIn({ state }, 'state')['reason']) || what;
}

function notRunning(status: JsonObject, pod: string, namespace: string): Finding {
  const name = text(status['name']);
  const restarts = Number(status['restartCount']) || 0;
  const often = restarts === 0 ? '' : `, after ${restarts} restart${restarts === 1 ? '' : 's'}`;
  return finding(
    'container-not-running',
    'its container does not run',
    `The container ${quoted(name)} is not running: ${quoted(reasonOf(status) ?? '')}${often}.`,
    restarts === 0
      ? `kubectl describe pod ${pod} -n ${namespace}`
      : `kubectl logs ${pod} -n ${namespace} -c ${quoted(name)} --previous`,
  );
}

import { readFile } from 'node:fs/promises';
import { runAutoscrape, MAIN } from '../autoscrape/run-autoscrape.ts';
import type { Finished } from '../autoscrape/run-autoscrape.ts';
import type { ControlPlane } from '../control-plane/control-plane.ts';
import { startDaemon } from '../process/daemon.ts';
import type { Daemon } from '../process/daemon.ts';
import { freePort } from '../process/free-port.ts';
import { setTimeout as sleep } from 'node:timers/promises';
import { waitFor } from '../process/wait-for.ts';

/** The user that the reconciler under test is: it has the rights that the chart gives, and no others. */
export const RECONCILER = 'reconciler';

/** A running `autoscrape reconcile`. */
export interface ReconcilerProcess {
  /** What its metrics page says. */
  metrics(): Promise<string>;
  readonly daemon: Daemon;
  /** The value of a metric, with its labels as they are printed; 0 where there is no such line. */
  metric(name: string): Promise<number>;
  isReady(): Promise<boolean>;
  /** The log's lines so far, without what is not JSON. */
  log(): Promise<LogLine[]>;
}

/** As much of a log line as tests look at. */
export interface LogLine {
  readonly msg: string;
  readonly [field: string]: unknown;
}

let started = 0;

/**
 * Starts `autoscrape reconcile` as the reconciler's user or another, from its source or as told, and returns it once it
 * is ready.
 */
export async function startReconciler(
  cluster: ControlPlane,
  args: readonly string[] = [],
  program: readonly string[] = [MAIN],
  user = RECONCILER,
): Promise<ReconcilerProcess> {
  const port = await freePort();
  started += 1;
  const daemon = await startDaemon({
    name: `reconciler-${started}`,
    directory: cluster.directory,
    command: process.execPath,
    args: [
      ...program,
      'reconcile',
      `--kubeconfig=${await cluster.kubeconfigOf(user)}`,
      '--lease-namespace=autoscrape',
      '--host=127.0.0.1',
      `--health-port=${port}`,
      '--patches-per-second=200',
      ...args,
    ],
  });
  const get = (path: string) => fetch(`http://127.0.0.1:${port}${path}`);
  const metrics = async (): Promise<string> => (await get('/metrics')).text();
  const isReady = async () => (await get('/readyz')).status === 200;
  try {
    await waitFor('the reconciler to be ready', async () => daemon.ended() !== undefined || isReady());
    if (daemon.ended() !== undefined) throw new Error(await readFile(daemon.logFile, 'utf8'));
  } catch (error) {
    await daemon.kill();
    throw error;
  }
  return {
    daemon,
    isReady,
    metrics,
    async metric(name) {
      const line = (await metrics()).split('\n').find((candidate) => candidate.startsWith(`${name} `));
      return Number(line?.slice(name.length + 1) ?? 0);
    },
    async log() {
      await sleep(150); // lines are written up to 100 ms late
      const lines = (await readFile(daemon.logFile, 'utf8')).split('\n');
      return lines.filter((line) => line.startsWith('{')).map((line): LogLine => JSON.parse(line));
    },
  };
}

/** Runs a command that ends, as the reconciler's user. */
export async function runAsReconciler(cluster: ControlPlane, ...args: readonly string[]): Promise<Finished> {
  return runAutoscrape([...args, `--kubeconfig=${await cluster.kubeconfigOf(RECONCILER)}`]);
}

/** Gives the reconciler's user what the chart gives its service account. */
export async function grantRights(cluster: ControlPlane): Promise<void> {
  const lease = { apiGroups: ['coordination.k8s.io'], resources: ['leases'] };
  await cluster.request('POST', '/api/v1/namespaces', { metadata: { name: 'autoscrape' } });
  await cluster.request('POST', `${RBAC}/clusterroles`, {
    metadata: { name: RECONCILER },
    rules: clusterRules(POD_VERBS),
  });
  await cluster.request('POST', `${RBAC}/namespaces/autoscrape/roles`, {
    metadata: { name: RECONCILER },
    rules: [
      { ...lease, verbs: ['create'] },
      { ...lease, resourceNames: ['autoscrape-reconciler'], verbs: ['get', 'list', 'watch', 'update'] },
    ],
  });
  await cluster.request('POST', `${RBAC}/namespaces/autoscrape/rolebindings`, {
    metadata: { name: RECONCILER },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: RECONCILER },
    subjects: [{ kind: 'User', name: RECONCILER }],
  });
  await bindClusterRole(cluster);
}

/** What the reconciler may do with pods. */
export const POD_VERBS: readonly string[] = ['get', 'list', 'watch', 'patch'];

function clusterRules(podVerbs: readonly string[]): readonly object[] {
  return [
    { apiGroups: [''], resources: ['namespaces'], verbs: ['get', 'list', 'watch'] },
    { apiGroups: [''], resources: ['pods'], verbs: podVerbs },
  ];
}

/** Leaves the reconciler's user these of its rights on pods, and returns once the API server goes by it. */
export async function allowOnPods(cluster: ControlPlane, verbs: readonly string[]): Promise<void> {
  await cluster.request('PATCH', `${RBAC}/clusterroles/${RECONCILER}`, { rules: clusterRules(verbs) });
  await waitFor('the rights to be those', async () => {
    const allowed = await Promise.all(POD_VERBS.map((verb) => may(cluster, verb)));
    return POD_VERBS.every((verb, index) => allowed[index] === verbs.includes(verb));
  });
}

/** Gives the reconciler's user its cluster role, and returns once the API server goes by it. */
export async function bindClusterRole(cluster: ControlPlane): Promise<void> {
  await cluster.request('POST', `${RBAC}/clusterrolebindings`, {
    metadata: { name: RECONCILER },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: RECONCILER },
    subjects: [{ kind: 'User', name: RECONCILER }],
  });
  await waitFor('the rights to be given', () => may(cluster, 'patch'));
}

/** Takes the cluster role away, and returns once the API server goes by it: its view of the bindings lags. */
export async function unbindClusterRole(cluster: ControlPlane): Promise<void> {
  await cluster.request('DELETE', `${RBAC}/clusterrolebindings/${RECONCILER}`);
  await waitFor('the rights to be taken away', async () => !(await may(cluster, 'patch')));
}

/** Whether the reconciler's user may do this with pods. */
async function may(cluster: ControlPlane, verb: string): Promise<boolean> {
  const review = { user: RECONCILER, resourceAttributes: { verb, resource: 'pods', namespace: 'default' } };
  const path = '/apis/authorization.k8s.io/v1/subjectaccessreviews';
  const { status, body } = await cluster.request<{ status?: { allowed?: boolean } }>('POST', path, { spec: review });
  if (status !== 201) throw new Error(`${path} answered ${status}`);
  return body.status?.allowed === true;
}

const RBAC = '/apis/rbac.authorization.k8s.io/v1';

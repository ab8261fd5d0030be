import { HELMS } from '../../chart/render.ts';
import { installCertManager } from '../cert-manager.ts';
import { waitFor } from '../wait-for.ts';
import { openCluster } from './cluster.ts';
import type { Cluster } from './cluster.ts';
import { createPod } from './creations.ts';
import { helmClient, RELEASE } from './helm.ts';
import type { HelmClient } from './helm.ts';
import { loadImage } from './image.ts';
import { startPrometheus } from './prometheus-pod.ts';
import type { Prometheus } from './prometheus-pod.ts';
import { apply, namespace } from './workload.ts';

/** The opted-in namespace in which pods are created on and on, and nothing else is. */
export const CREATIONS = 'installation-creations';

/** What every step of the installation's test begins with. */
export interface Stage extends Cluster {
  readonly prometheus: Prometheus;
  readonly helm: HelmClient;
}

let opened: Promise<Stage> | undefined;

/** The cluster with cert-manager, Prometheus and the image, opened by whichever step is the first to ask. */
export function stage(): Promise<Stage> {
  opened ??= openStage({ keep: isKept });
  return opened;
}

let isKept = false;

/** Has the node outlive this process, with what is installed on it; a cluster of KUBECONFIG is left as it is, too. */
export function keepStage(): void {
  isKept = true;
}

/** Takes the stage down, if it was ever opened. */
export async function closeStage(): Promise<void> {
  const stage = await opened?.catch(() => undefined);
  if (stage === undefined) return;
  if (!stage.isDisposed && !isKept) await clear(stage);
  await stage.close();
}

/** Opens a stage, in place of what an interrupted run left on it. */
export async function openStage(options: { keep: boolean }): Promise<Stage> {
  const cluster = await openCluster(options);
  try {
    await clear(cluster);
    await loadImage(cluster);
    await provideCertManager(cluster);
    const prometheus = await startPrometheus(cluster);
    await apply(cluster, namespace(CREATIONS));
    const helm = helmClient('helm', cluster.kubeconfig);
    return { ...cluster, helm, prometheus };
  } catch (error) {
    await cluster.close();
    throw error;
  }
}

/** Removes releases, namespaces and all else that a run brings. */
export async function clear(cluster: Cluster): Promise<void> {
  for (const name of HELMS) await helmClient(name, cluster.kubeconfig).uninstall();
  const all = 'namespaces,clusterroles,clusterrolebindings';
  await cluster.kubectl(['delete', all, '--selector=autoscrape.io/test', '--timeout=2m']);
  await cluster.kubectl(['delete', 'namespace', RELEASE, '--ignore-not-found', '--timeout=2m']);
}

/** A cluster that has cert-manager keeps its own. */
async function provideCertManager(cluster: Cluster): Promise<void> {
  const { status } = await cluster.request('GET', '/api/v1/namespaces/cert-manager/pods');
  const pods = await cluster.kubectl(['get', 'pods', '--namespace=cert-manager', '--output=name']);
  if (status !== 200 || pods === '') await installCertManager(cluster);
}

/** Returns once pods of opted-in namespaces are annotated, the release being there already. */
export async function works({ request }: Cluster, seconds = 120): Promise<void> {
  await waitFor('created pods to be annotated', async () => (await createPod(request, CREATIONS)).annotated, {
    seconds,
    everyMs: 500,
  });
}

/** Installs the release with the sample if it isn't there, for steps that are run alone, and returns once it works. */
export async function installed(stage: Stage): Promise<void> {
  const releases = await stage.helm.succeed('list', '--short', '--deployed');
  if (!releases.split('\n').includes(RELEASE)) {
    await stage.helm.uninstall();
    await stage.helm.install('--set=sample.enabled=true');
  }
  await works(stage);
}

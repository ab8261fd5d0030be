import { installCertManager } from '../programs/cert-manager.ts';
import type { Daemon } from '../process/daemon.ts';
import { onInterruption } from '../process/interruption.ts';
import { waitFor } from '../process/wait-for.ts';
import { openCluster } from './cluster.ts';
import type { Cluster } from './cluster.ts';
import { createPod } from './creations.ts';
import { helmClient, RELEASE } from './helm.ts';
import type { HelmClient } from './helm.ts';
import { remover } from './remains.ts';
import { loadImage } from './image.ts';
import { startPrometheus } from './prometheus-pod.ts';
import type { Prometheus } from './prometheus-pod.ts';
import { apply, namespace } from './workload.ts';

/** The opted-in namespace in which pods are created on and on, and nothing else is. */
export const CREATIONS = 'installation-creations';

/** What every step of the installation's test begins with. */
export interface Setup extends Cluster {
  readonly prometheus: Prometheus;
  readonly helm: HelmClient;
}

let opened: Promise<Setup> | undefined;
let isKept = false;

/** Returns the cluster with cert-manager, Prometheus and the image, opened by whichever step is the first to ask. */
export function getSetup(): Promise<Setup> {
  opened ??= openSetup({ keep: isKept });
  return opened;
}

/** Has the cluster outlive this process, with what is installed on it. */
export function keepSetup(): void {
  isKept = true;
}

/** Takes the setup down, if it was ever opened. */
export async function closeSetup(): Promise<void> {
  const setup = await opened?.catch(() => undefined);
  await setup?.close();
}

/** Opens a setup, in place of what an interrupted run left on the cluster; closing it removes what came onto it. */
export async function openSetup({ keep }: { keep: boolean }): Promise<Setup> {
  const cluster = await openCluster({ keep });
  const remove = await remover(cluster.kubeconfig);
  const callOff = cluster.isDisposed || keep ? () => undefined : onInterruption(remove);
  try {
    remove();
    await loadImage(cluster);
    const certManager = await provideCertManager(cluster);
    const prometheus = await startPrometheus(cluster);
    await apply(cluster, namespace(CREATIONS));
    const helm = helmClient('helm', cluster.kubeconfig);
    const close = async (): Promise<void> => {
      if (!cluster.isDisposed && !keep) remove();
      callOff();
      await certManager?.stop();
      await cluster.close();
    };
    return { ...cluster, helm, prometheus, close };
  } catch (error) {
    callOff();
    await cluster.close();
    throw error;
  }
}

/** A cluster that has cert-manager keeps its own. */
async function provideCertManager(cluster: Cluster): Promise<Daemon | undefined> {
  const pods = await cluster.kubectl(['get', 'pods', '--namespace=cert-manager', '--output=name']);
  return pods === '' ? installCertManager(cluster) : undefined;
}

/** Returns once pods of opted-in namespaces are annotated, the release being there already. */
export async function waitUntilAnnotating({ request }: Cluster, seconds = 120): Promise<void> {
  await waitFor('created pods to be annotated', async () => (await createPod(request, CREATIONS)).annotated, {
    seconds,
    everyMs: 500,
  });
}

/** Installs the release with the sample if it isn't there, for steps that are run alone, and returns once it works. */
export async function installed(setup: Setup): Promise<void> {
  const releases = await setup.helm.succeed('list', '--short', '--deployed');
  if (!releases.split('\n').includes(RELEASE)) {
    await setup.helm.uninstall();
    await setup.helm.install('--set=sample.enabled=true');
  }
  await waitUntilAnnotating(setup);
}

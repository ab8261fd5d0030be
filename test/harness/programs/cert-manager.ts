import { readFile } from 'node:fs/promises';
import { certManagerCrds } from '../build/crds.ts';
import { component } from '../build/components.ts';
import type { ControlPlane } from '../control-plane/control-plane.ts';
import { ready, startDaemon } from '../process/daemon.ts';
import type { Daemon } from '../process/daemon.ts';

/**
 * Gives a cluster cert-manager: its CRDs, and a process beside the cluster that runs its own controllers and CA
 * injector. Returns the process; it ends with the test at the latest. cert-manager's webhook isn't there, so its
 * objects are checked by their schemas only, and ACME, Vault and Venafi issuers aren't either.
 */
export async function installCertManager(
  cluster: Pick<ControlPlane, 'directory' | 'kubeconfig' | 'kubectl'>,
): Promise<Daemon> {
  const command = await component('certmanager');
  await cluster.kubectl(['apply', '--server-side', `--filename=${await certManagerCrds()}`]);
  await cluster.kubectl(['wait', '--for=condition=Established', '--timeout=30s', 'crd', '--all']);
  const daemon = await startDaemon({
    name: 'certmanager',
    directory: cluster.directory,
    command,
    args: [`--kubeconfig=${cluster.kubeconfig}`],
  });
  await ready(daemon, async () => (await readFile(daemon.logFile, 'utf8')).includes('the controllers run'));
  return daemon;
}

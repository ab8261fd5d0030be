import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { component } from '../build/components.ts';
import { startDaemon } from '../process/daemon.ts';
import type { Daemon, Place } from '../process/daemon.ts';
import { nodeAddress, systemPath } from './sandbox.ts';
import { sandboxCgroup } from './sandbox-remains.ts';

/** The node's name. */
export const nodeName = 'autoscrape-node';

/** Where manifests of static pods are put, relative to the node's folder. */
export const staticPods = 'static-pods';

/** Starts the kubelet with everything it writes below the folder of `place`. */
export async function startKubelet(place: Place, kubeconfig: string, runtimeSocket: string): Promise<Daemon> {
  const { directory } = place;
  const path = await component('kubelet');
  const at = (name: string): string => join(directory, name);
  await mkdir(at(staticPods), { recursive: true });
  // There is no name server; pods get no address of one.
  await writeFile(at('resolv.conf'), '');
  const configuration = {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    containerRuntimeEndpoint: `unix://${runtimeSocket}`,
    cgroupDriver: 'cgroupfs',
    cgroupRoot: sandboxCgroup,
    failCgroupV1: false,
    failSwapOn: false,
    enforceNodeAllocatable: [],
    // What a developer's machine has left is enough, however little.
    evictionHard: { 'memory.available': '50Mi', 'nodefs.available': '1%', 'imagefs.available': '1%' },
    imageGCHighThresholdPercent: 100,
    // Only the sandbox reaches it, and the API server has no certificate to show for logs and exec.
    authentication: { anonymous: { enabled: true }, webhook: { enabled: false } },
    authorization: { mode: 'AlwaysAllow' },
    staticPodPath: at(staticPods),
    podLogsDir: at('pod-logs'),
    volumePluginDir: at('volume-plugins'),
    resolvConf: at('resolv.conf'),
    maxPods: 250,
    // How soon a changed Secret or ConfigMap reaches the pods that mount it; a minute by default, which tests would wait.
    syncFrequency: '10s',
  };
  await writeFile(at('kubelet.json'), JSON.stringify(configuration, undefined, 2));
  return startDaemon({
    ...place,
    name: 'kubelet',
    command: path,
    args: [
      `--config=${at('kubelet.json')}`,
      `--kubeconfig=${kubeconfig}`,
      `--root-dir=${at('kubelet')}`,
      `--cert-dir=${at('kubelet-certificates')}`,
      `--hostname-override=${nodeName}`,
      `--node-ip=${nodeAddress}`,
    ],
    env: { PATH: systemPath },
  });
}

import { component, prebuild } from '../build/components.ts';
import { startContainerd } from './containerd.ts';
import { runCommand } from '../../../tools/command.ts';
import type { CommandResult } from '../../../tools/command.ts';
import { startControlPlane } from '../control-plane/control-plane.ts';
import type { ControlPlane, ControlPlaneOptions } from '../control-plane/control-plane.ts';
import { ready, startDaemon } from '../process/daemon.ts';
import type { Daemon, Place } from '../process/daemon.ts';
import { installDebianPackages, nodePackages } from '../../../tools/debian.ts';
import { nodeName, startKubelet } from './kubelet.ts';
import { takeLock } from '../../../tools/lock-file.ts';
import { nodeAddress, openSandbox, podNetwork, serviceNetwork, systemPath } from './sandbox.ts';
import { removeSandbox, sandboxDirectory, sandboxLock } from './sandbox-remains.ts';

/** What a node is started with; nothing is needed. */
export interface NodeOptions extends Pick<ControlPlaneOptions, 'audit' | 'apiServerFlags' | 'users'> {
  /** Whether it outlives this process, to be looked at; no other can be started before it is stopped. */
  readonly keep?: boolean;
}

/**
 * A whole cluster of one node, in namespaces of its own. This process reaches the API server, pods and Services at
 * their addresses; they reach it at `hostAddress`, and nothing else. There is no name server.
 */
export interface Node extends ControlPlane {
  readonly name: string;
  /** A command that executes the rest of its arguments in the node's namespaces. */
  readonly enter: readonly string[];
  /** Runs a command in the node's namespaces to its end. */
  run(command: string, args: readonly string[]): Promise<CommandResult>;
  /** Loads the images of a Docker or OCI archive; pods name them with `imagePullPolicy: Never` or `IfNotPresent`. */
  importImage(archive: string): Promise<void>;
}

const kubelet = `system:node:${nodeName}`;
const scheduler = 'system:kube-scheduler';
const proxy = 'system:kube-proxy';

/** Starts a node and returns it once it is ready for pods. */
export async function startNode(options: NodeOptions = {}): Promise<Node> {
  const { keep = false, users, ...rest } = options;
  await installDebianPackages(nodePackages);
  const schedulerPath = await component('kube-scheduler');
  const proxyPath = await component('kube-proxy');
  await prebuild(['etcd', 'kube-apiserver', 'kube-controller-manager', 'kubectl', 'kubelet', 'containerd', 'ctr']);

  const sandbox = await openSandbox(keep);
  const { enter } = sandbox;
  const place: Place = { directory: sandboxDirectory, enter, keep };
  const started: Daemon[] = [];
  const start = async (name: string, path: string, args: readonly string[]): Promise<void> => {
    started.push(await startDaemon({ ...place, name, command: path, args, env: { PATH: systemPath } }));
  };
  const stop = async (): Promise<void> => {
    await Promise.all(started.map((daemon) => daemon.kill()));
    await sandbox.close();
  };
  try {
    const [containerd, controlPlane] = await Promise.all([
      startContainerd(place),
      startControlPlane({
        ...rest,
        controllerManager: true,
        place: { ...place, address: nodeAddress, serviceNetwork },
        users: { ...users, [kubelet]: ['system:nodes'], [scheduler]: [], [proxy]: [] },
      }),
    ]);
    started.push(containerd.daemon);
    const daemon = await startKubelet(place, await controlPlane.kubeconfigOf(kubelet), containerd.socket);
    started.push(daemon);
    await start('kube-scheduler', schedulerPath, [
      `--kubeconfig=${await controlPlane.kubeconfigOf(scheduler)}`,
      '--leader-elect=false',
      '--secure-port=0',
    ]);
    await start('kube-proxy', proxyPath, [
      `--kubeconfig=${await controlPlane.kubeconfigOf(proxy)}`,
      `--hostname-override=${nodeName}`,
      '--proxy-mode=nftables',
      `--cluster-cidr=${podNetwork}`,
      // The machine's own limits are left as they are.
      '--conntrack-max-per-core=0',
      '--conntrack-tcp-timeout-established=0',
      '--conntrack-tcp-timeout-close-wait=0',
    ]);
    await ready(daemon, () => isReady(controlPlane));
    if (keep) sandbox.leave();
    return {
      ...controlPlane,
      name: nodeName,
      enter,
      run: (command, args) => runCommand(enter[0] ?? '', [...enter.slice(1), command, ...args]),
      importImage: (archive) => containerd.importImage(archive),
      stop: async () => {
        await controlPlane.stop();
        await stop();
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Whether the node takes pods: it says so itself, and no taint keeps them off any more. */
async function isReady({ request }: ControlPlane): Promise<boolean> {
  const { body } = await request<{
    spec?: { taints?: unknown[] };
    status?: { conditions?: { type: string; status: string }[] };
  }>('GET', `/api/v1/nodes/${nodeName}`);
  const said = body.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false;
  return said && body.spec?.taints === undefined;
}

if (import.meta.main) {
  try {
    process.stdout.write(await byHand(process.argv[2]));
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  }
}

/** Starts a node to be looked at, or stops it; returns what to tell. */
async function byHand(verb: string | undefined): Promise<string> {
  if (verb === 'start') return `export KUBECONFIG=${(await startNode({ keep: true })).kubeconfig}\n`;
  if (verb !== 'stop') throw new Error('usage: node test/harness/node/node.ts start | stop');
  const release = await takeLock(sandboxLock, 'runs a node');
  removeSandbox();
  release();
  return '';
}

import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { runCommand, command } from '../../../tools/command.ts';
import { component } from '../build/components.ts';
import { ready, startDaemon } from '../process/daemon.ts';
import type { Daemon, Place } from '../process/daemon.ts';
import { podNetwork, systemPath } from './sandbox.ts';
import { scratchImage } from '../build/scratch-image.ts';

/** The container runtime of the node. */
export interface Containerd {
  readonly daemon: Daemon;
  readonly socket: string;
  /** Loads the images of a Docker or OCI archive, under the names they have in there. */
  importImage(archive: string): Promise<void>;
}

/** Starts containerd with everything it writes below the folder of `place`. */
export async function startContainerd(place: Place): Promise<Containerd> {
  const path = await component('containerd');
  const shim = await component('containerd-shim-runc-v2');
  const ctr = await component('ctr');
  const plugins = [await component('cni-ptp'), await component('cni-host-local')];

  const directory = join(place.directory, 'containerd');
  const at = (...names: string[]): string => join(directory, ...names);
  for (const folder of ['cni', 'plugins']) await mkdir(at(folder), { recursive: true });
  for (const plugin of plugins) await symlink(plugin, at('plugins', basename(plugin)));
  await writeFile(at('cni', 'network.conflist'), JSON.stringify(network(at('addresses')), undefined, 2));
  await writeFile(at('config.toml'), configuration(directory));

  const socket = at('containerd.sock');
  const inNamespace = ['--address', socket, '--namespace', 'k8s.io'];
  const daemon = await startDaemon({
    ...place,
    name: 'containerd',
    command: path,
    args: ['--config', at('config.toml')],
    // It looks for its shim, and the shim for runc, in PATH.
    env: { PATH: `${dirname(shim)}:${systemPath}` },
  });
  await ready(daemon, async () => (await runCommand(ctr, [...inNamespace, 'version'])).code === 0);

  const importImage = async (archive: string): Promise<void> => {
    await command(ctr, [...inNamespace, 'images', 'import', archive]);
  };
  const pause = await scratchImage(at('pause.tar'), { name: pauseImage, executable: await component('pause') });
  await importImage(pause);
  return { daemon, socket, importImage };
}

const pauseImage = 'localhost/pause:test';

/** Every pod gets a link of its own and is routed to, so that all traffic passes kube-proxy's rules. */
function network(dataDir: string): unknown {
  const ipam = { type: 'host-local', dataDir, ranges: [[{ subnet: podNetwork }]], routes: [{ dst: '0.0.0.0/0' }] };
  return { cniVersion: '1.0.0', name: 'pods', plugins: [{ type: 'ptp', ipam }] };
}

function configuration(directory: string): string {
  const at = (name: string): string => JSON.stringify(join(directory, name));
  return `
version = 3
root = ${at('root')}
state = ${at('state')}
disabled_plugins = ["io.containerd.nri.v1.nri"]

[grpc]
  address = ${at('containerd.sock')}

[plugins.'io.containerd.internal.v1.opt']
  path = ${at('opt')}

[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = '${pauseImage}'

[plugins.'io.containerd.cri.v1.runtime']
  # Where root can't lower scores, every pod would fail with "can't get final child's PID".
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true

[plugins.'io.containerd.cri.v1.runtime'.cni]
  bin_dirs = [${at('plugins')}]
  conf_dir = ${at('cni')}
  use_internal_loopback = true

[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
  runtime_type = 'io.containerd.runc.v2'
  [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
    BinaryName = 'runc'
    Root = ${at('runc')}
    SystemdCgroup = false
`;
}

import { mkdirSync, writeFileSync } from 'node:fs';
import { command, runCommand } from '../../../tools/command.ts';
import type { CommandResult } from '../../../tools/command.ts';
import { component } from '../build/components.ts';
import { startDaemon } from '../process/daemon.ts';
import type { Daemon } from '../process/daemon.ts';
import { onInterruption } from '../process/interruption.ts';
import { takeLock } from '../../../tools/lock-file.ts';
import { childrenOf, commandLineOf } from '../../../tools/process-id.ts';
import {
  cgroupDirectories,
  hostLink,
  keptFile,
  removeSandbox,
  requireNoneKept,
  sandboxDirectory,
  sandboxHolder,
  sandboxLock,
} from './sandbox-remains.ts';
import { waitFor } from '../process/wait-for.ts';

// A range set aside for measuring network devices: what isn't in use on this machine is nowhere else either.
const range = '198.18.0.0/16';

/** The node's address. */
export const nodeAddress = '198.18.0.2';

/** This machine's address as the node and its pods see it. */
export const hostAddress = '198.18.0.1';

/** What holds the addresses that pods get. */
export const podNetwork = '198.18.1.0/24';

/** What holds the addresses that Services get. */
export const serviceNetwork = '198.18.2.0/24';

/** Where programs lie that only root uses, after those of everyone. */
export const systemPath = `${process.env['PATH']}:/usr/sbin:/sbin`;

/**
 * Network, mount and process namespaces of their own, held by one process: when that is killed, the kernel kills all
 * others in there and takes what they mounted away.
 */
export interface Sandbox {
  /** A command that executes the rest of its arguments in the sandbox; killing it kills them. */
  readonly enter: readonly string[];
  /** Lets it outlive this process. */
  leave(): void;
  /** Kills what runs in the sandbox and removes everything it left. */
  close(): Promise<void>;
}

/**
 * Opens the one sandbox of this machine, in place of what an interrupted run left. When another process runs one, waits
 * for its end; one that was kept is left alone.
 */
export async function openSandbox(keep: boolean): Promise<Sandbox> {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) {
    throw new Error('a node needs Linux and root: run this as root, or give the tests a cluster by KUBECONFIG');
  }
  const pause = await component('pause');
  const release = await takeLock(sandboxLock, 'runs a node');
  try {
    requireNoneKept();
  } catch (error) {
    release();
    throw error;
  }
  const remove = (): void => {
    removeSandbox();
    release();
  };
  const callOff = onInterruption(remove);
  let unshare: Daemon | undefined;
  const close = async (): Promise<void> => {
    remove();
    await unshare?.kill();
    callOff();
  };
  try {
    removeSandbox();
    await requireFreeRange();
    mkdirSync(sandboxDirectory, { mode: 0o700 });
    for (const directory of cgroupDirectories()) mkdirSync(directory);

    const namespaces = ['--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc'];
    unshare = await startDaemon({
      name: 'sandbox',
      directory: sandboxDirectory,
      command: 'unshare',
      args: [...namespaces, pause, sandboxDirectory],
      keep,
    });
    const { pid } = unshare;
    const holder = await waitFor('the sandbox to open', () => {
      const [child] = childrenOf(pid);
      return child !== undefined && commandLineOf(child)[0] === pause && child;
    });
    const enter = enterOf(holder);
    await connect(holder, enter);
    return {
      enter: [...enter, 'setpriv', '--pdeathsig', 'KILL'],
      leave: () => {
        writeFileSync(keptFile, '');
        callOff();
        release();
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Returns the command that executes the rest of its arguments in the namespaces of a process. */
function enterOf(holder: number): readonly string[] {
  return ['nsenter', `--target=${holder}`, '--net', '--mount', '--pid'];
}

/** Runs a command to its end in the sandbox that another process has left to be looked at. */
export async function runInKeptSandbox(program: string, args: readonly string[]): Promise<CommandResult> {
  const holder = sandboxHolder();
  if (holder === undefined) throw new Error('no node is kept on this machine');
  const [nsenter = '', ...options] = enterOf(holder);
  return runCommand(nsenter, [...options, program, ...args]);
}

async function connect(holder: number, enter: readonly string[]): Promise<void> {
  const outside = `
    ip link add ${hostLink} type veth peer name eth0 netns ${holder}
    ip address add ${hostAddress}/24 dev ${hostLink}
    ip link set ${hostLink} up
    ip route add ${podNetwork} via ${nodeAddress} dev ${hostLink}
    ip route add ${serviceNetwork} via ${nodeAddress} dev ${hostLink}
  `;
  // There is no default route: what is addressed to anywhere else has nowhere to go. The Services' route leads to
  // kube-proxy's rules, which apply before a packet would leave. Folders of the machine that the components write to
  // whatever their flags are hidden behind empty ones.
  const inside = `
    ip link set lo up
    ip address add ${nodeAddress}/24 dev eth0
    ip link set eth0 up
    ip route add ${serviceNetwork} via ${hostAddress} dev eth0
    echo 1 > /proc/sys/net/ipv4/ip_forward
    mount -t tmpfs tmpfs /run
    mount -t tmpfs tmpfs /var/log
  `;
  await command('sh', ['-euc', outside]);
  await command(enter[0] ?? '', [...enter.slice(1), 'sh', '-euc', inside]);
}

/** Throws when this machine routes the node's addresses somewhere else, which must not be cut off. */
async function requireFreeRange(): Promise<void> {
  const routes = await Promise.all(
    ['match', 'root'].map(async (how): Promise<{ dst: string }[]> => {
      return JSON.parse(await command('ip', ['-json', 'route', 'show', 'to', how, range]));
    }),
  );
  const taken = routes.flat().find(({ dst }) => dst !== 'default');
  if (taken !== undefined) throw new Error(`this machine has a route to ${taken.dst}; the node needs ${range} free`);
}

import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, rmSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { hasCode } from '../../../tools/error-code.ts';
import { childrenOf, commandLineOf, hasEnded, killNow } from '../../../tools/process-id.ts';
import { readIfThere } from '../../../tools/read-if-there.ts';

/** Where everything of the node lies: fixed, so that a run finds what an interrupted one left. */
export const sandboxDirectory = '/var/lib/autoscrape-node';

/** Held by the test process that the sandbox belongs to. */
export const sandboxLock = '/var/lib/autoscrape-node.lock';

/** Says, by being there, that the sandbox was left by a process that had been told to keep it. */
export const keptFile = join(sandboxDirectory, 'kept');

/** The control group that the node's pods are in. */
export const sandboxCgroup = '/autoscrape-node';

/** This machine's end of the link to the node. */
export const hostLink = 'autoscrape0';

/** Throws when there is a sandbox that someone has kept: whether they still need it, they know. */
export function requireNoneKept(): void {
  if (!existsSync(keptFile) || holders().length === 0) return;
  const stop = 'node test/harness/node/node.ts stop';
  throw new Error(`a node is kept on this machine, and there can be one only: end it by "${stop}"`);
}

/** Removes the sandbox, or what an interrupted run left of it; synchronous, so that it can be done at an exit. */
export function removeSandbox(): void {
  // Their mounts and all other processes in there go with them.
  const pids = holders();
  for (const pid of pids) killNow(pid);
  retry('its processes to end', () => pids.every(hasEnded));
  spawnSync('ip', ['link', 'delete', hostLink], { stdio: 'ignore' });
  retry('its control groups to be empty', () => cgroupDirectories().every(removeCgroup));
  rmSync(sandboxDirectory, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
}

/** Returns the folder of the node's control group in each hierarchy that this machine has. */
export function cgroupDirectories(): string[] {
  const root = '/sys/fs/cgroup';
  const isUnified = existsSync(join(root, 'cgroup.controllers'));
  const hierarchies = isUnified ? [root] : readdirSync(root).map((name) => join(root, name));
  return hierarchies.map((hierarchy) => join(hierarchy, sandboxCgroup));
}

/** Returns the process whose namespaces are the sandbox's; undefined where there is none. */
export function sandboxHolder(): number | undefined {
  return holders()[0];
}

/** The processes that hold the sandbox: unshare's child, process 1 of its namespace, and then unshare itself. */
function holders(): number[] {
  const unshare = Number(readIfThere(join(sandboxDirectory, 'sandbox.pid')));
  if (unshare === 0 || !commandLineOf(unshare).includes(sandboxDirectory)) return [];
  return [...childrenOf(unshare), unshare];
}

/** Whether a control group is gone with those below it. */
function removeCgroup(directory: string): boolean {
  try {
    const below = readdirSync(directory, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    if (!below.every((entry) => removeCgroup(join(directory, entry.name)))) return false;
    rmdirSync(directory);
    return true;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return true;
    if (hasCode(error, 'EBUSY') || hasCode(error, 'ENOTEMPTY')) return false;
    throw error;
  }
}

function retry(what: string, attempt: () => boolean): void {
  const end = performance.now() + 10_000;
  while (!attempt()) {
    if (performance.now() > end) throw new Error(`removing the node: gave up after 10 s waiting for ${what}`);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
  }
}

import { join } from 'node:path';
import { command } from './command.ts';

/** Runs buildah with a store of its own below the folder, as root without any daemon; returns what it printed. */
export function buildah(folder: string): (...args: readonly string[]) => Promise<string> {
  const store = ['--root', join(folder, 'store'), '--runroot', join(folder, 'run'), '--storage-driver', 'vfs'];
  return (...args) => command('buildah', [...store, ...args]);
}

import { linkSync, rmSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { hasCode } from './error-code.ts';
import { isRunning, startTimeOf } from './process-id.ts';
import { readIfThere } from './read-if-there.ts';

/**
 * Waits until no other running process holds the lock at `path`, prints on stderr what it waits for, and takes the lock.
 * Returns a function that releases it. The lock of a process that ended without releasing it is taken over; two that do so at
 * the same instant may both believe to have it.
 */
export async function takeLock(path: string, what: string): Promise<() => void> {
  // The file is written under another name and linked to the lock's, so that the lock always has its holder's identity.
  const own = `${path}.${process.pid}.${Math.random()}`;
  writeFileSync(own, identityOf(process.pid));
  let told = '';
  try {
    while (!linked(own, path)) {
      const holder = readIfThere(path);
      const pid = Number(holder.split(' ')[0]);
      if (holder !== '' && !(isRunning(pid) && identityOf(pid) === holder)) {
        rmSync(path, { force: true });
        continue;
      }
      if (holder !== '' && holder !== told && pid !== process.pid) {
        process.stderr.write(`waiting for process ${pid}, which ${what} (it holds ${path}) …\n`);
      }
      told = holder;
      await sleep(200);
    }
  } finally {
    rmSync(own, { force: true });
  }
  return () => rmSync(path, { force: true });
}

/** Returns a process' id and, where the system knows it, its start time, which distinguishes it from a later process with the same id. */
function identityOf(pid: number): string {
  return `${pid} ${startTimeOf(pid) ?? ''}`;
}

function linked(own: string, path: string): boolean {
  try {
    linkSync(own, path);
    return true;
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false;
    throw error;
  }
}

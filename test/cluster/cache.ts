import { access, link, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { hasCode } from './error-code.ts';
import { isRunning } from './process-id.ts';

/** The folder, outside the checkout, that keeps built executables and images from one test run to the next. */
export function cacheFolder(): string {
  return join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'autoscrape');
}

/**
 * The path of a cached file: `build` writes it to the path it is given when it isn't there yet. The file appears
 * under its own name only when it is complete, and two processes that ask at once build it once.
 */
export async function cachedFile(path: string, build: (temporary: string) => Promise<void>): Promise<string> {
  if (await exists(path)) return path;
  await mkdir(dirname(path), { recursive: true });
  const release = await lock(join(cacheFolder(), 'building.lock'));
  const temporary = `${path}.${process.pid}.partial`;
  try {
    if (!(await exists(path))) {
      await build(temporary);
      await rename(temporary, path);
    }
    return path;
  } finally {
    await rm(temporary, { force: true, recursive: true });
    await release();
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

// One lock for everything: a large Go build uses every core and gigabytes of memory, so two at once gain nothing.
// A lock whose owner is gone is broken; two processes breaking it at the same instant would both build, which wastes
// time but is still right, because every result is renamed into place.
async function lock(path: string): Promise<() => Promise<void>> {
  const own = `${path}.${process.pid}.${Math.random()}`;
  await writeFile(own, String(process.pid));
  let waitingFor = 0;
  try {
    while (!(await linked(own, path))) {
      const owner = Number(await readFile(path, 'utf8').catch(() => ''));
      if (owner === 0) continue;
      if (!isRunning(owner)) {
        await rm(path, { force: true });
        continue;
      }
      if (owner !== waitingFor && owner !== process.pid) {
        process.stderr.write(`waiting for process ${owner}, which is building (it holds ${path}) …\n`);
      }
      waitingFor = owner;
      await sleep(200);
    }
  } finally {
    await rm(own, { force: true });
  }
  return () => rm(path, { force: true });
}

/** Whether `path` could be made another name of `own`, which only one process at a time can do. */
async function linked(own: string, path: string): Promise<boolean> {
  try {
    await link(own, path);
    return true;
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false;
    throw error;
  }
}

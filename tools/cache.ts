import { access, mkdir, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { takeLock } from './lock-file.ts';

/** Returns the folder, outside the checkout, that keeps built executables and images from one test run to the next. */
export function cacheFolder(): string {
  return join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'autoscrape');
}

/**
 * Returns the path of a cached file: `build` writes it to the path it is given when it isn't there yet. The file appears
 * under its own name only when it is complete, and two processes that ask at the same time build it once.
 */
export async function cachedFile(path: string, build: (temporary: string) => Promise<void>): Promise<string> {
  if (await exists(path)) return path;
  await mkdir(dirname(path), { recursive: true });
  // One lock for everything: a large Go build uses every core and gigabytes of memory, so two at once gain nothing.
  const release = await takeLock(join(cacheFolder(), 'building.lock'), 'is building');
  const temporary = `${path}.${process.pid}.partial`;
  try {
    if (!(await exists(path))) {
      await build(temporary);
      await rename(temporary, path);
    }
    return path;
  } finally {
    await rm(temporary, { force: true, recursive: true });
    release();
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

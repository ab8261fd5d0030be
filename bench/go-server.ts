import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cachedFile, cacheFolder } from '../tools/cache.ts';
import { goBuild } from '../tools/go.ts';

/** Returns the path of the executable that bench/go/<name> makes, built on first use and kept outside the checkout. */
export async function goServer(name: 'floor' | 'controller-runtime', minutes: number): Promise<string> {
  const directory = join(import.meta.dirname, 'go', name);
  const hash = createHash('sha256');
  for (const file of ['go.mod', 'main.go']) hash.update(await readFile(join(directory, file)));
  const folder = join(cacheFolder(), `bench-${name}-${hash.digest('hex').slice(0, 12)}`);
  return cachedFile(join(folder, name), (output) =>
    goBuild({
      directory,
      what: `the webhook bench/go/${name}`,
      package: '.',
      ldflags: '-s -w',
      tags: '',
      minutes,
      output,
    }),
  );
}

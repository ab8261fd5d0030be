import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { buildah } from './buildah.ts';
import { cachedFile, cacheFolder } from './cache.ts';
import { command } from './command.ts';
import { imagePackages, installDebianPackages } from './debian.ts';

// What distroless nodejs26 holds besides Node, for machines that reach no container registry.
const PACKAGES = [
  'libc6',
  'libstdc++6',
  'libgcc-s1',
  'libatomic1',
  'base-files',
  'netbase',
  'tzdata',
  'ca-certificates',
];
const RELEASE = 'bookworm';
const USER = '65532';

/**
 * Returns the path of a Docker archive with an image of the shape of distroless nodejs26:nonroot: Node at /nodejs/bin/node, a
 * user of its own, no shell, no package manager. Made of Debian packages and this process's Node, once.
 */
export async function standInBase(name: string): Promise<string> {
  const key = createHash('sha256');
  key.update(JSON.stringify([name, PACKAGES, RELEASE, USER]));
  await pipeline(createReadStream(process.execPath), key, { end: false });
  const path = join(cacheFolder(), `stand-in-base-${key.digest('hex').slice(0, 12)}`, 'image.tar');
  return cachedFile(path, (archive) => build(name, archive));
}

async function build(name: string, archive: string): Promise<void> {
  await installDebianPackages(imagePackages);
  process.stderr.write('building a stand-in for distroless nodejs26 …\n');
  const directory = await mkdtemp(join(tmpdir(), 'autoscrape-base-'));
  try {
    const files = join(directory, 'files.tar');
    await command('mmdebstrap', ['--quiet', '--variant=extract', `--include=${PACKAGES.join(',')}`, RELEASE, files]);
    const store = buildah(directory);
    const container = (await store('from', 'scratch')).trim();
    await store('add', container, files, '/');
    await store('copy', '--chmod=0755', container, process.execPath, '/nodejs/bin/node');
    await store('config', `--user=${USER}`, '--entrypoint=["/nodejs/bin/node"]', container);
    await store('commit', '--quiet', container, name);
    await store('push', '--quiet', name, `docker-archive:${archive}:${name}`);
  } finally {
    await rm(directory, { recursive: true, force: true, maxRetries: 5 });
  }
}

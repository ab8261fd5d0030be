import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import { isObject } from '../src/core/json.ts';
import { VERSION } from '../src/process/version.ts';
import { buildah } from './buildah.ts';
import { command } from './command.ts';
import { imagePackages, installDebianPackages } from './debian.ts';
import { standInBase } from './stand-in-base.ts';

// Builds the image of the Dockerfile, for this machine's platform, where no container registry can be reached. Where one can,
// `docker buildx build .` builds the same from the public bases.

const root = join(import.meta.dirname, '..');
const BASE = 'localhost/autoscrape-base:nonroot';
const BUNDLE = 'localhost/autoscrape-bundle:latest';

/** Returns the image's name as the chart has it by itself: loaded under this name, it is found without a value being set. */
export async function chartImage(): Promise<string> {
  const values: unknown = parse(await readFile(join(root, 'chart', 'values.yaml'), 'utf8'));
  const image = isObject(values) ? values['image'] : undefined;
  const [registry, repository] = ['registry', 'repository'].map((part) => (isObject(image) ? image[part] : ''));
  return `${String(registry)}/${String(repository)}:${VERSION}`;
}

/** Writes a Docker archive with the image, under its name, to the path; needs root, and Debian packages that it installs. */
export async function buildImage(name: string, archive: string): Promise<void> {
  await command(process.execPath, [join(root, 'scripts', 'build.ts')]);
  await installDebianPackages(imagePackages);
  const base = await standInBase(BASE);
  const directory = await mkdtemp(join(tmpdir(), 'autoscrape-image-'));
  try {
    const store = buildah(directory);
    await store('pull', '--quiet', `docker-archive:${base}`);
    const bundle = (await store('from', 'scratch')).trim();
    await store('copy', bundle, join(root, 'dist'), '/src/dist');
    await store('commit', '--quiet', bundle, BUNDLE);
    const bases = ['--build-arg', `RUNTIME_IMAGE=${BASE}`, '--build-arg', `BUNDLE=${BUNDLE}`];
    // chroot: no daemon and no container runtime are needed, and the build runs where containers aren't allowed.
    await store('build', '--quiet', '--isolation', 'chroot', ...bases, '--tag', name, root);
    await rm(archive, { force: true });
    await store('push', '--quiet', name, `docker-archive:${archive}:${name}`);
  } finally {
    await rm(directory, { recursive: true, force: true, maxRetries: 5 });
  }
}

import { createHash } from 'node:crypto';
import { access, glob, mkdir, readFile, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { buildImage, chartImage } from '../../../tools/image.ts';
import { cacheFolder } from '../../../tools/cache.ts';
import type { Cluster } from './cluster.ts';

const root = join(import.meta.dirname, '../../..');

/** The image's name as the chart has it by itself, so that the chart is installed as it is. */
export const IMAGE = await chartImage();

/** Puts the image of this checkout where pods find it. */
export async function loadImage(cluster: Cluster): Promise<void> {
  await cluster.loadImage(await imageArchive());
}

let archived: Promise<string> | undefined;

/** Returns the path of a Docker archive with the image of this checkout; it is built again only when the checkout has changed. */
export function imageArchive(): Promise<string> {
  archived ??= build();
  return archived;
}

async function build(): Promise<string> {
  const archive = join(cacheFolder(), `image-${await sourcesHash()}`, 'image.tar');
  const isThere = await access(archive).then(
    () => true,
    () => false,
  );
  if (isThere) return archive;
  process.stderr.write(`building the image ${IMAGE} …\n`);
  await mkdir(dirname(archive), { recursive: true });
  const partial = `${archive}.${process.pid}.partial`;
  await buildImage(IMAGE, partial);
  await rename(partial, archive);
  return archive;
}

async function sourcesHash(): Promise<string> {
  const files = ['Dockerfile', 'package-lock.json', 'scripts/build.ts', 'tools/image.ts', 'tools/stand-in-base.ts'];
  for await (const file of glob('src/**/*.{ts,yaml}', { cwd: root })) files.push(file);
  const hash = createHash('sha256');
  for (const file of files.toSorted()) hash.update(file).update(await readFile(join(root, file)));
  return hash.digest('hex').slice(0, 12);
}

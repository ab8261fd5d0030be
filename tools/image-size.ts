import { createReadStream } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { isObject } from '../src/core/json.ts';
import { command } from './command.ts';

/** Bytes of an image as a registry would send them, compressed. */
export interface ImageSize {
  readonly total: number;
  /** Node's executable alone. */
  readonly node: number;
}

/** Returns the compressed size of the image in a Docker archive whose Node is the one that runs this. */
export async function imageSize(archive: string): Promise<ImageSize> {
  const directory = await mkdtemp(join(tmpdir(), 'autoscrape-size-'));
  try {
    await command('tar', ['-xf', archive, '-C', directory]);
    const manifest: unknown = JSON.parse(await readFile(join(directory, 'manifest.json'), 'utf8'));
    const image: unknown = Array.isArray(manifest) ? manifest[0] : undefined;
    const layers = isObject(image) ? image['Layers'] : undefined;
    const files = Array.isArray(layers) ? layers.map((layer) => join(directory, String(layer))) : [];
    const sizes = await Promise.all([process.execPath, ...files].map(gzipSize));
    const [node = 0, ...rest] = sizes;
    return { node, total: rest.reduce((sum, size) => sum + size, 0) };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function gzipSize(file: string): Promise<number> {
  let size = 0;
  await pipeline(createReadStream(file), createGzip(), async (compressed: AsyncIterable<Buffer>) => {
    for await (const { length } of compressed) size += length;
  });
  return size;
}

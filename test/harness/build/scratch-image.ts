import { createHash } from 'node:crypto';
import { copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { command } from '../../../tools/command.ts';

/** An image that holds one static executable and nothing else. */
export interface ScratchImage {
  /** Its name with a tag, for example `localhost/probe:test`. */
  readonly name: string;
  readonly executable: string;
  readonly user?: string;
}

/** Writes the image as a Docker archive to `archive`, in which the executable is `/main`, and returns that path. */
export async function scratchImage(archive: string, image: ScratchImage): Promise<string> {
  const directory = `${archive}.parts`;
  await mkdir(directory, { recursive: true });
  try {
    await copyFile(image.executable, join(directory, 'main'));
    const plain = ['--owner=0', '--group=0', '--mtime=@0'];
    await command('tar', ['-C', directory, ...plain, '--mode=0755', '-cf', join(directory, 'layer.tar'), 'main']);
    const layer = createHash('sha256').update(await readFile(join(directory, 'layer.tar')));
    const config = {
      architecture: process.arch === 'x64' ? 'amd64' : process.arch,
      os: 'linux',
      config: { Entrypoint: ['/main'], User: image.user ?? '65532' },
      rootfs: { type: 'layers', diff_ids: [`sha256:${layer.digest('hex')}`] },
    };
    const manifest = [{ Config: 'config.json', RepoTags: [image.name], Layers: ['layer.tar'] }];
    await writeFile(join(directory, 'config.json'), JSON.stringify(config));
    await writeFile(join(directory, 'manifest.json'), JSON.stringify(manifest));
    await command('tar', ['-C', directory, ...plain, '-cf', archive, 'manifest.json', 'config.json', 'layer.tar']);
    return archive;
  } finally {
    await rm(directory, { recursive: true });
  }
}

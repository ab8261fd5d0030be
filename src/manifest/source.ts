import { readFile, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

/** A file of manifests, or why it could not be read. */
export type Source =
  { readonly name: string; readonly text: string } | { readonly name: string; readonly fault: string };

/** What kubectl reads in a folder. */
const MANIFEST_NAME = /\.(?:ya?ml|json)$/;

/**
 * Returns, one after another, the files that `-f` names: a file, a folder's .yaml, .yml and .json files in the order of
 * their names (those in folders below it only when `recursive`), or `-` for standard input.
 */
export async function* readSources(
  names: readonly string[],
  { recursive, stdin }: { readonly recursive: boolean; readonly stdin: NodeJS.ReadableStream },
): AsyncGenerator<Source> {
  for (const name of names) {
    try {
      if (name === '-') yield { name: 'standard input', text: await text(stdin) };
      else if ((await stat(name)).isDirectory()) yield* readFolder(name, recursive);
      else yield { name, text: await readFile(name, 'utf8') };
    } catch (error) {
      yield { name, fault: faultOf(error) };
    }
  }
}

async function* readFolder(folder: string, recursive: boolean): AsyncGenerator<Source> {
  const entries = await readdir(folder, { recursive, withFileTypes: true });
  const files = entries
    .filter((entry) => !entry.isDirectory() && MANIFEST_NAME.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted();
  if (files.length === 0) {
    const below = recursive ? '' : ' (--recursive looks in the folders below it, too)';
    yield { name: folder, fault: `no .yaml, .yml or .json file in this folder${below}` };
  }
  for (const file of files) {
    try {
      yield { name: file, text: await readFile(file, 'utf8') };
    } catch (error) {
      yield { name: file, fault: faultOf(error) };
    }
  }
}

function faultOf(error: unknown): string {
  switch (error instanceof Error && 'code' in error ? error.code : undefined) {
    case 'ENOENT':
      return 'there is no such file or folder';
    case 'EACCES':
      return 'it may not be read by this user';
    case 'EISDIR':
      return 'it is a folder';
    default:
      throw error;
  }
}

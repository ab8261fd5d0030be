import { readFile, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { getSystemErrorMessage } from 'node:util';

/** A file of manifests, or why it could not be read. */
export type Source =
  { readonly name: string; readonly text: string } | { readonly name: string; readonly fault: string };

/** What kubectl reads in a folder. */
const MANIFEST_NAME = /\.(?:ya?ml|json)$/;

/**
 * Returns, one after another, the files that `-f` names: a file, a folder's .yaml, .yml and .json files in the order of
 * their names (those in folders below it only when `recursive`, and never through a link), or `-` for standard input.
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
  const files: string[] = [];
  const folders = [folder];
  // The list grows while it is gone through.
  for (const next of folders) {
    try {
      for (const entry of await readdir(next, { withFileTypes: true })) {
        const path = join(next, entry.name);
        // A link to a folder is none here: it may lead in a circle.
        if (entry.isDirectory()) folders.push(...(recursive ? [path] : []));
        else if (MANIFEST_NAME.test(entry.name)) files.push(path);
      }
    } catch (error) {
      yield { name: next, fault: faultOf(error) };
      if (next === folder) return;
    }
  }
  if (files.length === 0) {
    const below = recursive ? '' : ' (--recursive looks in the folders below it, too)';
    yield { name: folder, fault: `no .yaml, .yml or .json file in this folder${below}` };
  }
  for (const file of files.toSorted()) {
    try {
      yield { name: file, text: await readFile(file, 'utf8') };
    } catch (error) {
      yield { name: file, fault: faultOf(error) };
    }
  }
}

/** Why something can't be read, in words. Throws what no system call has answered: that is a bug. */
function faultOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (!(error instanceof Error) || typeof code !== 'string') throw error;
  if (code === 'ENOENT') return 'there is no such file or folder';
  if (code === 'EACCES') return 'it may not be read by this user';
  if (code === 'EISDIR') return 'it is a folder';
  const known = 'errno' in error && typeof error.errno === 'number' ? getSystemErrorMessage(error.errno) : undefined;
  return `it can't be read: ${known ?? error.message} (${code})`;
}

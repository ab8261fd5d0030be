import { readFile, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { getSystemErrorMessage } from 'node:util';
import type { Result } from '../core/result.ts';

/** A file of manifests: its content, or a sentence on why it cannot be read. */
export interface Source {
  readonly name: string;
  readonly content: Result<string, string>;
}

/** The names that kubectl reads in a folder. */
const MANIFEST_NAME = /\.(?:ya?ml|json)$/;

/**
 * Returns, one after another, the files that `-f` names: a file, a folder's .yaml, .yml and .json files in the order of
 * their names (in the folders below only when `recursive`, and never through a link), or `-` for standard input.
 */
export async function* readSources(
  names: readonly string[],
  { recursive, stdin }: { readonly recursive: boolean; readonly stdin: NodeJS.ReadableStream },
): AsyncGenerator<Source> {
  for (const name of names) {
    try {
      if (name === '-') yield readable('standard input', await text(stdin));
      else if ((await stat(name)).isDirectory()) yield* readFolder(name, recursive);
      else yield readable(name, await readFile(name, 'utf8'));
    } catch (error) {
      yield unreadable(name, whyUnreadable(error));
    }
  }
}

async function* readFolder(folder: string, recursive: boolean): AsyncGenerator<Source> {
  const files: string[] = [];
  const folders = [folder];
  // The list grows during the loop.
  for (const next of folders) {
    try {
      for (const entry of await readdir(next, { withFileTypes: true })) {
        const path = join(next, entry.name);
        // Links to folders are not followed: they may form a loop.
        if (entry.isDirectory()) folders.push(...(recursive ? [path] : []));
        else if (MANIFEST_NAME.test(entry.name)) files.push(path);
      }
    } catch (error) {
      yield unreadable(next, whyUnreadable(error));
      if (next === folder) return;
    }
  }
  if (files.length === 0) {
    const below = recursive ? '' : ' (--recursive also reads the folders below it)';
    yield unreadable(folder, `no .yaml, .yml or .json file in this folder${below}`);
  }
  for (const file of files.toSorted()) {
    try {
      yield readable(file, await readFile(file, 'utf8'));
    } catch (error) {
      yield unreadable(file, whyUnreadable(error));
    }
  }
}

function readable(name: string, value: string): Source {
  return { name, content: { ok: true, value } };
}

function unreadable(name: string, error: string): Source {
  return { name, content: { ok: false, error } };
}

/** Returns a sentence on why a file cannot be read. Throws an error that is not a system call's: that is a bug. */
function whyUnreadable(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (!(error instanceof Error) || typeof code !== 'string') throw error;
  if (code === 'ENOENT') return 'no such file or folder';
  if (code === 'EACCES') return 'permission denied';
  if (code === 'EISDIR') return 'is a folder';
  const known = 'errno' in error && typeof error.errno === 'number' ? getSystemErrorMessage(error.errno) : undefined;
  return `cannot be read: ${known ?? error.message} (${code})`;
}

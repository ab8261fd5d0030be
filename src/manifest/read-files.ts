import { createReadStream } from 'node:fs';
import { glob, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { getSystemErrorMessage } from 'node:util';
import type { Result } from '../core/result.ts';
import { decode } from './decode.ts';
import { manifestsInHelmOutput } from './helm-output.ts';

/** A file of manifests: its content, or a sentence on why it cannot be read. */
export interface Source {
  readonly name: string;
  readonly content: Result<string, string>;
}

/** How sources are read. */
export interface SourceOptions {
  /** Whether the folders inside a folder are read, too. */
  readonly recursive: boolean;
  readonly stdin: AsyncIterable<Buffer | string>;
  /** Called with a sentence on what is in a folder and is no file. */
  readonly onPassedOver: (sentence: string) => void;
}

/** The names that kubectl reads in a folder. */
const MANIFEST_NAME = /\.(?:ya?ml|json)$/;

/** The longest input in bytes. V8's strings have at most 2^29 - 24 characters. */
const MAX_BYTES = 500 * 1024 * 1024;

/**
 * Returns, one after another, the files that `-f` names: a file, a folder's .yaml, .yml and .json files in the order of
 * their names (in the folders below only when `recursive`, and never through a link), or `-` for standard input. As in
 * kubectl, a name may be several, separated by commas, or a pattern (`'k8s/*.yaml'`).
 */
export async function* readSources(names: readonly string[], options: SourceOptions): AsyncGenerator<Source> {
  for (const given of names) {
    for (const name of await expand(given)) {
      try {
        if (name === '-') yield await readText('standard input', options.stdin);
        else if ((await stat(name)).isDirectory()) yield* readFolder(name, options);
        else yield await readText(name, createReadStream(name));
      } catch (error) {
        yield unreadable(name, whyUnreadable(error, name));
      }
    }
  }
}

/** Returns the names that one stands for. A file that has such a name is meant itself. */
async function expand(given: string): Promise<string[]> {
  if (!/[,*?[]/.test(given) || (await exists(given))) return [given];
  const names: string[] = [];
  for (const name of given.split(',').filter((one) => one !== '')) {
    const matches: string[] = [];
    if (/[*?[]/.test(name) && !(await exists(name))) for await (const match of glob(name)) matches.push(match);
    names.push(...(matches.length > 0 ? matches.toSorted() : [name]));
  }
  return names;
}

async function exists(name: string): Promise<boolean> {
  return stat(name).then(
    () => true,
    () => false,
  );
}

async function* readFolder(folder: string, { recursive, onPassedOver }: SourceOptions): AsyncGenerator<Source> {
  const files: string[] = [];
  const folders = [folder];
  // The list grows during the loop.
  for (const next of folders) {
    try {
      const entries = await readdir(next, { withFileTypes: true });
      const rendered = whatRenders(
        next,
        entries.map(({ name }) => name),
      );
      if (rendered !== undefined) {
        yield unreadable(next, rendered);
        if (next === folder) return;
        continue;
      }
      for (const entry of entries) {
        const path = join(next, entry.name);
        // Links to folders are not followed: they may form a loop.
        if (entry.isDirectory()) folders.push(...(recursive ? [path] : []));
        else if (MANIFEST_NAME.test(entry.name)) files.push(path);
      }
    } catch (error) {
      yield unreadable(next, whyUnreadable(error, next));
      if (next === folder) return;
    }
  }
  if (files.length === 0) {
    const below = recursive ? '' : ' (--recursive also reads the folders below it)';
    yield unreadable(folder, `no .yaml, .yml or .json file in this folder${below}`);
  }
  for (const file of files.toSorted()) {
    try {
      // Reading a FIFO waits for its writer, and a device may have no end.
      const found = await stat(file);
      if (found.isFile()) yield await readText(file, createReadStream(file));
      else if (!found.isDirectory()) onPassedOver(`${file}: passed over, because it is no file: name it to read it`);
    } catch (error) {
      yield unreadable(file, whyUnreadable(error, file));
    }
  }
}

/** Returns what to type for a folder whose files are made into manifests first, or undefined. */
function whatRenders(folder: string, names: readonly string[]): string | undefined {
  if (names.includes('Chart.yaml'))
    return `a Helm chart, which must be rendered first: helm template RELEASE ${folder} | autoscrape explain -f -`;
  if (names.some((name) => /^(?:kustomization\.ya?ml|Kustomization)$/.test(name)))
    return `a Kustomize base, which must be built first: kubectl kustomize ${folder} | autoscrape explain -f -`;
  return undefined;
}

async function readText(name: string, stream: AsyncIterable<Buffer | string>): Promise<Source> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream) {
    chunks.push(Buffer.from(chunk));
    bytes += chunk.length;
    if (bytes > MAX_BYTES) return unreadable(name, `longer than ${MAX_BYTES / 1024 / 1024} MiB: give it in parts`);
  }
  const decoded = decode(Buffer.concat(chunks));
  return { name, content: decoded.ok ? manifestsInHelmOutput(decoded.value) : decoded };
}

function unreadable(name: string, error: string): Source {
  return { name, content: { ok: false, error } };
}

/** Returns a sentence on why a file cannot be read. Throws an error that is not a system call's: that is a bug. */
function whyUnreadable(error: unknown, name: string): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (!(error instanceof Error) || typeof code !== 'string') throw error;
  if (code === 'ENOENT') {
    // What kubectl calls an object: `pod/shop-1`.
    return /^[a-z]+(?:\.[a-z.]+)?\/[\w.-]+$/.test(name) && !/\.(?:ya?ml|json)$/.test(name)
      ? `no such file or folder; an object of the cluster stands without -f: autoscrape explain ${name}`
      : 'no such file or folder';
  }
  if (code === 'EACCES') return 'permission denied';
  if (code === 'EISDIR') return 'is a folder';
  const known = 'errno' in error && typeof error.errno === 'number' ? getSystemErrorMessage(error.errno) : undefined;
  return `cannot be read: ${known ?? error.message} (${code})`;
}

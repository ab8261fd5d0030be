import { watch } from 'node:fs';
import { readFile, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { UserError } from './user-error.ts';

/** What came of reading files: a value that can be used, or a sentence that says what is wrong with which file. */
export type Loaded<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problem: string };

/** Files of one folder, the value made from them, and who wants to know when it changes. */
export interface WatchedFiles<T> {
  readonly folder: string;
  readonly names: readonly string[];
  /** Makes the value from the files' contents, in the order of `names`; `previous` is what it would replace. */
  readonly load: (contents: readonly Buffer[], previous: T | undefined) => Loaded<T>;
  /** Called with each new value after the first. */
  readonly onChange: (value: T) => void;
  /** Called at each failed attempt, so every poll while a fault lasts; `isNews` is true once per distinct fault. */
  readonly onFault: (problem: string, isNews: boolean) => void;
  readonly pollMilliseconds?: number;
}

/** A value that follows its files. */
export interface Watched<T> {
  /** The last good value. */
  readonly current: () => T;
  readonly close: () => void;
}

// The kubelet's swap of a mounted volume comes as five events within a few milliseconds.
const SETTLE_MILLISECONDS = 100;

/**
 * The value made from files, kept current: whatever is wrong with a change, the last good value stays in use. Throws
 * a UserError when there is no good value to begin with.
 *
 * The folder is watched rather than the files, because a file's watch follows the inode and so misses the kubelet's
 * `..data` swap; contents are compared rather than times; and a slow poll covers what no event tells (a folder that
 * was replaced, no inotify left, a fault that time mends).
 */
export async function watchFiles<T>(files: WatchedFiles<T>): Promise<Watched<T>> {
  const { folder, names, load, onChange, onFault, pollMilliseconds = 10_000 } = files;
  let { contents, value } = await first(folder, names, load);
  let lastProblem: string | undefined;
  let settling: NodeJS.Timeout | undefined;
  let checking = Promise.resolve();

  async function check(): Promise<void> {
    const read = await readAll(folder, names);
    if (read.ok && same(read.value, contents)) {
      lastProblem = undefined; // a fault that was undone
      return;
    }
    const loaded = read.ok ? load(read.value, value) : read;
    if (loaded.ok && read.ok) {
      ({ value } = loaded);
      contents = read.value;
      lastProblem = undefined;
      onChange(value);
    } else if (!loaded.ok) {
      onFault(loaded.problem, loaded.problem !== lastProblem);
      lastProblem = loaded.problem;
    }
  }

  // One check after the other: two at once could apply an older reading last.
  function checkNext(): void {
    checking = checking.then(check);
  }

  function settle(): void {
    clearTimeout(settling);
    settling = setTimeout(checkNext, SETTLE_MILLISECONDS).unref();
  }

  const watcher = watchFolder(folder, settle);
  const poll = setInterval(checkNext, pollMilliseconds).unref();
  return {
    current: () => value,
    close() {
      watcher?.close();
      clearInterval(poll);
      clearTimeout(settling);
    },
  };
}

async function first<T>(folder: string, names: readonly string[], load: WatchedFiles<T>['load']) {
  const read = await readAll(folder, names);
  if (!read.ok) throw new UserError(read.problem);
  const loaded = load(read.value, undefined);
  if (!loaded.ok) throw new UserError(loaded.problem);
  return { contents: read.value, value: loaded.value };
}

/** How often files are looked for that are gone: the kubelet swaps `..data` once and only then removes the old folder. */
const TRIES = 3;

/**
 * Contents of all files, of one version where the kubelet mounted them: its links all go through `..data`. The version
 * may be removed before all of it is read, and then the next one is there.
 */
async function readAll(folder: string, names: readonly string[], tries = TRIES): Promise<Loaded<readonly Buffer[]>> {
  const version = await realpath(join(folder, '..data')).catch(() => folder);
  const contents: Buffer[] = [];
  for (const name of names) {
    try {
      contents.push(await readFile(join(version, name)));
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
      if (code === 'ENOENT' && tries > 1) return readAll(folder, names, tries - 1);
      return { ok: false, problem: `${join(folder, name)} can't be read (${code})` };
    }
  }
  return { ok: true, value: contents };
}

function same(left: readonly Buffer[], right: readonly Buffer[]): boolean {
  return left.every((content, index) => right[index]?.equals(content) ?? false);
}

/** A watch of the folder; undefined where the system has none to give, which leaves the poll. */
function watchFolder(folder: string, onEvent: () => void) {
  try {
    const watcher = watch(folder, { persistent: false }, onEvent);
    watcher.on('error', () => watcher.close());
    return watcher;
  } catch {
    return undefined;
  }
}

import { watch } from 'node:fs';
import { readFile, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import type { Result } from '../core/result.ts';
import { readErrorMessage } from './file-error.ts';
import { UserError } from './user-error.ts';

/** Files in one folder, how to load a value from them, and what to call when it changes. */
export interface WatchedFiles<T> {
  readonly folder: string;
  readonly names: readonly string[];
  /**
   * Returns the value of the files' contents, in the order of `names`; or an error that names the file.
   * `previous` is the value that it would replace.
   */
  readonly load: (contents: readonly Buffer[], previous: T | undefined) => Result<T, string>;
  /** Called with each new value after the first. */
  onChange(value: T): void;
  /** Called at each failed attempt, so at every poll while an error lasts; `isNew` is true once per distinct error. */
  onError(error: string, isNew: boolean): void;
  readonly pollMs?: number;
}

/** A value that is reloaded when its files change. */
export interface Watched<T> {
  /** Returns the last valid value. */
  readonly current: () => T;
  close(): void;
}

/** Milliseconds to wait after an event: the kubelet's update of a mounted volume causes five within a few milliseconds. */
const SETTLE_MS = 100;

/**
 * Returns the value loaded from files, and reloads it when they change. If a reload fails, the last
 * valid value stays in use. Throws a UserError when the first load fails.
 *
 * It watches the folder, because a watch of a file follows the inode and so misses the kubelet's swap
 * of `..data`. It compares contents, not times. A slow poll covers what causes no event: a folder that
 * was replaced, no inotify watches left, an error that goes away with time.
 */
export async function reloadOnChange<T>(files: WatchedFiles<T>): Promise<Watched<T>> {
  const { folder, names, load, pollMs = 10_000 } = files;
  let { contents, value } = await loadFirst(folder, names, load);
  let lastError: string | undefined;
  let settling: NodeJS.Timeout | undefined;
  let checking = Promise.resolve();

  async function check(): Promise<void> {
    const read = await readAll(folder, names);
    if (read.ok && same(read.value, contents)) {
      lastError = undefined; // a bad change was reverted
      return;
    }
    const loaded = read.ok ? load(read.value, value) : read;
    if (loaded.ok && read.ok) {
      ({ value } = loaded);
      contents = read.value;
      lastError = undefined;
      files.onChange(value);
    } else if (!loaded.ok) {
      files.onError(loaded.error, loaded.error !== lastError);
      lastError = loaded.error;
    }
  }

  // One check after another: two at once could apply the older contents last.
  function checkNext(): void {
    checking = checking.then(check);
  }

  function settle(): void {
    clearTimeout(settling);
    settling = setTimeout(checkNext, SETTLE_MS).unref();
  }

  const watcher = watchFolder(folder, settle);
  const poll = setInterval(checkNext, pollMs).unref();
  return {
    current: () => value,
    close() {
      watcher?.close();
      clearInterval(poll);
      clearTimeout(settling);
    },
  };
}

async function loadFirst<T>(folder: string, names: readonly string[], load: WatchedFiles<T>['load']) {
  const read = await readAll(folder, names);
  if (!read.ok) throw new UserError(read.error);
  const loaded = load(read.value, undefined);
  if (!loaded.ok) throw new UserError(loaded.error);
  return { contents: read.value, value: loaded.value };
}

/** Attempts to read files that are missing: the kubelet swaps `..data` first and then removes the old folder. */
const TRIES = 3;

/**
 * Returns the contents of all files, of the same version where the kubelet mounted them: its links all
 * go through `..data`. If that version is removed while it is read, it reads the next one.
 */
async function readAll(
  folder: string,
  names: readonly string[],
  tries = TRIES,
): Promise<Result<readonly Buffer[], string>> {
  const version = await realpath(join(folder, '..data')).catch(() => folder);
  const contents: Buffer[] = [];
  for (const name of names) {
    try {
      contents.push(await readFile(join(version, name)));
    } catch (error) {
      const isMissing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
      if (isMissing && tries > 1) return readAll(folder, names, tries - 1);
      return { ok: false, error: readErrorMessage(join(folder, name), error) };
    }
  }
  return { ok: true, value: contents };
}

function same(left: readonly Buffer[], right: readonly Buffer[]): boolean {
  return left.every((content, index) => right[index]?.equals(content) ?? false);
}

/** Returns a watch of the folder; or undefined where the kernel has none left, so that only the poll remains. */
function watchFolder(folder: string, onEvent: () => void) {
  try {
    const watcher = watch(folder, { persistent: false }, onEvent);
    watcher.on('error', () => watcher.close());
    return watcher;
  } catch {
    return undefined;
  }
}

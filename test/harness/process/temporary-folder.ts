import { rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onInterruption } from './interruption.ts';

/** A folder for the files of a program beside the test. */
export interface TemporaryFolder {
  readonly directory: string;
  /** Removes it. An interruption does so too. */
  readonly remove: () => void;
}

/** Makes a new folder, which is called autoscrape-NAME-…. */
export async function temporaryFolder(name: string): Promise<TemporaryFolder> {
  const directory = await mkdtemp(join(tmpdir(), `autoscrape-${name}-`));
  // A program that was just killed may still write.
  const removeNow = (): void => rmSync(directory, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
  const callOff = onInterruption(removeNow);
  return {
    directory,
    remove() {
      callOff();
      removeNow();
    },
  };
}

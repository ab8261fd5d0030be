import type { Scope } from '../autoscrape/serving.ts';

/** Runs a script with something to clean up after, and sets the exit code that it returns. */
export async function underScope(script: (scope: Scope) => Promise<number>): Promise<void> {
  const cleanups: (() => unknown)[] = [];
  try {
    process.exitCode = await script({ after: (cleanup) => void cleanups.unshift(cleanup) });
  } finally {
    for (const cleanup of cleanups) await cleanup();
  }
}

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { globSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

// `npm test`: the files of test/unit, or those that are named. Node's test runner starts a process for each file, and each
// loads the same modules again: half a second of CPU, 140 times. So files share one process, except those that begin with the
// line below, for instance because they start processes or wait. Node's runner runs all of them, and writes one report.

const OWN_PROCESS = /^\/\/ A process of its own: \S/;

const USAGE = `usage: npm test -- [FILE | FOLDER | 'PATTERN']… [--FLAG=VALUE]…
  --FLAG   what node --test takes, such as --test-name-pattern='a port'`;

const SHARED_PROCESS = join(import.meta.dirname, 'shared-process.ts');
const COMPILE_CACHE = join(import.meta.dirname, '../compile-cache.ts');

/** Returns the test files that a file, a folder or a pattern means. */
function filesOf(name: string): string[] {
  const isFolder = statSync(name, { throwIfNoEntry: false })?.isDirectory() === true;
  return globSync(isFolder ? `${name}/**/*.test.ts` : name);
}

/** Runs the tests and returns the exit code: Node's own, 2 for wrong usage, 1 where a signal ended it. */
async function main(args: readonly string[]): Promise<number> {
  const flags = args.filter((arg) => arg.startsWith('-'));
  const names = args.filter((arg) => !arg.startsWith('-'));
  const unknown = names.filter((name) => filesOf(name).length === 0);
  if (unknown.length > 0) {
    process.stderr.write(`no such test file: ${unknown.join(', ')}\n${USAGE}\n`);
    return 2;
  }
  const files = [...new Set((names.length === 0 ? ['test/unit'] : names).flatMap(filesOf))].toSorted();
  const own = files.filter((file) => OWN_PROCESS.test(readFileSync(file, 'utf8')));
  const shared = files.filter((file) => !own.includes(file));
  const child = spawn(
    process.execPath,
    [
      `--import=${COMPILE_CACHE}`,
      '--test',
      // One process works all the time, and the others wait a lot.
      '--test-concurrency=3',
      ...flags,
      // A file whose tests are all left out does not run its hooks either, and what it opened when it was loaded would stay open.
      ...(flags.some((flag) => /^--test-(name|skip)-pattern/.test(flag)) ? ['--test-force-exit'] : []),
      // First, because it takes longest.
      ...(shared.length > 0 ? [SHARED_PROCESS] : []),
      ...own,
    ],
    { stdio: 'inherit', env: { ...process.env, SHARED_TEST_FILES: JSON.stringify(shared) } },
  );
  // Ctrl-C reaches the child by itself: it then says which test was running.
  process.on('SIGINT', () => undefined);
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  await once(child, 'close');
  return child.exitCode ?? 1;
}

process.exitCode = await main(process.argv.slice(2));

import { after, before, suite } from 'node:test';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';

// The process that most files of test/unit share: each file is a suite here. A file that would end the process, or leave
// something open in it, fails, and the others run all the same.

const files: readonly string[] = JSON.parse(process.env['SHARED_TEST_FILES'] ?? '[]');
delete process.env['SHARED_TEST_FILES'];

const ADVICE = 'or begin the file with "// A process of its own: WHY"';

/** What one may wait for a server to close its last connections, on a machine that does much else. */
const CLOSING_MS = 5_000;

let isAnythingLeftOpen = false;

const exit = process.exit.bind(process);
process.exit = (code) => {
  throw new Error(
    `process.exit(${code ?? ''}) would end the tests of all other files: test it in a process, ${ADVICE}`,
  );
};

after(() => {
  // With --test-force-exit the runner calls it.
  process.exit = exit;
  // What is left open has been reported, and must not keep the process running. The runner reports the last suites until then.
  if (isAnythingLeftOpen) setTimeout(() => exit(process.exitCode ?? 1), 1_000);
});

/** Returns what keeps the process running, such as TCPServerWrap or Timeout, without what did so before. */
function leftOpen(known: readonly string[]): string[] {
  const open = process.getActiveResourcesInfo();
  for (const kind of known) {
    const index = open.indexOf(kind);
    if (index !== -1) open.splice(index, 1);
  }
  return open;
}

for (const file of files) {
  suite(file, async () => {
    let openBefore: string[] = [];
    before(() => (openBefore = process.getActiveResourcesInfo()));
    await import(pathToFileURL(resolve(file)).href);
    // Hooks run in the order in which they are registered: those of the file have closed what they close.
    after(async () => {
      const end = performance.now() + CLOSING_MS;
      while (leftOpen(openBefore).length > 0 && performance.now() < end) await sleep(10);
      const left = leftOpen(openBefore);
      if (left.length === 0) return;
      isAnythingLeftOpen = true;
      throw new Error(`${file} leaves ${left.join(', ')} open: close it, ${ADVICE}`);
    });
  });
}

// A process of its own: it starts processes, and waits for them.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { heapFlag, NODE_FLAGS } from '../../../tools/node-flags.ts';
import { temporaryFolder } from '../../harness/autoscrape/serving.ts';

const MAIN = new URL('../../../src/main.ts', import.meta.url).pathname;

/** Runs a process with the image's flags and a heap for that limit in MiB. */
function run(limit: number | undefined, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  return spawnSync(process.execPath, [...NODE_FLAGS, ...args], {
    env: { NODE_OPTIONS: heapFlag(limit), ...env },
    encoding: 'utf8',
  });
}

test('the heap is 48 MiB without a memory limit and at the webhook’s, and follows larger limits', () => {
  assert.deepEqual(
    [undefined, 64, 192, 256, 512, 1024, 4096].map((limit) => heapFlag(limit)),
    [48, 48, 48, 112, 368, 768, 3072].map((heap) => `--max-old-space-size=${heap}`),
  );
  // The young generation comes on top.
  const limit = Number(run(1024, ['-p', 'v8.getHeapStatistics().heap_size_limit / 2 ** 20']).stdout);
  assert.ok(limit >= 768 && limit < 780, `${limit} MiB`);
});

test('cached code is accepted with any size of the heap', async (t) => {
  const env = { NODE_COMPILE_CACHE: await temporaryFolder(t), NODE_DEBUG_NATIVE: 'COMPILE_CACHE' };
  const accepted = (limit?: number) => {
    const { stderr } = run(limit, [MAIN, '--version'], env);
    return { accepted: stderr.match(/ was accepted/g)?.length, rejected: stderr.match(/ was rejected/g)?.length };
  };
  accepted();
  const again = accepted();
  assert.ok((again.accepted ?? 0) > 0);
  for (const limit of [192, 256, 1024]) assert.deepEqual(accepted(limit), again);
});

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { heapFlag, MALLOC_VARIABLES, NODE_FLAGS } from '../../tools/node-flags.ts';

const dockerfile = await readFile(new URL('../../Dockerfile', import.meta.url), 'utf8');

/** The words of an instruction in its JSON form. */
const words = (line: string): string[] => JSON.parse(line.slice(line.indexOf('[')));

test('the image starts Node with the flags that its memory was measured with', () => {
  const entry = words(/^ENTRYPOINT .*$/m.exec(dockerfile)?.[0] ?? '');
  assert.deepEqual(entry, ['/nodejs/bin/node', ...NODE_FLAGS, '/app/main.js']);
});

test('the image sets the size of the heap in the environment, where it can be overridden', () => {
  assert.equal(/^ENV NODE_OPTIONS=(.*)$/m.exec(dockerfile)?.[1], heapFlag());
});

test('the compile cache is filled with the flags of the image: Node ignores one from other flags', () => {
  const runs = dockerfile.split('\n').filter((line) => line.startsWith('RUN ["/nodejs/bin/node"'));
  assert.equal(runs.length, 2);
  for (const run of runs) assert.deepEqual(words(run).slice(1, 1 + NODE_FLAGS.length), NODE_FLAGS);
});

test('the image sets malloc as its memory was measured', () => {
  const variables = /^ENV (MALLOC_.*) NODE_COMPILE_CACHE/m.exec(dockerfile)?.[1];
  assert.equal(
    variables,
    Object.entries(MALLOC_VARIABLES)
      .map((pair) => pair.join('='))
      .join(' '),
  );
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runAutoscrape } from '../../harness/autoscrape/run-autoscrape.ts';

/** Returns the candidates without their descriptions, and the directive for the shell. */
async function complete(...words: readonly string[]): Promise<readonly string[]> {
  const { code, stdout, stderr } = await runAutoscrape(['__complete', ...words]);
  assert.deepEqual([code, stderr], [0, '']);
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => line.replace(/\t.*/, ''));
}

test('kubectl gets commands, flags and the choices of a flag, and leaves files to the shell', async () => {
  assert.deepEqual(await complete('doc'), ['doctor', ':4']);
  assert.deepEqual(await complete('doctor', '--prom'), ['--prometheus', '--prometheus-token-file', ':4']);
  assert.deepEqual(await complete('doctor', '-o', ''), ['text', 'json', ':4']);
  assert.deepEqual(await complete('doctor', '-n', ''), [':4']);
  assert.deepEqual(await complete('doctor', '--kubeconfig', ''), [':0']);
  assert.deepEqual(await complete('explain', 'k8s/'), [':0']);
  assert.deepEqual(await complete('completion', ''), ['bash', 'zsh', 'fish', ':4']);
  assert.deepEqual(await complete('nothing', '--x'), [':4']);
  assert.ok((await complete('')).length > 10);
});

test('a candidate has its description behind a tab', async () => {
  const { stdout } = await runAutoscrape(['__complete', 'doctor', '--short']);
  assert.match(stdout, /^--short\tonly findings, versions and the answer.*\n:4\n$/);
});

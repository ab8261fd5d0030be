// A process of its own: it starts processes, and waits for them.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';

test('what is made from other files is up to date: otherwise `npm run generate` puts it right', () => {
  const script = join(import.meta.dirname, '../../scripts/generate.ts');
  const { status, stderr } = spawnSync(process.execPath, [script, '--check'], { encoding: 'utf8' });
  assert.deepEqual({ status, stderr }, { status: 0, stderr: '' });
});

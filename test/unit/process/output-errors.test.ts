// A process of its own: it starts processes, and waits for them.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';

const ROOT = join(import.meta.dirname, '../../..');
const EXPLAIN = [join(ROOT, 'src/main.ts'), 'explain', '-f', join(ROOT, 'examples')];

test('a full disk is an error, and no stack', { skip: process.platform !== 'linux' }, async () => {
  const full = await open('/dev/full', 'w');
  const child = spawn(process.execPath, EXPLAIN, { stdio: ['ignore', full.fd, 'pipe'] });
  const { stderr } = child;
  assert.ok(stderr);
  const [message, [code]] = await Promise.all([text(stderr), once(child, 'close'), full.close()]);
  assert.equal(message, "autoscrape: standard output can't be written: no space left on device (ENOSPC)\n");
  assert.equal(code, 1);
});

test('a closed pipe ends the command without a word, as SIGPIPE ends other programs', async () => {
  const child = spawn(process.execPath, [...EXPLAIN, '-o', 'json', '--details'], { stdio: ['ignore', 'pipe', 'pipe'] });
  child.stdout.destroy();
  const [message, [code]] = await Promise.all([text(child.stderr), once(child, 'close')]);
  assert.equal(message, '');
  assert.equal(code, 141);
});

test('without a reader of standard error the exit code is still right', async () => {
  const child = spawn(process.execPath, [...EXPLAIN, 'missing.yaml'], { stdio: ['ignore', 'pipe', 'pipe'] });
  child.stderr.destroy();
  const [output, [code]] = await Promise.all([text(child.stdout), once(child, 'close')]);
  assert.match(output, /^7 workloads: /m);
  assert.equal(code, 1);
});

// A process of its own: it starts processes, and waits for them.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import type { ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { text } from 'node:stream/consumers';
import type { Readable } from 'node:stream';
import test from 'node:test';
import type { TestContext } from 'node:test';
import { MAIN } from '../../harness/autoscrape/run-autoscrape.ts';

function run(t: TestContext, ...args: readonly string[]): ChildProcessByStdio<null, Readable, Readable> {
  const child = spawn(process.execPath, [MAIN, 'sample', ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  t.after(() => child.kill('SIGKILL'));
  return child;
}

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  test(`it prints the URL of its metrics, and ${signal} ends it with exit code 0`, async (t) => {
    const child = run(t, '--host', '127.0.0.1', '--port', '0');
    const exit = once(child, 'exit');
    const [line] = await once(child.stdout, 'data');
    const url = /http:\S+/.exec(String(line))?.[0] ?? '';
    assert.match(await (await fetch(url)).text(), /^# TYPE count_total counter$/m);
    child.kill(signal);
    assert.deepEqual(await exit, [0, null]);
  });
}

test('a port in use is an error that says what to do', async (t) => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  t.after(() => other.close());
  const address = other.address();
  assert.ok(typeof address === 'object' && address !== null);
  const child = run(t, '--host', '127.0.0.1', '--port', String(address.port));
  const [message, [code]] = await Promise.all([text(child.stderr), once(child, 'exit')]);
  assert.equal(code, 1);
  assert.match(message, new RegExp(`port ${address.port} is in use .* --port`));
  assert.doesNotMatch(message, /\n\s+at /, 'no stack');
});

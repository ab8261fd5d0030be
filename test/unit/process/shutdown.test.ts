// A process of its own: it starts processes, and waits for them.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';

const MODULE = new URL('../../../src/process/shutdown.ts', import.meta.url).href;

/** Exit code, signal and output of a process that runs the lines with both functions at hand. */
async function run(lines: string): Promise<{ code: unknown; signal: unknown; stdout: string }> {
  const script = `import { spawn } from 'node:child_process';\nimport { endUntilHandled, handleInterruption, handleShutdown } from ${JSON.stringify(MODULE)};\n${lines}`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], { stdio: 'pipe' });
  const [stdout, [code, signal]] = await Promise.all([text(child.stdout), once(child, 'close')]);
  return { code, signal, stdout };
}

for (const [signal, code] of [
  ['SIGTERM', 143],
  ['SIGINT', 130],
] as const) {
  test(`${signal} during the start ends process 1 of a container`, async () => {
    const ended = await run(`endUntilHandled(1); process.kill(process.pid, '${signal}'); setTimeout(() => {}, 5000);`);
    assert.deepEqual(ended, { code, signal: null, stdout: '' });
  });

  test(`${signal} ends any other process at once, also while it calculates and after an interruption was handled`, async () => {
    const ended = await run(`
      endUntilHandled();
      handleInterruption().end();
      spawn('sh', ['-c', 'sleep 0.2; kill -s ${signal.slice(3)} ' + process.pid], { stdio: 'ignore' });
      for (const end = Date.now() + 20_000; Date.now() < end; );`);
    assert.deepEqual(ended, { code: null, signal, stdout: '' });
  });

  test(`the first ${signal} lets work finish, the second ends the process`, async () => {
    const ended = await run(`
      endUntilHandled();
      const { signal } = handleInterruption();
      process.kill(process.pid, '${signal}');
      signal.addEventListener('abort', () => {
        console.log('finishing');
        process.kill(process.pid, '${signal}');
      });
      setTimeout(() => {}, 5000);`);
    assert.deepEqual(ended, { code, signal: null, stdout: 'finishing\n' });
  });

  test(`${signal} requests a shutdown once it is handled`, async () => {
    const ended = await run(`
      endUntilHandled();
      const shutdown = handleShutdown(() => {});
      setTimeout(() => process.kill(process.pid, '${signal}'));
      const alive = setTimeout(() => {}, 5000);
      console.log(await shutdown.requested);
      clearTimeout(alive);`);
    assert.deepEqual(ended, { code: 0, signal: null, stdout: `${signal}\n` });
  });
}

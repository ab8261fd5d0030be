// A process of its own: it starts processes, and waits for them.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs';
import { Agent } from 'node:https';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { suite, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createAuthority } from '../../../src/webhook/certificate-authority.ts';
import { logDestination } from '../../../src/process/log-buffer.ts';
import { startServe, temporaryFolder, writePair } from '../../harness/autoscrape/serving.ts';
import type { Scope } from '../../harness/autoscrape/serving.ts';
import { podWithMetrics, reviewOf } from '../../harness/autoscrape/admission-review.ts';
import { post } from '../../harness/autoscrape/client.ts';
import { verifyAnswer } from '../../harness/autoscrape/verify-answer.ts';

/** A pipe with a reader that reads only when told to. */
async function openPipe(t: Scope) {
  const path = join(await temporaryFolder(t), 'pipe');
  execFileSync('mkfifo', [path]);
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const writer = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
  return {
    path,
    reader,
    writer,
    /** What is in it. */
    read(): string {
      const chunks: Buffer[] = [];
      const chunk = Buffer.alloc(65_536);
      try {
        for (let bytes = readSync(reader, chunk); bytes > 0; bytes = readSync(reader, chunk))
          chunks.push(Buffer.from(chunk.subarray(0, bytes)));
      } catch (error) {
        if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) throw error;
      }
      return Buffer.concat(chunks).toString();
    },
  };
}

/** Fills a pipe, so that nobody can write to it before its reader reads. */
function fill(writer: number): void {
  try {
    for (;;) writeSync(writer, '\n');
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) throw error;
  }
}

/** A line of 1,000 bytes. */
function line(index: number): string {
  return `${String(index).padStart(999, '.')}\n`;
}

test('lines are written together: at most 100 ms late, or once they have 32 KiB', async (t) => {
  const pipe = await openPipe(t);
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const log = logDestination(pipe.writer);
  log.write('first\n');
  t.mock.timers.tick(60);
  log.write('second\n');
  t.mock.timers.tick(39);
  assert.equal(pipe.read(), '');
  t.mock.timers.tick(1);
  assert.equal(pipe.read(), 'first\nsecond\n');
  const lines = Array.from({ length: 33 }, (_, index) => line(index));
  for (const one of lines) log.write(one);
  assert.equal(pipe.read(), lines.join(''));
  log.write('later\n');
  assert.equal(pipe.read(), '');
  t.mock.timers.tick(100);
  assert.equal(pipe.read(), 'later\n');
});

suite('no line is lost when the process ends', { concurrency: true }, () => {
  const ends: Readonly<Record<string, readonly [script: string, code: number | null, fatal: boolean]>> = {
    'with SIGTERM': [`process.kill(process.pid, 'SIGTERM');`, 0, false],
    'with SIGINT': [`process.kill(process.pid, 'SIGINT');`, 0, false],
    'with an uncaught error': [`setImmediate(() => { throw new Error('x'); });`, 0, true],
    'with an unhandled rejection': [`Promise.reject(new Error('x'));`, 0, true],
    'by process.exit': [`process.exit(4);`, 4, false],
    'by itself': [`clearTimeout(alive);`, 0, false],
    'with SIGKILL after a fatal error': [`log.fatal('fatal'); process.kill(process.pid, 'SIGKILL');`, null, true],
  };
  for (const [end, [script, code, fatal]] of Object.entries(ends)) {
    test(end, async () => {
      const folder = new URL('../../../src/process/', import.meta.url).href;
      const program = `
        import { createLog } from '${folder}log.ts';
        import { handleShutdown } from '${folder}shutdown.ts';
        const log = createLog('info');
        const shutdown = handleShutdown(() => log.fatal('fatal'));
        const alive = setTimeout(() => {}, 60_000);
        shutdown.requested.then(() => clearTimeout(alive));
        for (let index = 0; index < 100; index++) log.info({ index }, 'line');
        ${script}`;
      const child = spawn(process.execPath, ['--input-type=module', '--eval', program], { stdio: 'pipe' });
      const [logged, [ended]] = await Promise.all([text(child.stdout), once(child, 'close')]);
      assert.equal(ended, code);
      assert.equal(logged.match(/"msg":"line"/g)?.length, 100);
      assert.equal(logged.includes('"msg":"fatal"'), fatal);
    });
  }

  for (const [end, signals, code] of [
    ['when serve gets a signal', 1, 0],
    ['when serve gets a second signal while it drains', 2, 1],
  ] as const) {
    test(end, async (t) => {
      const serving = await startServe(t, { args: ['--drain-seconds', signals === 1 ? '0' : '60'] });
      const agent = new Agent({ keepAlive: true });
      t.after(() => agent.destroy());
      for (let count = 0; count < 20; count++) {
        const reply = await post(serving, JSON.stringify(reviewOf(podWithMetrics())), { agent });
        assert.equal(reply.status, 200);
      }
      serving.kill('SIGTERM');
      if (signals === 2) {
        await serving.line(/"stopping"/);
        await post(serving, JSON.stringify(reviewOf(podWithMetrics())), { agent });
        serving.kill('SIGTERM');
      }
      assert.equal(await serving.exited, code);
      assert.equal(serving.lines.filter((line) => line.includes('"review"')).length, 19 + signals);
    });
  }
});

test('a reader that stalls costs bounded memory, gets the lines that waited, and one that says how many were lost', async (t) => {
  const pipe = await openPipe(t);
  const log = logDestination(pipe.writer, 100_000);
  for (let index = 0; index < 1000; index++) log.write(line(index));
  let read = '';
  for (let tries = 0; tries < 500 && !read.includes('"lost"'); tries++) {
    read += pipe.read();
    await sleep(10);
  }
  log.write('after\n');
  log.flushSync();
  read += pipe.read();
  const lines = read.split('\n');
  const last = lines.findIndex((text) => text.startsWith('{'));
  const lost = Number(JSON.parse(lines[last] ?? '').lost);
  // The pipe holds 64 KiB, and 100 KB waited.
  assert.ok(last > 150 && last < 180, `${last} lines`);
  assert.deepEqual(
    lines.slice(0, last),
    Array.from({ length: last }, (_, index) => line(index).trim()),
  );
  assert.equal(last + lost, 1000);
  assert.deepEqual(lines.slice(last + 1), ['after', '']);
});

test('a reader that has gone costs nothing, and one that follows gets the lines that come then', async (t) => {
  const pipe = await openPipe(t);
  const log = logDestination(pipe.writer);
  closeSync(pipe.reader);
  log.write('to nobody\n');
  log.flushSync();
  const next = openSync(pipe.path, constants.O_RDONLY | constants.O_NONBLOCK);
  log.write('to somebody\n');
  log.flushSync();
  const chunk = Buffer.alloc(100);
  assert.equal(chunk.subarray(0, readSync(next, chunk)).toString(), 'to somebody\n');
});

for (const end of ['stalls', 'stalls, then ends'] as const) {
  test(`a webhook whose log’s reader ${end} goes on answering, and stops when told to`, async (t) => {
    const authority = createAuthority();
    const certDir = await temporaryFolder(t);
    await writePair(authority, certDir);
    const pipe = await openPipe(t);
    const main = join(import.meta.dirname, '../../../src/main.ts');
    const args = ['serve', '--cert-dir', certDir, '--host', '127.0.0.1', '--port', '0', '--health-port', '0'];
    const child = spawn(process.execPath, [main, ...args, '--drain-seconds', '0'], {
      stdio: ['ignore', pipe.writer, 'inherit'],
    });
    const exited = once(child, 'exit');
    t.after(() => child.kill('SIGKILL'));
    let logged = '';
    while (!logged.includes('"serving"')) {
      assert.equal(child.exitCode, null, `the webhook ended: ${logged}`);
      await sleep(20);
      logged += pipe.read();
    }
    fill(pipe.writer);
    closeSync(pipe.writer);
    const { port } = JSON.parse(logged.split('\n').find((line) => line.includes('"serving"')) ?? '');
    const agent = new Agent({ keepAlive: true });
    t.after(() => agent.destroy());
    async function review(): Promise<void> {
      const sent = reviewOf(podWithMetrics());
      const reply = await post({ port, ca: authority.certificate }, JSON.stringify(sent), { agent });
      assert.equal(verifyAnswer(reply, sent.request.uid).patch.length, 1);
    }
    for (let count = 0; count < 200; count++) await review();
    if (end === 'stalls, then ends') {
      closeSync(pipe.reader);
      await review();
    }
    child.kill('SIGTERM');
    assert.deepEqual(await exited, [0, null]);
  });
}

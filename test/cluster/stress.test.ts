import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { runs } from '../harness/length.ts';

// Promises that take minutes to show: too long for the fast tests, and without need of a cluster.

const run = promisify(execFile);
const STRESS = join(import.meta.dirname, '../harness/stress');

/** Each takes about 12 s. */
const RESTARTS = runs({ usually: 3, all: 10 });

/** At five requests a second, and then half a minute of a restart. */
const SILENT = { pods: runs({ usually: 1000, all: 5000 }), images: runs({ usually: 40, all: 200 }) };

test(`${RESTARTS} rolling restarts under load, with the certificate swapped each time, lose no call`, async (t) => {
  // It ends with another code than 0, and execFile rejects, where a call was lost, a certificate wasn't taken over, or there
  // were hardly any calls.
  const script = [join(STRESS, 'rolling-restart.ts'), String(RESTARTS)];
  const { stdout } = await run(process.execPath, script, { timeout: 10 * 60_000 });
  assert.match(stdout, / 0 lost/);
  for (const line of stdout.trim().split('\n')) t.diagnostic(line);
});

test('64, 512 and 5,000 connections that bring nothing disturb neither reviews nor probes', async (t) => {
  if (process.platform !== 'linux' || process.getuid?.() !== 0)
    return t.skip('a network of its own needs Linux and root');
  const script = ['--net', process.execPath, join(STRESS, 'sockets.ts')];
  // It ends with another code than 0 where a call failed, or the slowest became twice as slow.
  const { stdout } = await run('unshare', script, { timeout: 10 * 60_000 });
  for (const line of stdout.trim().split('\n')) t.diagnostic(line);
  assert.equal(stdout.match(/^[0-9]+ connections, all: [0-9]+ answered, 0 failed;/gm)?.length, 3);
});

test('150,000 pods, 50,000 of them waiting at once, fit into the memory limit of the reconciler', async (t) => {
  await run(process.execPath, [join(import.meta.dirname, '../../scripts/build.ts')]);
  const { stdout } = await run(process.execPath, [join(STRESS, 'many-pods.ts')], { timeout: 15 * 60_000 });
  for (const line of stdout.trim().split('\n')) t.diagnostic(line);
});

test(`${SILENT.pods} pods without metrics, of ${SILENT.images} images, opted in at once: each image is asked once`, async (t) => {
  if (process.platform !== 'linux' || process.getuid?.() !== 0)
    return t.skip('a network of its own needs Linux and root');
  // After the build above. It ends with another code than 0 where an image was asked twice, the rate or the memory was exceeded.
  const options = [`--pods=${SILENT.pods}`, `--images=${SILENT.images}`];
  const script = ['--net', process.execPath, join(STRESS, 'silent-pods.ts'), ...options];
  const { stdout } = await run('unshare', script, { timeout: 10 * 60_000 });
  for (const line of stdout.trim().split('\n')) t.diagnostic(line);
});

test('the heaviest bodies of every kind, 25 at once, leave the webhook alive below 144 MiB', async (t) => {
  if (process.platform !== 'linux') return t.skip('memory is read from /proc');
  // After the build above. It ends with another code than 0 where a kind was never read, or the memory was exceeded.
  const { stdout } = await run(process.execPath, [join(STRESS, 'heavy-bodies.ts')], { timeout: 10 * 60_000 });
  for (const line of stdout.trim().split('\n')) t.diagnostic(line);
});

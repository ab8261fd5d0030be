// A process of its own: it starts processes, and waits for them.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import packageJson from '../../../package.json' with { type: 'json' };
import { temporaryFolder } from '../../harness/autoscrape/serving.ts';
import type { Scope } from '../../harness/autoscrape/serving.ts';

const ROOT = join(import.meta.dirname, '../../..');

/** A preload with which Node takes itself for an old one. */
const OLD = `--import=data:text/javascript,${encodeURIComponent(
  "Object.defineProperty(process, 'versions', { value: { node: '20.1.0' } }); Object.defineProperty(process, 'version', { value: 'v20.1.0' })",
)}`;

function start(
  args: readonly string[],
  cwd: string,
): Promise<{ readonly code: unknown; readonly stdout: string; readonly stderr: string }> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, args, { cwd }, (_error, stdout, stderr) =>
      resolve({ code: child.exitCode, stdout, stderr }),
    );
  });
}

/** Returns the path of the command in a copy of the package without node_modules. */
async function copied(t: Scope): Promise<string> {
  const folder = await temporaryFolder(t);
  await cp(join(ROOT, 'bin'), join(folder, 'bin'), { recursive: true });
  await cp(join(ROOT, 'package.json'), join(folder, 'package.json'));
  return join(folder, 'bin', 'autoscrape.js');
}

test('runs from any folder, with paths relative to it', async () => {
  const { code, stdout, stderr } = await start(
    [join(ROOT, packageJson.bin.autoscrape), 'explain', '-o', 'name', 'shop.yaml'],
    join(ROOT, 'examples'),
  );
  assert.deepEqual([code, stdout, stderr], [0, 'deployment.apps/shop\n', '']);
});

test('kubectl finds it as a plugin, which runs through the link that npm makes', async (t) => {
  const link = join(await temporaryFolder(t), 'kubectl-autoscrape');
  await symlink(join(ROOT, packageJson.bin['kubectl-autoscrape']), link);
  const { code, stdout, stderr } = await start([link, 'version'], ROOT);
  assert.deepEqual([code, stdout, stderr], [0, `${packageJson.version}\n`, '']);
});

test('kubectl finds what completes the plugin, which is installed beside it', async (t) => {
  const link = join(await temporaryFolder(t), 'kubectl_complete-autoscrape');
  await symlink(join(ROOT, packageJson.bin['kubectl_complete-autoscrape']), link);
  const { code, stdout, stderr } = await start([link, 'doctor', '--selec'], ROOT);
  assert.deepEqual([code, stderr], [0, '']);
  assert.match(stdout, /^--selector\t.*\n:4\n$/);
});

test('an old Node is reported in one sentence', async (t) => {
  const { code, stdout, stderr } = await start([OLD, await copied(t), 'version'], ROOT);
  const needed = packageJson.engines.node.slice(2);
  assert.deepEqual(
    [code, stdout, stderr],
    [1, '', `autoscrape needs Node ${needed} or newer, and this is v20.1.0: install it from https://nodejs.org.\n`],
  );
});

test('instead of an old Node the one that npm has installed is used, with its exit code', async (t) => {
  const main = await copied(t);
  const bin = join(main, '../../node_modules/.bin');
  await mkdir(bin, { recursive: true });
  await symlink(process.execPath, join(bin, 'node'));
  await cp(join(ROOT, 'src'), join(main, '../../src'), { recursive: true });
  await symlink(join(ROOT, 'node_modules/commander'), join(bin, '../commander'));
  assert.deepEqual(await start([OLD, main, 'version'], ROOT), {
    code: 0,
    stdout: `${packageJson.version}\n`,
    stderr: '',
  });
  assert.equal((await start([OLD, main, 'vresion'], ROOT)).code, 2);
});

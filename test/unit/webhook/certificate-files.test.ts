import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, open, readFile, rename, rm, symlink, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createAuthority } from '../../../src/webhook/certificate-authority.ts';
import { reloadOnChange } from '../../../src/process/file-watcher.ts';
import { expiry, PAIR_FILES, pairLoader } from '../../../src/webhook/certificate-files.ts';
import type { Pair } from '../../../src/webhook/certificate-files.ts';
import { temporaryFolder, writePair } from '../../harness/autoscrape/serving.ts';

const authority = createAuthority();
const DAY = 86_400_000;

function leaf(notAfter = new Date(Date.now() + DAY)) {
  const { certificate, key } = authority.issue({ names: ['localhost'], notAfter });
  return { certificate: Buffer.from(certificate), key: Buffer.from(key) };
}

const one = leaf();
const other = leaf();
const truncated = one.certificate.subarray(0, -200);
const INVALID: Readonly<Record<string, readonly [contents: readonly Buffer[], problem: RegExp]>> = {
  'an empty certificate': [[Buffer.alloc(0), one.key], /^tls\/tls\.crt holds no certificate/],
  'a certificate that is garbage': [[Buffer.from('x'), one.key], /^tls\/tls\.crt holds no certificate/],
  'half a certificate': [[truncated, one.key], /^tls\/tls\.crt holds no certificate/],
  'a certificate with half of another behind it': [
    [
      Buffer.concat([one.certificate, Buffer.from('-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n')]),
      one.key,
    ],
    /^tls\/tls\.crt holds an invalid chain/,
  ],
  'the key in place of the certificate': [[one.key, one.key], /^tls\/tls\.crt holds no certificate/],
  'an empty key': [[one.certificate, Buffer.alloc(0)], /^tls\/tls\.key holds no readable private key/],
  'half a key': [[one.certificate, one.key.subarray(0, -60)], /^tls\/tls\.key holds no readable private key/],
  'the certificate in place of the key': [
    [one.certificate, one.certificate],
    /^tls\/tls\.key holds no readable private key/,
  ],
  'the key of another certificate': [[one.certificate, other.key], /^tls\/tls\.key is not the key of tls\/tls\.crt/],
};

for (const [title, [contents, problem]] of Object.entries(INVALID)) {
  test(`invalid certificate pair: ${title}`, () => {
    const loaded = pairLoader('tls')(contents, undefined);
    assert.ok(!loaded.ok);
    assert.match(loaded.error, problem);
  });
}

test('a chain with an intermediate certificate after the leaf is valid', () => {
  const chain = Buffer.concat([one.certificate, Buffer.from(authority.certificate)]);
  assert.ok(pairLoader('tls')([chain, one.key], undefined).ok);
});

test('an expired pair is loaded at start, but never replaces another', () => {
  const { certificate, key } = leaf(new Date(Date.now() - 60_000));
  const load = pairLoader('tls');
  assert.ok(load([certificate, key], undefined).ok);
  const previous = load([one.certificate, one.key], undefined);
  assert.ok(previous.ok);
  const replaced = load([certificate, key], previous.value);
  assert.ok(!replaced.ok);
  assert.match(replaced.error, /^tls\/tls\.crt: the certificate expired at 20/);
});

test('expiry uses the wall clock, however far it jumps', () => {
  const pair = { certificate: Buffer.alloc(0), key: Buffer.alloc(0), notBefore: 10 * DAY, notAfter: 100 * DAY };
  assert.equal(expiry(pair, 9 * DAY), 'the certificate is not valid before 1970-01-11T00:00:00.000Z');
  assert.equal(expiry(pair, 10 * DAY), undefined);
  assert.equal(expiry(pair, 100 * DAY - 1), undefined);
  assert.equal(expiry(pair, 100 * DAY), 'the certificate expired at 1970-04-11T00:00:00.000Z');
  assert.equal(expiry(pair, 465 * DAY), 'the certificate expired at 1970-04-11T00:00:00.000Z');
});

/** Watches a pair, and records what is reported. */
async function watchPair(t: TestContext, folder: string, pollMs: number) {
  const changes: Pair[] = [];
  const errors: string[] = [];
  const news: string[] = [];
  const watched = await reloadOnChange<Pair>({
    folder,
    names: PAIR_FILES,
    load: pairLoader(folder),
    onChange: (pair) => changes.push(pair),
    onError(error, isNew) {
      errors.push(error);
      if (isNew) news.push(error);
    },
    pollMs,
  });
  t.after(() => watched.close());
  return { watched, changes, errors, news };
}

async function until(holds: () => boolean): Promise<void> {
  for (let waited = 0; waited < 20_000 && !holds(); waited += 20) await sleep(20);
  assert.ok(holds(), holds.toString());
}

/** Writes files as the kubelet does: into a new folder, to which it then points `..data` in one step. */
async function mount(folder: string, version: string, { certificate, key }: { certificate: Buffer; key: Buffer }) {
  await mkdir(join(folder, version));
  await writeFile(join(folder, version, 'tls.crt'), certificate);
  await writeFile(join(folder, version, 'tls.key'), key);
  await symlink(version, join(folder, '..data_tmp'));
  await rename(join(folder, '..data_tmp'), join(folder, '..data'));
}

test('a version that is removed while it is read causes no error: the next one is read', async (t) => {
  const folder = await temporaryFolder(t);
  await mount(folder, '..0', one);
  for (const name of PAIR_FILES) await symlink(join('..data', name), join(folder, name));
  const { watched, changes, errors } = await watchPair(t, folder, 3_600_000);
  // Reading a pipe takes until somebody has written to it and closed it: time enough for the kubelet.
  await mkdir(join(folder, '..1'));
  execFileSync('mkfifo', [join(folder, '..1', 'tls.crt')]);
  await symlink('..1', join(folder, '..data_tmp'));
  await rename(join(folder, '..data_tmp'), join(folder, '..data'));
  const writer = await open(join(folder, '..1', 'tls.crt'), 'w'); // waits for the reader
  const next = leaf();
  await mount(folder, '..2', next);
  await rm(join(folder, '..1'), { recursive: true });
  await writer.writeFile(one.certificate);
  await writer.close();
  await until(() => changes.length > 0);
  assert.deepEqual(watched.current().key, next.key);
  assert.deepEqual(errors, []);
});

test('the watch alone notices each of the kubelet’s swaps', async (t) => {
  const folder = await temporaryFolder(t);
  await mount(folder, '..0', one);
  for (const name of PAIR_FILES) await symlink(join('..data', name), join(folder, name));
  const { watched, changes, errors } = await watchPair(t, folder, 3_600_000);
  assert.deepEqual(watched.current().key, one.key);
  for (let version = 1; version <= 5; version++) {
    const next = leaf();
    await mount(folder, `..${version}`, next);
    await rm(join(folder, `..${version - 1}`), { recursive: true });
    await until(() => watched.current().key.equals(next.key));
  }
  assert.equal(changes.length, 5);
  assert.deepEqual(errors, []);
});

// Every way to write two files one after another. At each step the pair in use is a valid one.
const DAMAGE: Readonly<
  Record<string, (folder: string, next: { certificate: Buffer; key: Buffer }) => Promise<unknown>>
> = {
  'the certificate is there, the key not yet': (folder, next) => writeFile(join(folder, 'tls.crt'), next.certificate),
  'the key is there, the certificate not yet': (folder, next) => writeFile(join(folder, 'tls.key'), next.key),
  'the certificate is half written': (folder, next) =>
    writeFile(join(folder, 'tls.crt'), next.certificate.subarray(0, 300)),
  'the key is half written': (folder, next) => writeFile(join(folder, 'tls.key'), next.key.subarray(0, 100)),
  'the certificate is empty': (folder) => writeFile(join(folder, 'tls.crt'), ''),
  'the key is garbage': (folder) => writeFile(join(folder, 'tls.key'), 'garbage'),
  'the certificate is gone': (folder) => unlink(join(folder, 'tls.crt')),
  'the key is gone': (folder) => unlink(join(folder, 'tls.key')),
};

// Each has a folder of its own, and waits for three polls.
suite('the old pair stays in use, the error is new once, and a fix is loaded', { concurrency: true }, () => {
  for (const [title, damage] of Object.entries(DAMAGE)) {
    test(title, async (t) => {
      const folder = await temporaryFolder(t);
      await writePair(authority, folder);
      const { watched, changes, errors, news } = await watchPair(t, folder, 100);
      const before = watched.current();
      const next = leaf();
      await damage(folder, next);
      await until(() => errors.length >= 3); // counted at each poll, so that an alert on it does not resolve by itself
      assert.equal(news.length, 1, news.join('\n'));
      assert.equal(watched.current(), before);
      assert.deepEqual(changes, []);

      await writeFile(join(folder, 'tls.crt'), next.certificate);
      await writeFile(join(folder, 'tls.key'), next.key);
      await until(() => watched.current().key.equals(next.key));
      assert.deepEqual(watched.current().certificate, await readFile(join(folder, 'tls.crt')));
      assert.equal(changes.length, 1);
    });
  }
});

test('the poll notices a folder that was replaced, which causes no event', async (t) => {
  const folder = join(await temporaryFolder(t), 'tls');
  await mkdir(folder);
  await writePair(authority, folder);
  const { watched } = await watchPair(t, folder, 100);
  const { key } = watched.current();
  await rename(folder, `${folder}.old`);
  await mkdir(folder);
  await writePair(authority, folder);
  await until(() => !watched.current().key.equals(key));
});

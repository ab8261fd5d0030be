import assert from 'node:assert/strict';
import { mkdtempSync, existsSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import { takeLock } from '../../../tools/lock-file.ts';

suite('a lock file', () => {
  const directory = mkdtempSync(join(tmpdir(), 'autoscrape-lock-'));
  const path = join(directory, 'test.lock');
  after(() => rmSync(directory, { recursive: true }));

  test('is held by one at a time, and gone after the last', async () => {
    let held = 0;
    const order: number[] = [];
    await Promise.all(
      [1, 2, 3].map(async (each) => {
        const release = await takeLock(path, 'runs this test');
        held += 1;
        assert.equal(held, 1);
        order.push(each);
        await Promise.resolve();
        held -= 1;
        release();
      }),
    );
    assert.equal(new Set(order).size, 3);
    assert.equal(existsSync(path), false);
  });

  test('is taken over from a process that has ended, even when another has its id now', async () => {
    for (const holder of [`${2 ** 22 + 1} 1`, `${process.pid} 1`]) {
      writeFileSync(path, holder);
      (await takeLock(path, 'runs this test'))();
      assert.equal(existsSync(path), false);
    }
  });
});

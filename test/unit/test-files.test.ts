import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join, sep } from 'node:path';
import { test } from 'node:test';

test('every test file lies where npm test or npm run test:cluster finds it', () => {
  const root = join(import.meta.dirname, '../..');
  const files = ['src', 'test', 'tools', 'scripts', 'bench'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((file) =>
      join(folder, file).replaceAll(sep, '/'),
    ),
  );
  const tests = files.filter((file) => file.endsWith('.test.ts'));
  assert.ok(tests.length > 50);
  assert.deepEqual(
    tests.filter((file) => !/^test\/(unit|cluster)\//.test(file)),
    [],
  );
  // A test in a file of another name would not run either.
  assert.deepEqual(
    files.filter((file) => /^test\/(unit|cluster)\/.*(\.spec|[-_]test)\.[jt]s$/.test(file)),
    [],
  );
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stale } from '../scripts/generate.ts';

test('what is made from other files is up to date: otherwise `npm run generate` puts it right', async () => {
  assert.deepEqual(await stale(), []);
});

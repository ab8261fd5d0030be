import assert from 'node:assert/strict';
import { test } from 'node:test';
import { applyPatch } from '../../harness/autoscrape/verify-answer.ts';

test('a patch changes one place, also where a generated object has the same value in two', () => {
  const shared = {};
  const patched = applyPatch({ annotations: shared, env: [shared] }, [
    { op: 'add', path: '/annotations/a', value: '1' },
  ]);
  assert.deepEqual(patched, { annotations: { a: '1' }, env: [{}] });
});

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { VERDICTS } from '../../../../src/core/ask/verdict.ts';

test('each verdict is one sentence, and what is unscrapable has a remedy', () => {
  for (const [key, { class: verdictClass, sentence, remedy }] of Object.entries(VERDICTS)) {
    assert.match(sentence, /^[A-Z].*\.$/, key);
    if (verdictClass === 'unscrapable') assert.match(remedy, /^[A-Z].*[^ ]$/, key);
  }
});

test('docs/asking.md says of each verdict what the code says', async () => {
  const page = await readFile(join(import.meta.dirname, '../../../../docs/asking.md'), 'utf8');
  const told = new Map(
    [...page.matchAll(/^\| `(\w+)` +\| ([\w ]+?) +\| (.*?) +\|$/gm)].map(([, key = '', ...row]) => [
      key,
      row.join(': '),
    ]),
  );
  for (const [key, { class: verdictClass, sentence, remedy }] of Object.entries(VERDICTS)) {
    assert.equal(told.get(key), `${verdictClass.replace('_', ' ')}: ${`${sentence} ${remedy}`.trim()}`);
  }
  assert.equal(told.size, Object.keys(VERDICTS).length);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_KEYS } from '../../../src/core/annotations/scrape-keys.ts';
import { renderConfig } from '../../../src/scrape-config/render-config.ts';
import { runAutoscrape } from '../../harness/autoscrape/run-autoscrape.ts';

test('scrape-config prints the configuration, and nothing else', async () => {
  const done = await runAutoscrape(['scrape-config', '--for', 'prometheus', '--values']);
  assert.deepEqual([done.code, done.stderr], [0, '']);
  assert.equal(done.stdout, renderConfig('prometheus', DEFAULT_KEYS, true));
});

test('scrape-config without a scraper, or with values for the operator, is a usage error', async () => {
  for (const [args, says] of [
    [[], /--for <scraper>/],
    [['--for', 'operator', '--values'], /bridge\.enabled=true/],
  ] as const) {
    const done = await runAutoscrape(['scrape-config', ...args]);
    assert.deepEqual([done.code, done.stdout], [2, '']);
    assert.match(done.stderr, says);
  }
});

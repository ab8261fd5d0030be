import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { DEFAULT_KEYS, readScrapeAnnotations, sanitised } from '../../../../src/core/annotations/scrape-keys.ts';

test('an annotation is taken for a key exactly where Prometheus gives both one name', () => {
  const spelling = fc
    .array(fc.constantFrom('.', '/', '_', '-', '~', 'é', '\u{1f600}', '3', 'x'), { minLength: 2, maxLength: 2 })
    .map(([dot = '', slash = '']) => `prometheus${dot}io${slash}port`);
  fc.assert(
    fc.property(fc.oneof(spelling, fc.string({ maxLength: 20 })), (key) => {
      const isPort = sanitised(key) === sanitised(DEFAULT_KEYS.port);
      assert.equal(readScrapeAnnotations(DEFAULT_KEYS, new Map([[key, '1']])).port, isPort ? '1' : undefined);
    }),
    { numRuns: 500 },
  );
});

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { parse } from 'yaml';
import { checkShipped } from '../../../src/core/rules/parse.ts';
import { readParsed, writeParsed } from '../../../src/rules/parsed-cache.ts';
import { readShipped } from '../../../src/rules/shipped.ts';

const TEXTS = ['rules: []', 'images: []'];
const SHIPPED = checkShipped({ rules: [] }, { images: [] });

test('what was kept is read back, and no other file is left', (t) => {
  const file = cacheFile(t);
  writeParsed(TEXTS, SHIPPED, file);
  assert.deepEqual(readParsed(TEXTS, file), SHIPPED);
  assert.deepEqual(readdirSync(join(file, '..')), ['shipped.json']);
});

test('other texts, a changed key and a broken file are not read', (t) => {
  const file = cacheFile(t);
  assert.equal(readParsed(TEXTS, file), undefined);
  writeParsed(TEXTS, SHIPPED, file);
  assert.equal(readParsed(['rules: []', 'images: [ ]'], file), undefined);
  const whole = readFileSync(file, 'utf8');
  // The key also depends on the sources of core and on package.json: another one stands for a change of them.
  writeFileSync(file, whole.replace(/"key":"./, '"key":"x'));
  assert.equal(readParsed(TEXTS, file), undefined);
  for (const broken of ['', whole.slice(0, -1), 'null', '{}']) {
    writeFileSync(file, broken);
    assert.equal(readParsed(TEXTS, file), undefined);
  }
});

test('where nothing can be written, nothing is kept and nothing thrown', (t) => {
  const file = cacheFile(t);
  writeFileSync(join(file, '../..', 'taken'), '');
  writeParsed(TEXTS, SHIPPED, join(file, '../..', 'taken', 'shipped.json'));
  mkdirSync(file, { recursive: true });
  writeParsed(TEXTS, SHIPPED, file);
  assert.deepEqual(readdirSync(join(file, '..')), ['shipped.json']);
});

test('the shipped rules are the same from the cache and from the YAML', () => {
  const texts = ['default.yaml', 'images.yaml'].map(textOf);
  const [defaults, images] = texts.map((text): unknown => parse(text));
  const fresh = checkShipped(defaults, images);
  assert.deepEqual(readShipped(), fresh);
  // JSON knows no undefined, and a value that needs more than JSON would differ.
  assert.deepEqual(readParsed(texts), fresh);
});

function textOf(name: string): string {
  return readFileSync(join(import.meta.dirname, '../../../src/rules', name), 'utf8');
}

function cacheFile(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'autoscrape-cache-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return join(folder, 'cache', 'shipped.json');
}

import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { readShipped } from '../../../src/rules/shipped.ts';

// Where each shipped rule and each entry of the catalogue has its source.

const root = new URL('../../../', import.meta.url);
const lines = readFileSync(new URL('src/rules/default.yaml', root), 'utf8').split('\n');

const SITE = /\b(?:[a-z0-9-]+\.)+(?:com|dev|io|net|org)\b/;
const OWN_FILE = /\b(?:docs|src)\/[\w./-]+\.(?:md|ts|yaml)\b/;

/** The comments that speak of each rule: the heading of its section, and the nearest comment above it. */
function commentsByRule(): Map<string, string> {
  const comments = new Map<string, string>();
  let heading = '';
  let nearest = '';
  let open = '';
  for (const line of lines) {
    const comment = /^ *# ?(.*)$/.exec(line)?.[1];
    if (comment !== undefined) open = open === '' ? comment : `${open} ${comment}`;
    else if (open.startsWith('--- ')) [heading, nearest, open] = [open, '', ''];
    else if (open !== '') [nearest, open] = [open, ''];
    const name = /^ {2}- name: (.+)$/.exec(line)?.[1];
    if (name !== undefined) comments.set(name, `${heading} ${nearest}`);
  }
  return comments;
}

test('every shipped rule names its source', () => {
  const comments = commentsByRule();
  assert.deepEqual(
    [...comments.keys()].toSorted(),
    readShipped()
      .defaults.rules.map(({ name }) => name)
      .toSorted(),
  );
  for (const [name, comment] of comments)
    assert.ok(SITE.test(comment) || OWN_FILE.test(comment), `${name} names no source: ${comment}`);
});

test('a file of this project that a comment names as the source exists', () => {
  for (const line of lines.filter((line) => line.trim().startsWith('#') && !SITE.test(line)))
    for (const [file] of line.matchAll(new RegExp(OWN_FILE, 'g'))) assert.ok(existsSync(new URL(file, root)), file);
});

// Such a host is for clients that install packages. What it shows is taken from a repository, which can be named instead.
test('no source is on the host of a package registry', () => {
  const comments = lines.filter((line) => line.trim().startsWith('#')).join('\n');
  const sites = [...comments.matchAll(new RegExp(SITE, 'g'))].map(([site]) => site);
  const hosts = readShipped().images.flatMap(({ source }) => (source === undefined ? [] : [new URL(source).hostname]));
  for (const host of [...sites, ...hosts])
    assert.doesNotMatch(
      host,
      /npm|yarn|pypi|rubygems|rubydoc|crates|maven|sonatype|golang|^pkg\.|packages?\.|debian/,
      host,
    );
});

import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Shipped } from '../core/rules/parse.ts';

// What the shipped YAML parses to, kept between starts from source: the command line's and every test file's. It lies where
// tools keep what may be deleted at any time, and belongs to one checkout.

const ROOT = join(import.meta.dirname, '../..');
const FILE = join(ROOT, 'node_modules/.cache/autoscrape/shipped.json');

/** Returns what these texts parse to, or undefined when that isn't known: they have changed, or what parses and checks them has. */
export function readParsed(texts: readonly string[], file = FILE): Shipped | undefined {
  try {
    const { key, shipped }: { key: string; shipped: Shipped } = JSON.parse(readFileSync(file, 'utf8'));
    return key === keyOf(texts) ? shipped : undefined;
  } catch {
    // It isn't there, can't be read, or isn't whole.
    return undefined;
  }
}

/** Keeps what these texts parse to, where that can be written; nothing is lost where it can't. */
export function writeParsed(texts: readonly string[], shipped: Shipped, file = FILE): void {
  const temporary = `${file}.${process.pid}`;
  try {
    mkdirSync(dirname(file), { recursive: true });
    try {
      writeFileSync(temporary, JSON.stringify({ key: keyOf(texts), shipped }));
      // Other processes see the whole file or none.
      renameSync(temporary, file);
    } catch {
      rmSync(temporary, { force: true });
    }
  } catch {
    // A read-only file system, or another user's checkout: the next start parses again.
  }
}

/** A hash of the texts and of all that turns them into what is kept: the code, and the libraries, which package.json pins. */
function keyOf(texts: readonly string[]): string {
  const core = join(ROOT, 'src/core');
  const modules = readdirSync(core, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));
  const hash = createHash('sha256').update(JSON.stringify(texts));
  for (const path of [
    join(ROOT, 'package.json'),
    join(ROOT, 'src/rules/shipped.ts'),
    ...modules.toSorted().map((name) => join(core, name)),
  ]) {
    hash.update(`\0${path}\0`).update(readFileSync(path));
  }
  return hash.digest('hex');
}

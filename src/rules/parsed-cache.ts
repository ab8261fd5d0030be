import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Shipped } from '../core/rules/parse.ts';

// A cache of the parsed shipped YAML for starts from source: those of the command line and of every test
// file. It is in node_modules/.cache, which may be deleted at any time, and belongs to one checkout.

const ROOT = join(import.meta.dirname, '../..');
const FILE = join(ROOT, 'node_modules/.cache/autoscrape/shipped.json');

/** Returns the cached data of these texts, or undefined where there is none: the texts have changed, or the code that parses them. */
export function readParsed(texts: readonly string[], file = FILE): Shipped | undefined {
  try {
    const { key, shipped }: { key: string; shipped: Shipped } = JSON.parse(readFileSync(file, 'utf8'));
    return key === keyOf(texts) ? shipped : undefined;
  } catch {
    // The file does not exist, cannot be read, or is incomplete.
    return undefined;
  }
}

/** Caches the data of these texts. Where the cache cannot be written, the next start parses them again. */
export function writeParsed(texts: readonly string[], shipped: Shipped, file = FILE): void {
  const temporary = `${file}.${process.pid}`;
  try {
    mkdirSync(dirname(file), { recursive: true });
    try {
      writeFileSync(temporary, JSON.stringify({ key: keyOf(texts), shipped }));
      // A rename is atomic: other processes read the whole file or none.
      renameSync(temporary, file);
    } catch {
      rmSync(temporary, { force: true });
    }
  } catch {
    // A read-only file system, or another user's checkout.
  }
}

/** Returns a hash of the texts and of everything that parses them: the code, and the libraries, which package.json pins. */
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

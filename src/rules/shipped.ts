import { existsSync, readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { checkShipped, parseRules } from '../core/rules/parse.ts';
import type { Rules, Shipped } from '../core/rules/parse.ts';
import { readParsed, writeParsed } from './parsed-cache.ts';

/**
 * Returns the shipped data, checked; call it once. From source it is read from the YAML beside this module, which takes half a
 * second of CPU, and kept for the next start. A build has done so before, and left the outcome as `shipped.json` beside the bundle.
 */
export function readShipped(): Shipped {
  const built = new URL('shipped.json', import.meta.url);
  // Written by scripts/build.ts from what this very function returned: there is nothing left to check.
  if (existsSync(built)) return JSON.parse(readFileSync(built, 'utf8'));
  const texts = [read('default.yaml'), read('images.yaml')] as const;
  const parsed = readParsed(texts);
  if (parsed !== undefined) return parsed;
  const [defaults, images] = texts;
  const shipped = checkShipped(parse(defaults), parse(images));
  writeParsed(texts, shipped);
  return shipped;
}

function read(name: string): string {
  return readFileSync(new URL(name, import.meta.url), 'utf8');
}

/** Returns the rules that hold where the user has none of their own. */
export function defaultRules(): Rules {
  const parsed = parseRules('', readShipped());
  if (!parsed.ok) throw new Error('an empty rules file is always right');
  return parsed.rules;
}

import { existsSync, readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { checkShipped, parseRules } from '../core/rules/parse.ts';
import type { Rules, Shipped } from '../core/rules/parse.ts';
import { readParsed, writeParsed } from './parsed-cache.ts';

/** Kept from source only, where one process of tests asks for it a hundred times: `serve` needs it once, to compile the rules. */
let kept: Shipped | undefined;

/**
 * Returns the shipped data after validation; a build reads it at each call. From source, it is parsed
 * from the YAML next to this module, which takes half a second of CPU, and cached for the next start. A
 * build parses it once and writes it to `shipped.json` next to the bundle.
 */
export function readShipped(): Shipped {
  const built = new URL('shipped.json', import.meta.url);
  // scripts/build.ts has written what this function returned, so it is valid.
  if (existsSync(built)) return JSON.parse(readFileSync(built, 'utf8'));
  return (kept ??= readSources());
}

function readSources(): Shipped {
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

let compiled: Rules | undefined;

/** Returns the rules that apply where the user has no rules file, the same object at each call. */
export function defaultRules(): Rules {
  if (compiled !== undefined) return compiled;
  const parsed = parseRules('', readShipped());
  if (!parsed.ok) throw new Error('an empty rules file is always valid');
  return (compiled = parsed.value.rules);
}

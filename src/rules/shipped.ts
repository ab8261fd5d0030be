import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { checkShipped, parseRules } from '../core/rules.ts';
import type { Rules, Shipped } from '../core/rules.ts';

/** Returns the data files beside this module, parsed and checked: about a tenth of a second, so call it once. */
export function readShipped(): Shipped {
  return checkShipped(read('default.yaml'), read('images.yaml'));
}

function read(name: string): unknown {
  return parse(readFileSync(new URL(name, import.meta.url), 'utf8'));
}

/** Returns the rules that hold where the user has none of their own. */
export function defaultRules(): Rules {
  const parsed = parseRules('', readShipped());
  if (!parsed.ok) throw new Error('an empty rules file is always right');
  return parsed.rules;
}

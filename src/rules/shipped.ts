import { readFileSync } from 'node:fs';
import { parseRules } from '../core/rules.ts';
import type { Rules, Shipped } from '../core/rules.ts';

/** Returns the texts of the data files beside this module. */
export function readShipped(): Shipped {
  return { rules: read('default.yaml'), images: read('images.yaml') };
}

function read(name: string): string {
  return readFileSync(new URL(name, import.meta.url), 'utf8');
}

/** Returns the rules that hold where the user has none of their own. */
export function defaultRules(): Rules {
  const parsed = parseRules('extends: default', readShipped());
  if (!parsed.ok) throw new Error('the shipped rules are broken');
  return parsed.rules;
}

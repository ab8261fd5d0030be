import assert from 'node:assert/strict';
import { parseRules } from '../../../../src/core/rules/parse.ts';
import type { Rules } from '../../../../src/core/rules/rule.ts';
import { readShipped } from '../../../../src/rules/shipped.ts';

export const shipped = readShipped();

/** Returns the rules of a file, on top of the shipped ones. */
export function rulesOf(text: string): Rules {
  const parsed = parseRules(text, shipped);
  assert.ok(parsed.ok, JSON.stringify(parsed));
  return parsed.value.rules;
}

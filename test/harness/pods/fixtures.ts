import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { parse } from 'yaml';
import type { Decision } from '../../../src/core/decision.ts';
import { parseRules, renderProblems } from '../../../src/core/rules/parse.ts';
import type { Rules } from '../../../src/core/rules/parse.ts';
import { readShipped } from '../../../src/rules/shipped.ts';

const FOLDER = new URL('../../fixtures/', import.meta.url);

/** A case of test/fixtures: one pod, perhaps rules of its own, and what is to be decided. */
export interface Fixture {
  readonly name: string;
  readonly pod: {
    readonly metadata: { readonly name: string; readonly annotations?: Record<string, string> };
    readonly [key: string]: unknown;
  };
  /** The text of the case's own rules file; empty for the defaults. */
  readonly rulesText: string;
  readonly rules: Rules;
  readonly mesh: boolean;
  readonly want: Want;
}

/** What is compared of a decision: all that is public. */
export interface Want {
  readonly outcome: Decision['outcome'];
  readonly rule?: string;
  readonly reason?: string;
  readonly annotations?: Readonly<Record<string, string>>;
  /** Only there where it is true. */
  readonly confirm?: boolean;
  readonly warnings: readonly string[];
}

/** Returns every fixture, in the order of their names. */
export function readFixtures(): Fixture[] {
  const shipped = readShipped();
  return readdirSync(FOLDER)
    .toSorted()
    .map((name) => {
      const file = (base: string): URL => new URL(`${name}/${base}`, FOLDER);
      const rulesText = existsSync(file('rules.yaml')) ? readFileSync(file('rules.yaml'), 'utf8') : '';
      const parsed = parseRules(rulesText, shipped);
      if (!parsed.ok) throw new Error(renderProblems(`${name}/rules.yaml`, parsed.error));
      const { mesh = false, ...want }: Want & { mesh?: boolean } = JSON.parse(readFileSync(file('want.json'), 'utf8'));
      const pod: Fixture['pod'] = parse(readFileSync(file('pod.yaml'), 'utf8'));
      return { name, pod, rulesText, rules: parsed.value.rules, mesh, want };
    });
}

/** Returns what a fixture's `want.json` speaks of, taken from a decision. */
export function publicPart(decision: Decision): Want {
  const { outcome, warnings } = decision;
  return decision.outcome === 'annotate'
    ? {
        outcome,
        rule: decision.rule,
        annotations: decision.annotations,
        ...(decision.confirm && { confirm: true }),
        warnings,
      }
    : { outcome, reason: decision.reason, ...(decision.rule !== undefined && { rule: decision.rule }), warnings };
}

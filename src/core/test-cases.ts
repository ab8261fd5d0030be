import * as z from 'zod';
import type { Decision } from './decision.ts';
import type { Problem } from './problem.ts';
import type { Result } from './result.ts';
import { REASONS } from './skip-reason.ts';
import { didYouMean } from './did-you-mean.ts';
import { readDocument, schemaProblems } from './rules/document.ts';
import type { RulesDocument } from './rules/document.ts';
import { list, Scheme, strict, text } from './rules/schema.ts';

// The file of `autoscrape test`: workloads, with what rules should decide for them.

const NAMES = Object.keys(REASONS);
const flag = z.boolean({ error: 'must be true or false' });

const Want = strict({
  outcome: z.enum(['annotate', 'skip'], { error: 'must be annotate or skip' }).optional(),
  rule: text().optional(),
  reason: text()
    .refine((name) => NAMES.includes(name), {
      error: ({ input }) => `is no reason of a skip${didYouMean(String(input), NAMES) || `: ${NAMES.join(', ')}`}`,
    })
    .optional(),
  port: z.int('must be a whole number').optional(),
  path: text().optional(),
  scheme: Scheme.optional(),
}).refine((want) => Object.keys(want).length > 0, {
  error: 'must say at least one of outcome, rule, reason, port, path, scheme',
  // An unknown field is already reported, and is probably a mistyped one.
  when: ({ issues }) => issues.length === 0,
});

const CasesFile = strict({
  rules: text().min(1, 'must not be empty').optional(),
  cases: list(
    strict({
      name: text().min(1, 'must not be empty'),
      manifest: z.union([text().min(1), z.record(z.string(), z.unknown()), z.array(z.unknown())], {
        error: 'must be a file, or the manifest itself',
      }),
      workload: text().optional(),
      namespace: text().optional(),
      mesh: flag.optional(),
      want: Want,
    }),
  ).min(1, 'must have at least one item'),
});

/** The content of a file of cases. */
export type CasesFile = z.output<typeof CasesFile>;

/** What a case wants of a decision. */
export type Want = z.output<typeof Want>;

/** Returns the cases of a file (YAML or JSON), with what finds a case's position; or all problems of the file. */
export function parseCases(
  source: string,
): Result<{ readonly file: CasesFile; readonly at: RulesDocument['at'] }, readonly Problem[]> {
  const read = readDocument(source);
  if (!read.ok) return read;
  const { content, at } = read.value;
  const parsed = CasesFile.safeParse(content ?? {});
  if (!parsed.success) return { ok: false, error: schemaProblems(parsed.error.issues, at) };
  return { ok: true, value: { file: parsed.data, at } };
}

/** Returns in one sentence how the decision differs from what is wanted, or undefined. */
export function differenceFrom(want: Want, decision: Decision): string | undefined {
  const [endpoint] = decision.outcome === 'annotate' ? decision.endpoints : [];
  const got: Readonly<Record<keyof Want, unknown>> = {
    outcome: decision.outcome,
    rule: decision.rule,
    reason: decision.outcome === 'skip' ? decision.reason : undefined,
    port: endpoint?.port,
    path: endpoint?.path,
    scheme: endpoint?.scheme,
  };
  const keys = ['outcome', 'rule', 'reason', 'port', 'path', 'scheme'] as const;
  const wrong = keys.filter((key) => want[key] !== undefined && want[key] !== got[key]);
  if (wrong.length === 0) return undefined;
  return `wanted ${wrong.map((key) => `${key} ${want[key]}`).join(', ')}; got ${describe(decision)}`;
}

function describe(decision: Decision): string {
  const by = decision.rule === undefined ? '' : `, rule ${decision.rule}`;
  if (decision.outcome === 'skip') return `skip, reason ${decision.reason}${by}`;
  const [{ port, path, scheme }] = decision.endpoints;
  return `annotate${by}, port ${port}, path ${path}, scheme ${scheme}`;
}

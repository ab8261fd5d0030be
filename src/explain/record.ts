import type { Candidate, Explanation } from '../core/explain.ts';
import type { Workload } from '../manifest/workload.ts';

/** The result of `explain` for one workload, as data: every key is always present. */
export interface ExplainRecord {
  readonly type: 'workload';
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly outcome: 'annotate' | 'skip';
  /** The rule that found the endpoint; null where none did. */
  readonly rule: string | null;
  /** The stable key of the reason for a skip; null for a pod that would be annotated. */
  readonly reason: string | null;
  /** Whether the rule only hints, so that the endpoint is asked first where asking is on. */
  readonly confirm: boolean;
  /** The annotations that would be added. */
  readonly annotations: Readonly<Record<string, string>>;
  readonly warnings: readonly string[];
  /** Sentences on how scrapers read the annotations. */
  readonly notes: readonly string[];
  readonly candidates: readonly CandidateRecord[];
}

type CandidateRecord = Omit<Candidate, 'excluded'> & { readonly excluded: string | null };

/** Returns the explanation of a workload as plain data. */
export function explainRecord(
  { apiVersion, kind, namespace, name }: Workload,
  explanation: Explanation,
): ExplainRecord {
  const { decision, candidates, notes } = explanation;
  const isAnnotated = decision.outcome === 'annotate';
  return {
    type: 'workload',
    apiVersion,
    kind,
    namespace,
    name,
    outcome: decision.outcome,
    rule: decision.rule ?? null,
    reason: isAnnotated ? null : decision.reason,
    confirm: isAnnotated && decision.confirm,
    annotations: isAnnotated ? decision.annotations : {},
    warnings: decision.warnings,
    notes,
    candidates: candidates.map((candidate) => ({ ...candidate, excluded: candidate.excluded ?? null })),
  };
}

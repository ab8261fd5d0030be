import type { Candidate } from '../core/explain.ts';
import type { WhyLeft } from '../core/additional-endpoints.ts';
import type { Endpoint } from '../core/rules/endpoint.ts';
import type { NamespaceOptIn } from '../core/pod-selectors.ts';
import type { Precedence } from '../core/rules/precedence.ts';
import type { ExaminedInFull } from './examine.ts';
import { EXPLAINED_REASONS } from './unselected.ts';

/** The result of `explain` for one workload, as data: every key is always present. */
export interface ExplainRecord {
  readonly type: 'workload';
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  /** The path of the pod template in the object, such as `spec.template`; empty for a Pod. */
  readonly template: string;
  readonly file: string;
  /** The line of the file on which the document begins. */
  readonly line: number;
  /** Whether pods of its namespace are annotated at all; null where the input does not tell. */
  readonly namespaceOptIn: NamespaceOptIn | null;
  readonly outcome: 'annotate' | 'skip';
  /** The rule that found the endpoint; null where none did. */
  readonly rule: string | null;
  /** The stable key of the reason for a skip; null for a pod that would be annotated. */
  readonly reason: string | null;
  /** The reason in a sentence; null for a pod that would be annotated. */
  readonly sentence: string | null;
  /** Whether the rule only hints, so that the endpoint is asked first where asking is on. */
  readonly confirm: boolean;
  /** Every endpoint of the pod, the first of which the keys carry that all scrapers read. */
  readonly endpoints: readonly EndpointRecord[];
  /** Why the first endpoint comes before the others; null where there are none. */
  readonly because: Precedence | null;
  /** The annotations that would be added. */
  readonly annotations: Readonly<Record<string, string>>;
  readonly warnings: readonly string[];
  /** Sentences on how scrapers read the annotations. */
  readonly notes: readonly string[];
  /** Sentences on what to do, the most useful first. */
  readonly advice: readonly string[];
  readonly candidates: readonly CandidateRecord[];
}

/** An endpoint, with why no annotation carries it; null for one that scrapers find. */
type EndpointRecord = Endpoint & { readonly left: WhyLeft | null };

/** One port; with `--details` also the rules that do not match it. */
type CandidateRecord = Omit<Candidate, 'excluded' | 'notMatched'> & {
  readonly excluded: string | null;
  readonly notMatched?: Candidate['notMatched'];
};

/** Returns the explanation of a workload as plain data. */
export function explainRecord(examined: ExaminedInFull, withDetails: boolean): ExplainRecord {
  const { workload, file, optIn, decision, candidates, warnings, notes, advice } = examined;
  const { apiVersion, kind, namespace, name, template, line } = workload;
  const isAnnotated = decision.outcome === 'annotate';
  return {
    type: 'workload',
    apiVersion,
    kind,
    namespace,
    name,
    template,
    file,
    line,
    namespaceOptIn: optIn ?? null,
    outcome: decision.outcome,
    rule: decision.rule ?? null,
    reason: isAnnotated ? null : decision.reason,
    sentence: isAnnotated ? null : EXPLAINED_REASONS[decision.reason],
    confirm: isAnnotated && decision.confirm,
    endpoints: isAnnotated ? decision.endpoints.map((endpoint) => ({ ...endpoint, left: endpoint.left ?? null })) : [],
    because: (isAnnotated ? decision.because : undefined) ?? null,
    annotations: isAnnotated ? decision.annotations : {},
    warnings,
    notes,
    advice: advice.sentences,
    candidates: candidates.map(({ notMatched, ...candidate }) => ({
      ...candidate,
      excluded: candidate.excluded ?? null,
      ...(withDetails && { notMatched }),
    })),
  };
}

import type { Examined, ExaminedInFull } from './examine.ts';
import { titleOf } from './text.ts';
import { EXPLAINED_REASONS } from './unselected.ts';

/** What `--fail-on` takes besides the reasons of a skip. */
export const FAILURES = ['annotate', 'skip', 'warning', ...Object.keys(EXPLAINED_REASONS)] as const;

/** Something about a workload that a code review should show, at its place. */
export interface Finding {
  /** `annotate`, `warning`, or the reason of a skip. */
  readonly id: string;
  /** `error` where `--fail-on` names it. */
  readonly level: 'error' | 'warning' | 'note';
  readonly title: string;
  readonly message: string;
  readonly file: string;
  /** The line on which the workload's document begins, from 1. */
  readonly line: number;
}

/** Returns whether `--fail-on` names the workload's outcome, the reason of its skip, or that it has a warning. */
export function isFailure({ decision, warnings }: Examined, failOn: ReadonlySet<string>): boolean {
  const isReason = decision.outcome === 'skip' && failOn.has(decision.reason);
  return isReason || failOn.has(decision.outcome) || (warnings.length > 0 && failOn.has('warning'));
}

/** Returns the findings of a workload: each warning, and that it is skipped. That it would be annotated is one only where `failOn` says so. */
export function findingsOf(examined: ExaminedInFull, failOn: ReadonlySet<string>): Finding[] {
  const { workload, file, decision, warnings, advice } = examined;
  const title = titleOf(workload);
  const finding = (id: string, level: Finding['level'], message: string): Finding => ({
    id,
    level: failOn.has(id) ? 'error' : level,
    title,
    message: `${title}: ${message}`,
    file,
    line: workload.line,
  });
  const found = warnings.map((warning) => finding('warning', 'warning', warning));
  if (decision.outcome === 'skip') {
    const [todo] = advice.sentences;
    const message = [
      `skipped (${decision.reason}). ${EXPLAINED_REASONS[decision.reason]}`,
      ...(todo === undefined ? [] : [todo]),
    ];
    found.push(finding(decision.reason, failOn.has('skip') ? 'error' : 'note', message.join(' ')));
  } else if (failOn.has('annotate'))
    found.push(finding('annotate', 'error', `would be annotated by ${decision.rule}.`));
  return found;
}

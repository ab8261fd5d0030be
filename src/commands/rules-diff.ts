import { decide } from '../core/decide.ts';
import type { Decision } from '../core/decision.ts';
import { stripControls } from '../core/control-characters.ts';
import type { Rules } from '../core/rules/rule.ts';
import type { Found } from '../explain/examine.ts';
import { relate } from '../explain/related-objects.ts';
import { titleOf } from '../explain/text.ts';
import { withoutOwned } from '../manifest/owners.ts';
import type { Input } from './read-input.ts';

/** A workload for which two rules files decide differently. */
export interface Change {
  readonly workload: string;
  readonly file: string;
  readonly line: number;
  readonly before: Outcome;
  readonly after: Outcome;
}

/** What a decision comes to. */
export interface Outcome {
  readonly outcome: 'annotate' | 'skip';
  readonly rule: string | null;
  /** Why it is skipped; null where it is annotated. */
  readonly reason: string | null;
  /** The annotations that would be added. */
  readonly annotations: Readonly<Record<string, string>>;
}

/** Returns the workloads that change with new rules, and how many there are. */
export function compareRules(
  { found, others }: Input,
  before: Rules,
  after: Rules,
): { readonly changes: readonly Change[]; readonly workloads: number } {
  const { workloads } = withoutOwned(found.map(({ workload }) => workload));
  const fileOf = new Map(found.map((one: Found) => [one.workload, one.file]));
  const related = relate(others, '');
  const changes = workloads.flatMap((workload): Change[] => {
    const { namespace, pod, line } = workload;
    const of = { mesh: related.namespace(namespace)?.mesh === true, namespace: namespace || undefined };
    const [old, now] = [before, after].map((rules) => outcomeOf(decide(pod, rules, of)));
    if (old === undefined || now === undefined || JSON.stringify(old) === JSON.stringify(now)) return [];
    return [{ workload: titleOf(workload), file: fileOf.get(workload) ?? '', line, before: old, after: now }];
  });
  return { changes, workloads: workloads.length };
}

function outcomeOf(decision: Decision): Outcome {
  return decision.outcome === 'annotate'
    ? { outcome: 'annotate', rule: decision.rule, reason: null, annotations: withoutMarker(decision.annotations) }
    : { outcome: 'skip', rule: decision.rule ?? null, reason: decision.reason, annotations: {} };
}

/** The marker repeats the rule's name and the annotations. */
function withoutMarker(annotations: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(annotations).filter(([key]) => !key.startsWith('autoscrape.io/')));
}

/** Returns each change in three lines, and the total. */
export function renderChanges(changes: readonly Change[], workloads: number): string {
  const lines = changes.flatMap(({ workload, file, line, before, after }) => [
    `${workload}  ${file}:${line}`,
    `  - ${describe(before)}`,
    `  + ${describe(after)}`,
  ]);
  const total = `${changes.length} of ${workloads} workload${workloads === 1 ? '' : 's'} would change.`;
  return [...lines.map((line) => stripControls(line)), total].join('\n');
}

function describe({ outcome, rule, reason, annotations }: Outcome): string {
  if (outcome === 'skip') return `skipped (${reason}${rule === null ? '' : `, rule ${rule}`})`;
  const added = Object.entries(annotations).map(([key, value]) => `${key}=${value}`);
  return `rule ${rule}: ${added.join(' ')}`;
}

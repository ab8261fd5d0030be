import { stringify } from 'yaml';
import { briefly, printable } from './printable.ts';
import type { PassReport, PodOutcome } from './bulk.ts';
import { LEAVE_REASONS } from './plan.ts';
import type { LeaveReason } from './plan.ts';

/** How a report is printed. */
export type ReportFormat = 'text' | 'json' | 'yaml';

/** Whether something that was to be done was not. */
export function hasFailed({ pods, problems }: PassReport): boolean {
  return (
    problems.length > 0 ||
    pods.some(({ applied }) => applied !== undefined && ['failed', 'refused', 'stopped'].includes(applied.result))
  );
}

/** The report as text: one line a pod and a summary with the reasons; or as one JSON or YAML value. Ends with a newline. */
export function renderReport(report: PassReport, format: ReportFormat): string {
  if (format === 'text') return renderText(report);
  const value = toValue(report);
  return format === 'json' ? `${JSON.stringify(value, undefined, 2)}\n` : stringify(value);
}

function toValue(report: PassReport) {
  return {
    dryRun: report.dryRun,
    summary: {
      namespaces: report.namespaces.length,
      pods: report.pods.length,
      results: Object.fromEntries(count(report.pods.map(wordFor))),
      reasons: Object.fromEntries(reasons(report)),
    },
    problems: report.problems,
    pods: report.pods.map((pod) => {
      const { plan } = pod;
      const message = complaint(pod);
      return {
        namespace: plan.namespace,
        name: plan.name,
        uid: plan.uid,
        result: wordFor(pod),
        ...(plan.action === 'leave'
          ? { reason: plan.reason }
          : { rule: plan.rule, annotations: plan.annotations, patch: plan.patch }),
        ...(message === undefined ? {} : { message }),
      };
    }),
  };
}

function renderText(report: PassReport): string {
  const rows = report.pods.map(
    (pod) => [`${pod.plan.namespace}/${pod.plan.name}`, wordFor(pod), details(pod)] as const,
  );
  const widths = [0, 1].map((column) => Math.max(0, ...rows.map((row) => row[column]?.length ?? 0)));
  const lines = rows.map(([pod, word, text]) =>
    `${pod.padEnd(widths[0] ?? 0)}  ${word.padEnd(widths[1] ?? 0)}  ${text}`.trimEnd(),
  );
  const { pods, namespaces, problems } = report;
  const results = [...count(pods.map(wordFor))].map(([word, number]) => `${number} ${word}`).join(', ');
  const heading = `${plural(pods.length, 'pod')} in ${plural(namespaces.length, 'namespace')}`;
  const found = [...reasons(report)];
  const width = Math.max(0, ...found.map(([reason]) => reason.length));
  return [
    ...lines,
    ...(lines.length === 0 ? [] : ['']),
    `${heading}${results === '' ? '' : `: ${results}`}.`,
    ...found.map(
      ([reason, number]) => `${String(number).padStart(7)}  ${reason.padEnd(width)}  ${LEAVE_REASONS[reason]}`,
    ),
    ...problems.map((problem) => `Failed: ${briefly(problem)}`),
    '',
  ].join('\n');
}

/** What was done with a pod, or would be, in one word or two. */
function wordFor({ plan, applied }: PodOutcome): string {
  if (plan.action === 'leave') return 'left alone';
  switch (applied?.result) {
    case undefined:
      return plan.action === 'annotate' ? 'to annotate' : 'to take back';
    case 'done':
      return plan.action === 'annotate' ? 'annotated' : 'taken back';
    case 'superseded':
      return 'changed meanwhile';
    case 'gone':
      return 'gone meanwhile';
    case 'unwanted':
      return 'not wanted any more';
    case 'stopped':
      return 'not done';
    case 'refused':
    case 'failed':
      return applied.result;
  }
}

function details(pod: PodOutcome): string {
  const { plan } = pod;
  if (plan.action === 'leave') return plan.reason;
  const message = complaint(pod);
  if (message !== undefined) return briefly(message);
  const annotations = Object.entries(plan.annotations).filter(([key]) => key !== 'autoscrape.io/injected');
  const text = annotations.map(([key, value]) => `${key}=${value}`).join(' ') || 'only the marker';
  // What is taken back by a marker that somebody wrote may hold anything.
  return printable(`${plan.rule}: ${text}`);
}

function complaint({ applied }: PodOutcome): string | undefined {
  return applied?.result === 'failed' || applied?.result === 'refused' ? applied.failure.message : undefined;
}

function reasons({ pods }: PassReport): Map<LeaveReason, number> {
  return count(pods.flatMap(({ plan }) => (plan.action === 'leave' ? [plan.reason] : [])));
}

/** How often each occurs, most frequent first. */
function count<T>(values: readonly T[]): Map<T, number> {
  const counts = new Map<T, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return new Map([...counts].toSorted(([, a], [, b]) => b - a));
}

function plural(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

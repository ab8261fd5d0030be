import { stringify } from 'yaml';
import { authorityOf } from '../core/ask/redirect.ts';
import { classOf, VERDICTS } from '../core/ask/verdict.ts';
import type { Verdict } from '../core/ask/verdict.ts';
import { stripControls } from '../core/control-characters.ts';
import type { PodRequest } from './ask-once.ts';
import type { BulkReport, PodOutcome } from './bulk.ts';
import { firstLine } from './failure-log.ts';
import { LIVE_POD_SKIP_REASONS } from './plan.ts';
import type { LivePodSkipReason } from './plan.ts';

/** How a report is printed. */
export type ReportFormat = 'text' | 'json' | 'yaml';

/** Returns whether something failed or was not done. */
export function hasFailed({ pods, problems }: BulkReport): boolean {
  return (
    problems.length > 0 ||
    pods.some(
      ({ applied }) =>
        applied !== undefined && ['failed', 'refused', 'stopped', 'interrupted'].includes(applied.result),
    )
  );
}

/**
 * Returns the report as text (one line a pod, and a summary with the reasons) or as one JSON or
 * YAML value. Ends with a newline.
 */
export function renderReport(report: BulkReport, format: ReportFormat): string {
  if (format === 'text') return renderText(report);
  const value = toValue(report);
  return format === 'json' ? `${JSON.stringify(value, undefined, 2)}\n` : stringify(value);
}

function toValue(report: BulkReport) {
  return {
    dryRun: report.dryRun,
    summary: {
      namespaces: report.namespaces.length,
      pods: report.pods.length,
      results: Object.fromEntries(count(report.pods.map(resultOf))),
      reasons: Object.fromEntries(reasons(report)),
    },
    problems: report.problems,
    ...(report.requests === undefined ? {} : { requests: report.requests.map(requestValue) }),
    pods: report.pods.map((pod) => {
      const { plan } = pod;
      const message = failureMessage(pod);
      return {
        namespace: plan.namespace,
        name: plan.name,
        uid: plan.uid,
        result: resultOf(pod),
        ...(plan.action === 'skip'
          ? { reason: plan.reason, ...(plan.detail !== undefined && { detail: plan.detail }) }
          : { rule: plan.rule, annotations: plan.annotations, patch: plan.patch }),
        ...(message === undefined ? {} : { message }),
      };
    }),
  };
}

function renderText(report: BulkReport): string {
  const rows = report.pods.map(
    (pod) => [`${pod.plan.namespace}/${pod.plan.name}`, resultOf(pod), details(pod)] as const,
  );
  const widths = [0, 1].map((column) => Math.max(0, ...rows.map((row) => row[column]?.length ?? 0)));
  const lines = rows.map(([pod, result, text]) =>
    `${pod.padEnd(widths[0] ?? 0)}  ${result.padEnd(widths[1] ?? 0)}  ${text}`.trimEnd(),
  );
  const { pods, namespaces, problems } = report;
  const results = [...count(pods.map(resultOf))].map(([result, number]) => `${number} ${result}`).join(', ');
  const heading = `${plural(pods.length, 'pod')} in ${plural(namespaces.length, 'namespace')}`;
  const found = [...reasons(report)];
  const width = Math.max(0, ...found.map(([reason]) => reason.length));
  return [
    ...requestLines(report),
    ...lines,
    ...(lines.length === 0 ? [] : ['']),
    `${heading}${results === '' ? '' : `: ${results}`}.`,
    ...found.map(
      ([reason, number]) => `${String(number).padStart(7)}  ${reason.padEnd(width)}  ${LIVE_POD_SKIP_REASONS[reason]}`,
    ),
    ...problems.map((problem) => `Failed: ${firstLine(problem)}`),
    '',
  ].join('\n');
}

function requestValue({ namespace, pod, address, port, path, verdict }: PodRequest) {
  return { namespace, pod, url: `http://${authorityOf({ address, port })}${path}`, ...(verdict && { verdict }) };
}

/** Returns a line for each request and an empty one, or nothing where asking is off. */
function requestLines({ requests, dryRun }: BulkReport): string[] {
  if (requests === undefined) return [];
  const lines = requests.map((request) => {
    const { namespace, pod, url, verdict } = requestValue(request);
    return `  ${namespace}/${pod}  GET ${url}${verdict === undefined ? '' : `  ${describe(verdict)}`}`;
  });
  const pods = plural(new Set(requests.map(({ namespace, pod }) => `${namespace}/${pod}`)).size, 'pod');
  const heading = dryRun
    ? `At most ${plural(requests.length, 'request')} to ${pods} would be sent, besides those that an answer leads to:`
    : `${plural(requests.length, 'request')} to ${pods}:`;
  return [lines.length === 0 ? heading.replace(/:$/, '.') : heading, ...lines, ''];
}

/** Returns the verdict with its number of series, and what to do where the port can't be scraped. */
function describe(verdict: Verdict): string {
  if (verdict.key === 'metrics') return `${verdict.key}, ${verdict.series} series`;
  return classOf(verdict) === 'unscrapable' ? `${verdict.key}: ${VERDICTS[verdict.key].remedy}` : verdict.key;
}

/** Returns what was done with a pod, or would be. */
function resultOf({ plan, applied }: PodOutcome): string {
  if (plan.action === 'skip') return 'skipped';
  switch (applied?.result) {
    case undefined:
      return plan.action === 'annotate' ? 'would be annotated' : 'would be uninjected';
    case 'done':
      return plan.action === 'annotate' ? 'annotated' : 'uninjected';
    case 'superseded':
      return 'no change needed';
    case 'gone':
      return 'deleted';
    case 'unwanted':
      return 'namespace changed';
    case 'stopped':
      return 'not done';
    case 'interrupted':
    case 'refused':
    case 'failed':
      return applied.result;
  }
}

function details(pod: PodOutcome): string {
  const { plan } = pod;
  if (plan.action === 'skip') return plan.detail === undefined ? plan.reason : `${plan.reason}: ${plan.detail}`;
  const message = failureMessage(pod);
  if (message !== undefined) return firstLine(message);
  const annotations = Object.entries(plan.annotations).filter(([key]) => key !== 'autoscrape.io/injected');
  const text = annotations.map(([key, value]) => `${key}=${value}`).join(' ') || 'only the marker';
  // Anyone who creates a pod can write a marker, so what is removed can hold any characters.
  return stripControls(`${plan.rule}: ${text}`);
}

function failureMessage({ applied }: PodOutcome): string | undefined {
  if (applied?.result === 'interrupted') return 'the API server may have changed it: run the command again';
  return applied?.result === 'failed' || applied?.result === 'refused' ? applied.failure.message : undefined;
}

function reasons({ pods }: BulkReport): Map<LivePodSkipReason, number> {
  return count(pods.flatMap(({ plan }) => (plan.action === 'skip' ? [plan.reason] : [])));
}

/** Returns how often each value occurs, most frequent first. */
function count<T>(values: readonly T[]): Map<T, number> {
  const counts = new Map<T, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return new Map([...counts].toSorted(([, a], [, b]) => b - a));
}

function plural(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

import type { Examined } from './examine.ts';
import { wrap } from './terminal-text.ts';
import { renderPassedOver } from './passed-over.ts';
import type { PassedOver } from './passed-over.ts';

/** A number of workloads, and of the pods that they say they have. */
export interface Count {
  readonly workloads: number;
  readonly pods: number;
}

/** The totals of an `explain` run, as data. */
export interface SummaryRecord extends Count {
  readonly type: 'summary';
  /** `never` are those of them in namespaces where no pod is ever annotated, such as kube-system. */
  readonly annotate: Count & { readonly byRule: Readonly<Record<string, Count>>; readonly never: Count };
  readonly skip: Count & { readonly byReason: Readonly<Record<string, Count>> };
  /** Endpoints that rules find beside those that are annotated, and which no annotation carries. */
  readonly notScraped: { readonly endpoints: number; readonly workloads: number };
  /** Workloads with a warning. */
  readonly withWarnings: number;
  readonly passedOver: number;
}

/** Returns the totals. */
export function summarise(all: readonly Examined[], passedOver: readonly PassedOver[]): SummaryRecord {
  const annotated = all.filter(({ decision }) => decision.outcome === 'annotate');
  const skipped = all.filter(({ decision }) => decision.outcome === 'skip');
  return {
    type: 'summary',
    ...countOf(all),
    annotate: {
      ...countOf(annotated),
      byRule: countBy(annotated, ({ decision }) => decision.rule ?? ''),
      never: countOf(annotated.filter(({ optIn }) => optIn === 'never')),
    },
    skip: {
      ...countOf(skipped),
      byReason: countBy(skipped, ({ decision }) => (decision.outcome === 'skip' ? decision.reason : '')),
    },
    notScraped: notScraped(annotated),
    withWarnings: all.filter(({ warnings }) => warnings.length > 0).length,
    passedOver: passedOver.length,
  };
}

function notScraped(annotated: readonly Examined[]): SummaryRecord['notScraped'] {
  const numbers = annotated.map(({ decision }) =>
    decision.outcome === 'skip'
      ? 0
      : decision.endpoints.filter(({ left }) => left !== undefined && left !== 'hint').length,
  );
  return {
    endpoints: numbers.reduce((sum, each) => sum + each, 0),
    workloads: numbers.filter((each) => each > 0).length,
  };
}

function countOf(all: readonly Examined[]): Count {
  return { workloads: all.length, pods: all.reduce((sum, { pods }) => sum + pods, 0) };
}

/** Returns the counts of each group, the largest first. */
function countBy(all: readonly Examined[], by: (examined: Examined) => string): Readonly<Record<string, Count>> {
  const groups = [...Map.groupBy(all, by)].map(([key, group]): [string, Count] => [key, countOf(group)]);
  return Object.fromEntries(groups.toSorted(([, a], [, b]) => b.workloads - a.workloads));
}

/** Returns the last lines of `explain`: the totals, where there are several workloads by rule and reason, and what was passed over. */
export function renderSummary(summary: SummaryRecord, passedOver: readonly PassedOver[], columns: number): string {
  const { workloads, annotate, skip, notScraped: lost } = summary;
  const left = renderPassedOver(passedOver).flatMap((line) => wrap(line, columns, '', '  '));
  if (workloads === 0)
    return [left.length === 0 ? 'Nothing here creates pods.' : 'No workload here.', ...left].join('\n');
  const first = `${number(workloads)} workload${workloads === 1 ? '' : 's'}: ${amount(annotate)} would be annotated, ${amount(skip)} skipped.`;
  const groups = (what: string, by: Readonly<Record<string, Count>>): string[] =>
    Object.keys(by).length === 0
      ? []
      : wrap(
          `${what}${Object.entries(by)
            .map(([key, count]) => `${key} ${amount(count)}`)
            .join(', ')}`,
          columns,
          '  ',
          ' '.repeat(16),
        );
  return [
    first,
    ...(annotate.never.workloads === 0
      ? []
      : wrap(`of these ${amount(annotate.never)} in namespaces where no pod is ever annotated`, columns)),
    ...(workloads === 1
      ? []
      : [...groups('annotated by  ', annotate.byRule), ...groups('skipped       ', skip.byReason)]),
    ...(lost.endpoints === 0
      ? []
      : wrap(
          `not scraped   ${number(lost.endpoints)} further endpoint${lost.endpoints === 1 ? '' : 's'} of ` +
            `${number(lost.workloads)} workload${lost.workloads === 1 ? '' : 's'}, which no annotation carries: the warnings say what to do`,
          columns,
          '  ',
          ' '.repeat(16),
        )),
    ...left,
  ].join('\n');
}

/** Returns the number of workloads, and of their pods where that is another one. */
function amount({ workloads, pods }: Count): string {
  return workloads === pods ? number(workloads) : `${number(workloads)} (${number(pods)} pod${pods === 1 ? '' : 's'})`;
}

function number(value: number): string {
  return value.toLocaleString('en');
}

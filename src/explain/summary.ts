import type { OtherObject } from '../manifest/workload.ts';
import { renderPassedOver } from './passed-over.ts';

/** Counts of an `explain` run. */
export interface Seen {
  readonly annotated: number;
  readonly skipped: number;
  /** The objects that are no workloads. */
  readonly others: readonly OtherObject[];
}

/** Returns the last lines of `explain`: the number of workloads, and of objects that were passed over. */
export function renderSummary({ annotated, skipped, others }: Seen): string {
  const workloads = annotated + skipped;
  const passedOver = renderPassedOver(others);
  const first =
    workloads === 0
      ? others.length === 0
        ? 'Nothing here creates pods.'
        : 'No workload here.'
      : `${count(workloads, 'workload')}: ${annotated} would be annotated, ${skipped} skipped.`;
  return [first, ...passedOver].join('\n');
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

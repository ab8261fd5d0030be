/** Counts of an `explain` run. */
export interface Seen {
  readonly annotated: number;
  readonly skipped: number;
  /** The number of objects of each kind that create no pods; the kind is empty where the object has none. */
  readonly others: ReadonlyMap<string, number>;
}

/** Returns the last line of `explain`: the number of workloads, and of objects that were not read. */
export function renderSummary({ annotated, skipped, others }: Seen): string {
  const workloads = annotated + skipped;
  const first =
    workloads === 0
      ? 'Nothing here creates pods.'
      : `${count(workloads, 'workload')}: ${annotated} would be annotated, ${skipped} skipped.`;
  const notRead = [...others].map(([kind, number]) => `${number} ${kind === '' ? 'without a kind' : kind}`);
  return notRead.length === 0 ? first : `${first} Not read, because they create no pods: ${notRead.join(', ')}.`;
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

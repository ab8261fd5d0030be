/** What an `explain` run has seen. */
export interface Seen {
  readonly annotated: number;
  readonly leftAlone: number;
  /** How many objects of each kind make no pods; the kind is empty where there is none. */
  readonly others: ReadonlyMap<string, number>;
}

/** Returns the last line of `explain`: how many workloads there were, and what was passed over. */
export function renderSummary({ annotated, leftAlone, others }: Seen): string {
  const workloads = annotated + leftAlone;
  const first =
    workloads === 0
      ? 'Nothing here makes pods.'
      : `${count(workloads, 'workload')}: ${annotated} annotated, ${leftAlone} left alone.`;
  const passed = [...others].map(([kind, number]) => `${number} ${kind === '' ? 'without a kind' : kind}`);
  return passed.length === 0 ? first : `${first} Passed over, since they make no pods: ${passed.join(', ')}.`;
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

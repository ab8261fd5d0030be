import { readOptIn, unknownValue } from './inject-label.ts';

/** The label that says, on a namespace or a pod, whether the reconciler may ask its pods. */
export const ASK_LABEL = 'autoscrape.io/ask';

/**
 * Returns whether the label's values allow asking: the pod's comes before its namespace's. Without
 * either, asking is allowed; a value that means neither yes nor no counts as no.
 */
export function allowsAsking(pod: string | undefined, namespace?: string): boolean {
  const value = pod ?? namespace;
  return value === undefined || readOptIn(value) === 'yes';
}

/**
 * Returns what is wrong with a value of the label that means neither yes nor no, and what to write
 * instead; undefined for a value that means one of them, and for none.
 */
export function askLabelProblem(value: string | undefined): string | undefined {
  return value === undefined || readOptIn(value) !== 'unknown' ? undefined : unknownValue(ASK_LABEL, value);
}

/** The label that opts a namespace in, and a pod out. Which pods that makes is in pod-selectors.ts. */
export const OPT_IN_LABEL = 'autoscrape.io/inject';

/** Returns what a value of the label means. `unknown` counts as no, but its author is warned. */
export function readOptIn(value: string): 'yes' | 'no' | 'unknown' {
  // Istio's labels are "enabled" on namespaces and "true" on pods, so users write both in both
  // places.
  if (value === 'enabled' || value === 'true') return 'yes';
  return value === 'disabled' || value === 'false' ? 'no' : 'unknown';
}

/** A valid label value (apimachinery's validation). A review can contain any other string. */
const LABEL_VALUE = /^[\w.-]{0,63}$/;

/**
 * Returns what is wrong with a value of the opt-in label that means neither yes nor no, and what to
 * write instead.
 */
export function unknownOptIn(value: string): string {
  return unknownValue(OPT_IN_LABEL, value);
}

/** Returns the same of any label that has the values of {@link OPT_IN_LABEL}. */
export function unknownValue(label: string, value: string): string {
  const found = LABEL_VALUE.test(value) ? `"${value}"` : 'not a valid label value';
  return `label ${label} is ${found}, which is read as no: write enabled or disabled`;
}

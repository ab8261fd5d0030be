import { ASK_LABEL } from '../core/ask-label.ts';
import { member, textEntries } from '../core/json.ts';
import { OPT_IN_LABEL, readOptIn, unknownValue } from '../core/inject-label.ts';
import { judgeNamespace } from '../core/pod-selectors.ts';
import type { PodSelectors } from '../core/pod-selectors.ts';
import type { OtherObject } from '../manifest/workload.ts';

/**
 * Returns the Namespaces with a label of ours that means neither yes nor no, with what to write instead. Where the
 * selectors don't look at the opt-in label, nobody reads it.
 */
export function namespaceProblems(
  others: readonly OtherObject[],
  selectors: PodSelectors,
): { readonly name: string; readonly problem: string }[] {
  return others
    .filter(({ kind }) => kind === 'Namespace')
    .flatMap(({ name, object }) => {
      const labels = member(member(object, 'metadata'), 'labels');
      const isRead = judgeNamespace(selectors, name, new Map(textEntries(labels)))?.optIn === 'unknown';
      return [...(isRead ? [OPT_IN_LABEL] : []), ASK_LABEL].flatMap((label) => {
        const value = member(labels, label);
        return typeof value === 'string' && readOptIn(value) === 'unknown'
          ? [{ name, problem: unknownValue(label, value) }]
          : [];
      });
    });
}

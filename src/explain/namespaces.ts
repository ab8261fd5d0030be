import { ASK_LABEL } from '../core/ask-label.ts';
import { member } from '../core/json.ts';
import { OPT_IN_LABEL, readOptIn, unknownValue } from '../core/opt-in.ts';
import type { OtherObject } from '../manifest/workload.ts';

/** Returns the Namespaces with a label of ours that means neither yes nor no, with what to write instead. */
export function namespaceProblems(
  others: readonly OtherObject[],
): { readonly name: string; readonly problem: string }[] {
  return others
    .filter(({ kind }) => kind === 'Namespace')
    .flatMap(({ name, object }) => {
      const labels = member(member(object, 'metadata'), 'labels');
      return [OPT_IN_LABEL, ASK_LABEL].flatMap((label) => {
        const value = member(labels, label);
        return typeof value === 'string' && readOptIn(value) === 'unknown'
          ? [{ name, problem: unknownValue(label, value) }]
          : [];
      });
    });
}

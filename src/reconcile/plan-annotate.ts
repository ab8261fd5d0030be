import { MARKER_KEY, readMarker } from '../core/annotations/marker.ts';
import { decide } from '../core/decide.ts';
import type { Annotate } from '../core/decision.ts';
import { renderPatch } from '../core/patch.ts';
import { readPod } from '../core/pod/pod.ts';
import { textEntries, member } from '../core/json.ts';
import type { Rules } from '../core/rules/parse.ts';
import { satisfies } from '../core/rules/selector.ts';
import type { SelectorText } from '../core/rules/selector-text.ts';
import type { NamespaceAsking } from './asking.ts';
import { isLeftToAsking } from './decide-asked.ts';
import { readEnd, readRef, testVersion } from './plan.ts';
import type { ChangePlan, Planner, PodRef } from './plan.ts';

/**
 * Returns a planner that annotates pods as the webhook would have, and with `asking` also those
 * whose ports have answered. It skips pods that are terminating or finished, and pods whose
 * annotations by autoscrape somebody has changed since. With `selector` it skips the pods that this
 * does not select, as the webhook is not called for them. It only adds annotations.
 */
export function annotatePlanner(
  rules: Rules,
  mesh: boolean,
  asking?: NamespaceAsking,
  selector?: SelectorText,
): Planner {
  return (object) => {
    const ref = readRef(object);
    if (ref === undefined) return undefined;
    const end = readEnd(object);
    if (end !== undefined) return { ...ref, action: 'skip', reason: end };
    if (selector !== undefined && !isSelected(object, selector))
      return { ...ref, action: 'skip', reason: 'not_selected' };
    const decision = decide(object, rules, { mesh, live: true });
    if (asking === undefined || !isLeftToAsking(decision)) {
      if (decision.outcome === 'skip') {
        const { reason, suspects } = decision;
        return { ...ref, action: 'skip', reason, ...(suspects !== undefined && { suspects }) };
      }
      return hasMarker(object)
        ? { ...ref, action: 'skip', reason: 'changed_since' }
        : changePlan(ref, object, decision);
    }
    if (hasMarker(object)) return { ...ref, action: 'skip', reason: 'changed_since' };
    const { note, ...asked } = asking.decide(object, ref.name, decision);
    const noted = note === undefined ? {} : { asking: note };
    if (asked.outcome === 'annotate') {
      return { ...changePlan(ref, object, asked.decision), isLeftToAsking: true, ...noted };
    }
    const { outcome: _, ...skipped } = asked;
    return { ...ref, action: 'skip', ...skipped, ...noted };
  };
}

function isSelected(object: unknown, { requirements }: SelectorText): boolean {
  return satisfies(new Map(textEntries(member(member(object, 'metadata'), 'labels'))), requirements);
}

/**
 * Returns whether autoscrape has annotated the pod before. Who removes or changes a value on a live
 * pod means it: adding it again would fight them.
 */
function hasMarker(object: unknown): boolean {
  return readMarker(readPod(object)?.annotations.get(MARKER_KEY)) !== undefined;
}

function changePlan(ref: PodRef, object: unknown, decision: Annotate): ChangePlan {
  const { rule, annotations } = decision;
  const patch = [testVersion(ref), ...renderPatch(object, decision)];
  return { ...ref, action: 'annotate', rule, annotations, patch };
}

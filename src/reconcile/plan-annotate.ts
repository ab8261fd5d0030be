import { MARKER_KEY, readMarker } from '../core/annotations/marker.ts';
import { decide } from '../core/decide.ts';
import type { Annotate } from '../core/decision.ts';
import { renderPatch } from '../core/patch.ts';
import { readPod } from '../core/pod/pod.ts';
import type { Rules } from '../core/rules/parse.ts';
import type { NamespaceAsking } from './asking.ts';
import { isLeftToAsking } from './decide-asked.ts';
import { readEnd, readRef, testVersion } from './plan.ts';
import type { ChangePlan, Planner, PodRef } from './plan.ts';

/**
 * Returns a planner that annotates pods as the webhook would have, and with `asking` also those
 * whose ports have answered. It skips pods that are terminating or finished, and pods whose
 * annotations by autoscrape somebody has changed since. It only adds annotations.
 */
export function annotatePlanner(rules: Rules, mesh: boolean, asking?: NamespaceAsking): Planner {
  return (object) => {
    const ref = readRef(object);
    if (ref === undefined) return undefined;
    const end = readEnd(object);
    if (end !== undefined) return { ...ref, action: 'skip', reason: end };
    const decision = decide(object, rules, { mesh });
    const isAsked = asking !== undefined && isLeftToAsking(decision);
    if (decision.outcome === 'skip' && !isAsked) return { ...ref, action: 'skip', reason: decision.reason };
    const pod = readPod(object);
    // Who removes or changes a value on a live pod means it. Adding it again would fight them.
    if (pod !== undefined && readMarker(pod.annotations.get(MARKER_KEY)) !== undefined) {
      return { ...ref, action: 'skip', reason: 'changed_since' };
    }
    if (!isAsked) return decision.outcome === 'skip' ? undefined : changePlan(ref, object, decision);
    const { note, ...asked } = asking.decide(object, ref.name, decision);
    const asked_ = note === undefined ? {} : { asking: note };
    return asked.outcome === 'skip'
      ? { ...ref, action: 'skip', reason: asked.reason, ...asked_ }
      : { ...changePlan(ref, object, asked.decision), isLeftToAsking: true, ...asked_ };
  };
}

function changePlan(ref: PodRef, object: unknown, decision: Annotate): ChangePlan {
  const { rule, annotations } = decision;
  const patch = [testVersion(ref), ...renderPatch(object, decision)];
  return { ...ref, action: 'annotate', rule, annotations, patch };
}

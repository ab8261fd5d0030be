import { decide } from '../core/decide.ts';
import { explain } from '../core/explain.ts';
import type { Candidate } from '../core/explain.ts';
import { member, textEntries } from '../core/json.ts';
import type { NamespaceOptIn } from '../core/pod-selectors.ts';
import type { Rules } from '../core/rules/rule.ts';
import type { Workload } from '../manifest/workload.ts';
import { adviseOn } from './advice.ts';
import type { Advice } from './advice.ts';
import type { Related } from './related-objects.ts';
import { remarksOn } from './remarks.ts';
import { leftOut } from './unselected.ts';
import type { Outcome, WhyUnselected } from './unselected.ts';

/** A workload, with the decision on its pod and what else is to be said about it. */
export interface Examined {
  readonly workload: Workload;
  /** The name of the file, or `standard input`; empty for an object of a cluster. */
  readonly file: string;
  /** Whether the pods of its namespace are annotated at all; undefined where the input does not tell. */
  readonly optIn: NamespaceOptIn | undefined;
  readonly decision: Outcome;
  /** The number of pods that it says it has, as far as it does. */
  readonly pods: number;
  /** Those of the decision, and what somebody should correct elsewhere. */
  readonly warnings: readonly string[];
}

/** The same with everything that takes longer: what each rule says about each port, and what to do. */
export interface ExaminedInFull extends Examined {
  readonly candidates: readonly Candidate[];
  readonly notes: readonly string[];
  readonly advice: Advice;
}

/** What an examination depends on besides the workload. */
export interface ExamineSurroundings {
  readonly rules: Rules;
  readonly related: Related;
  /** Whether Istio injects its proxy, whatever the input says. */
  readonly mesh: boolean;
  /** The namespace of workloads that name none; empty where it is unknown. */
  readonly defaultNamespace: string;
}

/** A workload and its file. */
export type Found = Pick<Examined, 'workload' | 'file'>;

/** Returns the decision on a workload's pod, with warnings. */
export function examine(found: Found, surroundings: ExamineSurroundings): Examined {
  const { place, ...of } = placeOf(found, surroundings);
  const decided = decide(found.workload.pod, surroundings.rules, of);
  return combine(found, unselected(found, place).pod === undefined ? decided : leftOut(decided), surroundings, place);
}

/** Returns the decision on a workload's pod, with everything that can be said about it. */
export function examineInFull(found: Found, surroundings: ExamineSurroundings): ExaminedInFull {
  const { rules } = surroundings;
  const { place, ...of } = placeOf(found, surroundings);
  const { decision: decided, candidates, notes } = explain(found.workload.pod, rules, of);
  const { namespace, related } = place;
  const why = unselected(found, place);
  const decision = why.pod === undefined ? decided : leftOut(decided);
  const remarks = remarksOn(found.workload, decision, related, rules, namespace);
  return {
    ...combine(found, decision, surroundings, place, remarks.warnings),
    candidates,
    // How scrapers read annotations is no matter where none are written.
    notes: [...(decision === decided ? notes : []), ...remarks.notes],
    advice: adviseOn(found.workload, decision, { ...place, remarks: remarks.warnings, unselected: why }),
  };
}

function unselected({ workload }: Found, { related, namespace }: Place): WhyUnselected {
  return related.unselected(namespace, new Map(textEntries(member(member(workload.pod, 'metadata'), 'labels'))));
}

interface Place {
  readonly rules: Rules;
  readonly related: Related;
  readonly namespace: string;
}

function placeOf(
  { workload }: Found,
  { rules, related, mesh, defaultNamespace }: ExamineSurroundings,
): { readonly place: Place; readonly mesh: boolean; readonly namespace: string | undefined } {
  const namespace = workload.namespace || defaultNamespace;
  return {
    place: { rules, related, namespace },
    mesh: mesh || related.namespace(namespace)?.mesh === true,
    namespace: namespace === '' ? undefined : namespace,
  };
}

function combine(
  { workload, file }: Found,
  decision: Outcome,
  { rules }: ExamineSurroundings,
  { related, namespace }: Place,
  remarks: readonly string[] = remarksOn(workload, decision, related, rules, namespace).warnings,
): Examined {
  const optIn = related.namespace(namespace)?.optIn;
  return { workload, file, optIn, decision, pods: replicasOf(workload), warnings: [...decision.warnings, ...remarks] };
}

/** Returns how many pods the workload has: what it asks for, or for a DaemonSet on how many nodes it is. */
function replicasOf({ object }: Workload): number {
  const { spec, status } = asSized(object);
  const number = spec?.replicas ?? status?.desiredNumberScheduled;
  return typeof number === 'number' && Number.isInteger(number) && number >= 0 ? number : 1;
}

interface Sized {
  readonly spec?: { readonly replicas?: unknown } | null;
  readonly status?: { readonly desiredNumberScheduled?: unknown } | null;
}

function asSized(object: unknown): Sized {
  return typeof object === 'object' && object !== null ? object : {};
}

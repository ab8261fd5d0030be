import { qualifiedKind } from '../manifest/kinds.ts';
import type { MakesPods } from '../manifest/kinds.ts';
import type { OtherObject } from '../manifest/workload.ts';

/** Why an object is no workload, in one sentence each. */
const BECAUSE = {
  no: 'Objects of this kind create no pods.',
  operator:
    'The operator of this kind makes its pods; autoscrape annotates them as they are created. ' +
    'Ask of one of them: kubectl get pod POD -o yaml | autoscrape explain -f -',
  unknown:
    'A custom resource without a pod template. If an operator makes pods of it, autoscrape annotates them as they are ' +
    'created: kubectl get pod POD -o yaml | autoscrape explain -f -',
} as const satisfies Record<MakesPods, string>;

/** An object that is no workload, as data. */
export interface PassedOverRecord {
  readonly type: 'passed_over';
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  /** Whether pods are made of it: `no`, `operator` or `unknown`. */
  readonly makesPods: MakesPods;
  readonly because: string;
}

/** Returns an object that is no workload as plain data. */
export function passedOverRecord({ apiVersion, kind, namespace, name, makesPods }: OtherObject): PassedOverRecord {
  return { type: 'passed_over', apiVersion, kind, namespace, name, makesPods, because: BECAUSE[makesPods] };
}

/** Returns sentences on the objects that are no workloads, those that make no pods in one. */
export function renderPassedOver(others: readonly OtherObject[]): string[] {
  const of = (wanted: MakesPods): string => list(others.filter(({ makesPods }) => makesPods === wanted));
  const [none, operator, unknown] = [of('no'), of('operator'), of('unknown')];
  return [
    ...(none === '' ? [] : [`Not read, because they create no pods: ${none}.`]),
    ...(operator === '' ? [] : [`${operator}: ${lowerFirst(BECAUSE.operator)}`]),
    ...(unknown === '' ? [] : [`${unknown}: ${lowerFirst(BECAUSE.unknown)}`]),
  ];
}

/** Returns the number of objects of each kind, in the order of the input. */
function list(objects: readonly OtherObject[]): string {
  const counts = new Map<string, number>();
  for (const { apiVersion, kind } of objects) {
    const called = kind === '' ? 'without a kind' : qualifiedKind(apiVersion, kind);
    counts.set(called, (counts.get(called) ?? 0) + 1);
  }
  return [...counts].map(([kind, count]) => `${count} ${kind}`).join(', ');
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}

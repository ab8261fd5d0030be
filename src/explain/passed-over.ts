import { qualifiedKind } from '../manifest/kinds.ts';
import type { Owned } from '../manifest/owners.ts';
import type { ManifestObject, OtherObject } from '../manifest/workload.ts';

/** Why an object of the input is not explained: a stable key, with its sentence. */
const BECAUSE = {
  no_pods: 'Objects of this kind create no pods.',
  no_kind: 'It has no kind, so it is no Kubernetes object: begin with apiVersion and kind.',
  operator:
    'The operator of this kind makes its pods; autoscrape annotates them as they are created. ' +
    'Ask about one of them: autoscrape explain pod/POD',
  unknown_kind:
    'A custom resource without a pod template. If an operator makes pods of it, autoscrape annotates them as they are ' +
    'created: autoscrape explain pod/POD',
  counted_with_owner: 'Its owner is in the same input, and is explained.',
} as const;

/** An object of the input that is not explained. */
export interface PassedOver {
  readonly object: ManifestObject;
  readonly why: keyof typeof BECAUSE;
  /** What makes it, where that is in the input. */
  readonly owner: string | null;
}

/** The same as data. */
export interface PassedOverRecord {
  readonly type: 'passed_over';
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly why: PassedOver['why'];
  readonly because: string;
  readonly owner: string | null;
}

/** Returns the objects that are not explained, in their order: those that are no workloads, and those that another makes. */
export function passedOver(others: readonly OtherObject[], owned: Owned['owned']): PassedOver[] {
  const WHY = { none: 'no_pods', by_operator: 'operator', unknown: 'unknown_kind' } as const;
  return [
    ...others.map((object) => ({
      object,
      why: object.kind === '' ? ('no_kind' as const) : WHY[object.pods],
      owner: null,
    })),
    ...owned.map(({ workload, owner }) => ({ object: workload, why: 'counted_with_owner' as const, owner })),
  ];
}

/** Returns an object that is not explained as plain data. */
export function passedOverRecord({ object, why, owner }: PassedOver): PassedOverRecord {
  const { apiVersion, kind, namespace, name } = object;
  return { type: 'passed_over', apiVersion, kind, namespace, name, why, because: BECAUSE[why], owner };
}

/** Returns sentences on the objects that are not explained: one for each reason, with the number of each kind. */
export function renderPassedOver(all: readonly PassedOver[]): string[] {
  const of = (wanted: PassedOver['why']): string => list(all.filter(({ why }) => why === wanted));
  const kindless = all.filter(({ why }) => why === 'no_kind').length;
  const [none, operator, unknown, counted] = [
    of('no_pods'),
    of('operator'),
    of('unknown_kind'),
    of('counted_with_owner'),
  ];
  return [
    ...(counted === '' ? [] : [`Counted with their owners: ${counted}.`]),
    ...(none === '' ? [] : [`Not read, because they create no pods: ${none}.`]),
    ...(kindless === 0
      ? []
      : [`Not read: ${kindless} without a kind, and so no Kubernetes object: begin with apiVersion and kind.`]),
    ...(operator === '' ? [] : [`${operator}: ${lowerFirst(BECAUSE.operator)}`]),
    ...(unknown === '' ? [] : [`${unknown}: ${lowerFirst(BECAUSE.unknown_kind)}`]),
  ];
}

/** Returns the number of objects of each kind, in the order of the input. */
function list(all: readonly PassedOver[]): string {
  const counts = new Map<string, number>();
  for (const { object } of all) {
    const called = qualifiedKind(object.apiVersion, object.kind);
    counts.set(called, (counts.get(called) ?? 0) + 1);
  }
  return [...counts].map(([kind, count]) => `${count} ${kind}`).join(', ');
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}

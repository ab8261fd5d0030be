/** A Kubernetes label selector: all of its requirements hold together. */
export interface LabelSelector {
  readonly matchLabels?: Readonly<Record<string, string>> | undefined;
  readonly matchExpressions?: readonly LabelRequirement[] | undefined;
}

/** One requirement of a {@link LabelSelector}, as in `metav1.LabelSelectorRequirement`. */
export interface LabelRequirement {
  readonly key: string;
  readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist';
  readonly values?: readonly string[] | undefined;
}

/** Returns whether the selector selects what carries the labels. */
export function selects(selector: LabelSelector, labels: ReadonlyMap<string, string>): boolean {
  return satisfies(labels, requirements(selector));
}

/**
 * Returns whether the labels satisfy all requirements, as `metav1.LabelSelectorAsSelector` would
 * have it.
 */
export function satisfies(labels: ReadonlyMap<string, string>, all: readonly LabelRequirement[]): boolean {
  return all.every(({ key, operator, values = [] }) => {
    const value = labels.get(key);
    switch (operator) {
      case 'In':
        return value !== undefined && values.includes(value);
      case 'NotIn':
        return value === undefined || !values.includes(value);
      case 'Exists':
        return value !== undefined;
      case 'DoesNotExist':
        return value === undefined;
    }
  });
}

/**
 * Returns a sentence on why no labels can ever satisfy the selector, or undefined where some can.
 */
export function contradiction(selector: LabelSelector): string | undefined {
  const byKey = Map.groupBy(requirements(selector), (requirement) => requirement.key);
  for (const [key, all] of byKey) {
    const forbidden = new Set(all.flatMap((r) => (r.operator === 'NotIn' ? (r.values ?? []) : [])));
    const mustExist = all.some((r) => r.operator === 'In' || r.operator === 'Exists');
    if (mustExist && all.some((r) => r.operator === 'DoesNotExist'))
      return `the label ${key} can't both exist and not exist`;
    const wanted = all.filter((r) => r.operator === 'In' && r.values !== undefined).map((r) => new Set(r.values));
    const [first, ...others] = wanted;
    if (first === undefined) continue;
    const left = [...first].filter((value) => !forbidden.has(value) && others.every((set) => set.has(value)));
    if (left.length === 0) return `no value of the label ${key} satisfies all of it`;
  }
  return undefined;
}

/** Returns the selector as one list of requirements. */
export function requirements(selector: LabelSelector): LabelRequirement[] {
  return [
    ...Object.entries(selector.matchLabels ?? {}).map(([key, value]) => ({
      key,
      operator: 'In' as const,
      values: [value],
    })),
    ...(selector.matchExpressions ?? []),
  ];
}

import { isObject, member } from '../json.ts';
import type { LabelRequirement } from './selector.ts';

const OPERATORS = ['In', 'NotIn', 'Exists', 'DoesNotExist'] as const;

/** Returns the requirements of a label selector as objects of the API have it; those of a wrong type are left out. */
export function requirementsOf(selector: unknown): LabelRequirement[] {
  const labels = member(selector, 'matchLabels');
  const expressions = member(selector, 'matchExpressions');
  return [
    ...(isObject(labels) ? Object.entries(labels) : []).map(([key, value]) => ({
      key,
      operator: 'In' as const,
      values: [String(value)],
    })),
    ...(Array.isArray(expressions) ? expressions : []).flatMap((expression: unknown) => {
      const key = member(expression, 'key');
      const operator = OPERATORS.find((one) => one === member(expression, 'operator'));
      const values = member(expression, 'values');
      return typeof key === 'string' && operator !== undefined
        ? [{ key, operator, values: Array.isArray(values) ? values.map(String) : [] }]
        : [];
    }),
  ];
}

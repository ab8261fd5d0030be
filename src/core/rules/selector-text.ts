import type { Result } from '../result.ts';
import type { LabelRequirement } from './selector.ts';

/** A label selector as kubectl and the API server's `labelSelector` take it. */
export interface SelectorText {
  readonly text: string;
  readonly requirements: readonly LabelRequirement[];
}

/**
 * One requirement, up to the comma behind it: `!key`, `key`, `key=value` (or `==`, `!=`), `key in (a,b)` and
 * `key notin (a,b)`, as `labels.Parse` of apimachinery reads them. It compares no numbers.
 */
const REQUIREMENT =
  /\s*(?:!\s*(?<absent>[\w./-]+)|(?<key>[\w./-]+)\s*(?:(?<sign>==?|!=)\s*(?<value>[\w.-]*)|(?<set>in|notin)\s*\((?<values>[^()]*)\))?)\s*(?:,|$)/y;

/** Returns the selector, or what is wrong with it. An empty one selects everything. */
export function parseSelector(text: string): Result<SelectorText, string> {
  const requirements: LabelRequirement[] = [];
  if (text.trim() === '') return { ok: true, value: { text: '', requirements } };
  const pattern = new RegExp(REQUIREMENT);
  let end = 0;
  do {
    const groups = pattern.exec(text)?.groups;
    if (groups === undefined) return { ok: false, error: `"${text.slice(end)}" is not a label selector` };
    requirements.push(requirement(groups));
    end = pattern.lastIndex;
  } while (end < text.length);
  return text.trimEnd().endsWith(',')
    ? { ok: false, error: `"${text}" ends with a comma` }
    : { ok: true, value: { text, requirements } };
}

function requirement({
  absent,
  key = '',
  sign,
  value = '',
  set,
  values = '',
}: Record<string, string | undefined>): LabelRequirement {
  if (absent !== undefined) return { key: absent, operator: 'DoesNotExist' };
  if (sign !== undefined) return { key, operator: sign === '!=' ? 'NotIn' : 'In', values: [value] };
  if (set === undefined) return { key, operator: 'Exists' };
  const list = values.split(',').map((one) => one.trim());
  return { key, operator: set === 'in' ? 'In' : 'NotIn', values: list };
}

/** Returns requirements as kubectl has them, such as `team=shop,env in (prod,test),!legacy`: what {@link parseSelector} reads. */
export function selectorText(requirements: readonly LabelRequirement[]): string {
  return requirements.map(requirementText).join(',');
}

function requirementText({ key, operator, values = [] }: LabelRequirement): string {
  switch (operator) {
    case 'Exists':
      return key;
    case 'DoesNotExist':
      return `!${key}`;
    case 'In':
      return values.length === 1 ? `${key}=${values[0]}` : `${key} in (${values.join(',')})`;
    case 'NotIn':
      return values.length === 1 ? `${key}!=${values[0]}` : `${key} notin (${values.join(',')})`;
  }
}

import { Document, isMap, isNode, isSeq } from 'yaml';
import type { Rules, Shipped } from '../core/rules/parse.ts';

/** The effective rules, and how many of them are the user's. */
export interface Effective {
  /** A rules file with all of them. It leaves out the shipped catalogue of images, which always applies. */
  readonly file: Readonly<Record<string, unknown>>;
  /** How many of the rules are the user's. They come first. */
  readonly own: number;
  /** How many are shipped. */
  readonly shipped: number;
}

/** Returns the effective rules of a rules file: its own in their order, then the shipped ones that it doesn't disable. */
export function effectiveRules({ effective }: Rules, { defaults, images }: Shipped): Effective {
  const shipped = effective.rules.filter((rule) => defaults.rules.includes(rule)).length;
  return {
    file: {
      extends: 'none',
      https: effective.https,
      endpoints: effective.endpoints,
      annotations: effective.annotations,
      ...(effective.dialects.length > 0 && { dialects: effective.dialects }),
      ignoreContainers: [...new Set(effective.ignoreContainers)],
      pathFrom: [...new Set(effective.pathFrom)],
      ...(effective.ask.never.length > 0 && { ask: effective.ask }),
      images: effective.images.slice(0, effective.images.length - images.length),
      rules: effective.rules,
    },
    own: effective.rules.length - shipped,
    shipped,
  };
}

/** Returns the effective rules as YAML, with a comment where the shipped ones begin. */
export function renderEffective({ file, own, shipped }: Effective): string {
  const document = new Document(file);
  const comment = (path: readonly (string | number)[], text: string): void => {
    const node: unknown = document.getIn(path, true);
    if (isNode(node)) node.commentBefore = ` ${text}`;
  };
  comment(['rules', 0], own > 0 ? 'Yours:' : 'Shipped:');
  if (own > 0 && shipped > 0) comment(['rules', own], 'Shipped:');
  // A blank line between rules, and no wrapped lines.
  const rules: unknown = document.get('rules', true);
  for (const rule of isSeq(rules) ? rules.items.slice(1) : []) if (isMap(rule)) rule.spaceBefore = true;
  return document.toString({ lineWidth: 0 });
}

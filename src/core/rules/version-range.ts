import type { Result } from '../result.ts';

/** A range of versions, such as `>=3.6` or `>=1.2 <2`, which an image's tag is compared with. */
export interface VersionRange {
  readonly source: string;
  /**
   * Returns whether the tag's version is in the range; undefined where the tag does not tell:
   * `latest`, a commit, or `3` where the range begins at 3.6.
   */
  readonly includes: (tag: string) => boolean | undefined;
}

interface Bound {
  readonly operator: '<' | '>=';
  readonly version: readonly number[];
}

/** Returns the range, or a sentence on why the text is none. */
export function parseVersionRange(source: string): Result<VersionRange, string> {
  const bounds: Bound[] = [];
  for (const part of source.split(' ')) {
    const [, operator, text = ''] = /^(<|>=)(\d{1,6}(?:\.\d{1,6}){0,2})$/.exec(part) ?? [];
    if (operator !== '<' && operator !== '>=')
      return { ok: false, error: 'must be one or two of "<VERSION" and ">=VERSION", such as ">=1.2 <2"' };
    bounds.push({ operator, version: text.split('.').map(Number) });
  }
  return {
    ok: true,
    value: {
      source,
      includes(tag) {
        const version = versionOf(tag);
        if (version === undefined) return undefined;
        const results = bounds.map((bound) => satisfies(version, bound));
        return results.includes(undefined) ? undefined : results.every((result) => result === true);
      },
    },
  };
}

/**
 * A tag that begins with a version: `v3.6.0`, `3.6.0-rc1`, `1.4.0-debian-12-r0`, `26`. A commit of digits
 * has more than six.
 */
const TAG = /^v?(\d{1,6}(?:\.\d{1,6}){0,2})(?![\w.]*$)|^v?(\d{1,6}(?:\.\d{1,6}){0,2})$/;

function versionOf(tag: string): readonly number[] | undefined {
  if (tag.length > 128) return undefined; // the longest tag that a registry accepts
  const found = TAG.exec(tag);
  return (found?.[1] ?? found?.[2])?.split('.').map(Number);
}

function satisfies(version: readonly number[], { operator, version: bound }: Bound): boolean | undefined {
  for (const [i, wanted] of bound.entries()) {
    const own = version[i];
    // `3` may be any release of 3.
    if (own === undefined) return wanted === 0 && operator === '>=' ? true : undefined;
    if (own !== wanted) return own > wanted === (operator === '>=');
  }
  return operator === '>=';
}

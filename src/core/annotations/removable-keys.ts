import { DIALECT_NAMES, DIALECTS } from './dialects/dialects.ts';
import { ISTIO_TARGETS_KEY } from './istio-targets.ts';
import { MARKER_KEY } from './marker.ts';
import { numberedKeys } from './numbered-keys.ts';
import type { AnnotationKeys } from './scrape-keys.ts';

/**
 * The annotation keys that autoscrape writes, whichever endpoints and dialects the rules ask for: what was written before must be
 * removable.
 */
export interface WrittenKeys {
  readonly fixed: ReadonlySet<string>;
  /** Those that are made from words of a pod. */
  readonly patterns: readonly RegExp[];
}

/** Returns every annotation key that autoscrape writes with these keys. */
export function writtenKeys(keys: AnnotationKeys): WrittenKeys {
  const dialects = DIALECT_NAMES.map((name) => DIALECTS[name]);
  return {
    fixed: new Set([
      ...Object.values(keys),
      ...numberedKeys(keys),
      ISTIO_TARGETS_KEY,
      MARKER_KEY,
      ...dialects.flatMap((dialect) => dialect.keys),
    ]),
    patterns: dialects.flatMap(({ pattern }) => pattern ?? []),
  };
}

/** Returns whether the key is one of them. */
export function isWrittenKey({ fixed, patterns }: WrittenKeys, key: string): boolean {
  return fixed.has(key) || patterns.some((pattern) => pattern.test(key));
}

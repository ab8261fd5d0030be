import { ISTIO_TARGETS_KEY } from './istio-targets.ts';
import { MARKER_KEY } from './marker.ts';
import { numberedKeys } from './numbered-keys.ts';
import type { AnnotationKeys } from './scrape-keys.ts';

/** Returns every annotation key that autoscrape writes with these keys, whichever endpoints the rules ask for. */
export function writtenKeys(keys: AnnotationKeys): string[] {
  return [...Object.values(keys), ...numberedKeys(keys), ISTIO_TARGETS_KEY, MARKER_KEY];
}

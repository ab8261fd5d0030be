import { sanitised, slowKey } from './annotations/scrape-keys.ts';
import type { AnnotationKeys } from './annotations/scrape-keys.ts';
import { MARKER_KEY } from './annotations/marker.ts';
import { ASK_LABEL } from './ask-label.ts';
import { MAX_SUGGESTED } from './limits.ts';
import { OPT_IN_LABEL } from './inject-label.ts';
import { didYouMean } from './did-you-mean.ts';

/** Labels of a pod that a decision reads. */
const LABELS = [OPT_IN_LABEL, ASK_LABEL, 'autoscrape.io/port', 'autoscrape.io/rule'] as const;

/** The labels and annotations of an object, or of a pod template. */
export interface LabelsAndAnnotations {
  readonly labels: ReadonlyMap<string, string>;
  readonly annotations: ReadonlyMap<string, string>;
}

/**
 * Returns sentences on keys that nobody reads although somebody meant them: misspelt ones, with the
 * key that was probably meant, our labels among the annotations, and scrape annotations among the
 * labels.
 */
export function misspeltAnnotations({ labels, annotations }: LabelsAndAnnotations, keys: AnnotationKeys): string[] {
  const scrape = [keys.scrape, slowKey(keys), keys.port, keys.path, keys.scheme];
  const read = new Set(scrape.map(sanitised));
  const found: string[] = [];
  for (const key of annotations.keys()) {
    if (LABELS.some((label) => label === key)) found.push(`${key} is an annotation here, and is read as a label only.`);
    else if (!read.has(sanitised(key))) found.push(...misspelt('annotation', key, [...scrape, ...LABELS]));
  }
  for (const key of labels.keys()) {
    if (scrape.includes(key)) found.push(`${key} is a label here, and is read as an annotation only.`);
    else if (!LABELS.some((label) => label === key)) found.push(...misspelt('label', key, [...LABELS, ...scrape]));
  }
  return found;
}

/** What people write in place of `port`, `path` and `scheme`: `metrics-port`, `scrape_path`, `port-number`. */
const LONGER =
  /^(?:(?:metrics?|scrape|prometheus|http|container|target)[-_.])?(?<word>port|path|scheme)(?:[-_.](?:number|name))?$/i;

function misspelt(what: 'annotation' | 'label', key: string, known: readonly string[]): string[] {
  // A number at the end is somebody's own way to name several ports.
  if (key === MARKER_KEY || key.length > MAX_SUGGESTED || /\d$/.test(key)) return [];
  // Most keys belong to others, and a misspelt one of ours has its first letters right.
  if (!known.some((one) => one.slice(0, 3) === key.slice(0, 3))) return [];
  const meant = known
    .map(split)
    .find(({ domain, name }) => isDomain(split(key).domain, domain) && isName(split(key).name, name));
  if (meant === undefined || meant.key === key) return [];
  return [`The ${what} ${key} is read by nobody, did you mean "${meant.key}"?`];
}

function split(key: string): { readonly key: string; readonly domain: string; readonly name: string } {
  const slash = key.lastIndexOf('/');
  return { key, domain: key.slice(0, Math.max(slash, 0)), name: key.slice(slash + 1) };
}

/** `prometheus/scrape` and `promethues.io/scrape` are meant for `prometheus.io`; `prometheus-operator.dev/…` is another's. */
function isDomain(written: string, domain: string): boolean {
  if (written === '' || domain === '') return written === domain;
  if (written === domain || written === domain.split('.')[0]) return true;
  // Two letters, because a third of the length would take others' domains for mistakes.
  return Math.abs(written.length - domain.length) <= 2 && withoutEnding(written) !== withoutEnding(domain)
    ? didYouMean(withoutEnding(written), [withoutEnding(domain)]) !== '' &&
        written.split('.').at(-1) === domain.split('.').at(-1)
    : withoutEnding(written) === withoutEnding(domain);
}

function withoutEnding(domain: string): string {
  return domain.split('.').slice(0, -1).join('.');
}

function isName(written: string, name: string): boolean {
  return (
    written === name ||
    LONGER.exec(written)?.groups?.['word']?.toLowerCase() === name ||
    didYouMean(written, [name]) !== ''
  );
}

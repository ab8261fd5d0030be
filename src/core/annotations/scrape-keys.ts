/** The annotation keys that scrapers read, as the rules file configures them. */
export interface AnnotationKeys {
  readonly scrape: string;
  readonly port: string;
  readonly path: string;
  readonly scheme: string;
}

/** The keys that Prometheus' community chart and most other scrapers read. */
export const DEFAULT_KEYS: AnnotationKeys = {
  scrape: 'prometheus.io/scrape',
  port: 'prometheus.io/port',
  path: 'prometheus.io/path',
  scheme: 'prometheus.io/scheme',
};

/**
 * Returns the key as Prometheus' service discovery sanitises it: keys with the same result are one
 * key to a scraper.
 */
export function sanitised(key: string): string {
  return key.replaceAll(/[^A-Za-z0-9]/g, '_');
}

/**
 * Returns whether `sanitised` gives the same result for both. Allocates nothing: it runs for every
 * annotation of every pod.
 */
export function isAlikeTo(one: string, other: string): boolean {
  if (one.length !== other.length) return false;
  for (let i = 0; i < one.length; i += 1) {
    const [a, b] = [one.charCodeAt(i), other.charCodeAt(i)];
    if (a !== b && (isAlphanumeric(a) || isAlphanumeric(b))) return false;
  }
  return true;
}

/** Returns whether the character code is one of A-Z, a-z and 0-9. */
function isAlphanumeric(code: number): boolean {
  return (code >= 48 && code <= 57) || (code >= 65 && code <= 90) || (code >= 97 && code <= 122);
}

/**
 * Returns the key that selects a pod for the community chart's slow job: the scrape key with
 * `-slow`.
 */
export function slowKey(keys: AnnotationKeys): string {
  return `${keys.scrape}-slow`;
}

/** The values of the scrape annotations that a pod already has, in any spelling. */
export interface ScrapeAnnotations {
  readonly scrape: string | undefined;
  readonly slow: string | undefined;
  readonly port: string | undefined;
  readonly path: string | undefined;
  readonly scheme: string | undefined;
  /** The keys with two spellings that have different values. */
  readonly conflicts: readonly string[];
  /** Every value of the scrape key that is not "true". */
  readonly negations: readonly string[];
}

/**
 * Returns the values of the scrape annotations, in any spelling that Prometheus reads as the same
 * key.
 */
export function readScrapeAnnotations(
  keys: AnnotationKeys,
  annotations: ReadonlyMap<string, string>,
): ScrapeAnnotations {
  const conflicts: string[] = [];
  const valuesOf = (key: string): string[] => {
    const values: string[] = [];
    for (const [other, value] of annotations) {
      if (other === key || isAlikeTo(other, key)) values.push(value);
    }
    return values;
  };
  const valueOf = (key: string): string | undefined => {
    const values = valuesOf(key);
    if (new Set(values).size > 1) conflicts.push(key);
    return values[0];
  };
  return {
    scrape: valueOf(keys.scrape),
    slow: valueOf(slowKey(keys)),
    port: valueOf(keys.port),
    path: valueOf(keys.path),
    scheme: valueOf(keys.scheme),
    conflicts,
    negations: valuesOf(keys.scrape).filter((value) => value !== 'true'),
  };
}

/**
 * Returns the steps of reading one annotation, which is compared with six keys, and letter by
 * letter with keys of the same length.
 */
export function stepsOfReading(keys: AnnotationKeys): number {
  return 4 + ((keys.scrape.length + keys.port.length + keys.path.length + keys.scheme.length) >> 3);
}

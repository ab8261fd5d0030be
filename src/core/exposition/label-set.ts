import { decodeUtf8 } from './utf8.ts';

/**
 * Collects the names in one sample, and tells at its end whether Prometheus would store such a
 * series. Prometheus' parsers accept more: an empty quoted name or a duplicate label fails the
 * whole scrape only when the sample is stored (prometheus/scrape/scrape.go: errNameLabelMandatory,
 * lset.IsValid; prometheus/tsdb/head_append.go: HasDuplicateLabelNames). This is stricter in one
 * case: Prometheus drops a sample that is too old before it looks for duplicate labels.
 */
export interface LabelSet {
  /** The metric's name, undefined until there is one. */
  metric: string | undefined;
  /** Names of labels that have a value. */
  readonly names: string[];
  /**
   * Names of labels with an empty value: to Prometheus such a label is absent, even where its name
   * has another value, too.
   */
  readonly empty: string[];
  valid: boolean;
}

/** Returns a set without names. */
export function emptyLabelSet(): LabelSet {
  return { metric: undefined, names: [], empty: [], valid: true };
}

/** Adds the metric's name from these bytes, without quotes. */
export function setMetric(set: LabelSet, bytes: Uint8Array, start: number, end: number): void {
  const name = decodeUtf8(bytes, start, end);
  if (name === undefined || name === '') set.valid = false;
  set.metric = name ?? '';
}

/** Adds a label with the name in these bytes, without quotes. */
export function addLabel(
  set: LabelSet,
  bytes: Uint8Array,
  [start, end]: readonly [number, number],
  isEmpty: boolean,
): void {
  const name = decodeUtf8(bytes, start, end);
  if (name !== undefined) (isEmpty ? set.empty : set.names).push(unescape(name));
  // A name is only checked for valid UTF-8 where the label has a value.
  else if (!isEmpty) set.valid = false;
}

/** Returns whether the names are those of a valid series. */
export function isSeries({ metric, names, empty, valid }: LabelSet): boolean {
  if (!valid || metric === undefined) return false;
  if (names.length === 0 && empty.length === 0) return true;
  const gone = new Set(empty);
  if (gone.has('__name__')) return false;
  const seen = new Set(['__name__']);
  for (const name of names) {
    if (gone.has(name)) continue;
    if (name === '' || seen.has(name)) return false;
    seen.add(name);
  }
  return true;
}

/**
 * Returns a quoted name unescaped as Prometheus does it: two spellings of one name are one name.
 */
function unescape(name: string): string {
  return name.includes('\\')
    ? name.replaceAll(/\\(["\\n])/g, (_, escaped: string) => (escaped === 'n' ? '\n' : escaped))
    : name;
}

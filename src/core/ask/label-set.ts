import { decodeUtf8 } from './utf8.ts';

/**
 * Collects the names in one sample, and says at its end whether Prometheus would store a series of those names. The parsers accept
 * more: an empty quoted name, or one label twice, is refused only then, and the whole scrape with it.
 * (prometheus/scrape/scrape.go: errNameLabelMandatory, lset.IsValid; prometheus/tsdb/head_append.go: HasDuplicateLabelNames.) Stricter
 * in one thing: Prometheus drops a sample that is too old to be stored before it looks for labels that are there twice.
 */
export interface LabelSet {
  /** The metric's name, undefined until there is one. */
  metric: string | undefined;
  /** Names of labels that have a value. */
  readonly names: string[];
  /** Names of labels with the empty value: for Prometheus such a label is not there, whatever else stands under its name. */
  readonly empty: string[];
  valid: boolean;
}

/** Returns a set without names. */
export function emptyLabelSet(): LabelSet {
  return { metric: undefined, names: [], empty: [], valid: true };
}

/** Takes up a metric's name from these bytes, without its quotes. */
export function setMetric(set: LabelSet, bytes: Uint8Array, start: number, end: number): void {
  const name = decodeUtf8(bytes, start, end);
  if (name === undefined || name === '') set.valid = false;
  set.metric = name ?? '';
}

/** Takes up a label, its name from these bytes, without its quotes. */
export function addLabel(
  set: LabelSet,
  bytes: Uint8Array,
  [start, end]: readonly [number, number],
  isEmpty: boolean,
): void {
  const name = decodeUtf8(bytes, start, end);
  if (name !== undefined) (isEmpty ? set.empty : set.names).push(unescape(name));
  // A name that is not UTF-8 is only looked at where the label has a value.
  else if (!isEmpty) set.valid = false;
}

/** Returns whether the names make a series. */
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

/** The escapes of a quoted name, as Prometheus undoes them: two spellings of one name are one name. */
function unescape(name: string): string {
  return name.includes('\\')
    ? name.replaceAll(/\\(["\\n])/g, (_, escaped: string) => (escaped === 'n' ? '\n' : escaped))
    : name;
}

import {
  HASH,
  LINE_END,
  OPEN_BRACE,
  QUOTE,
  SPACE,
  peek,
  step,
  take,
  takeMetricName,
  takeQuoted,
  takeWord,
} from './cursor.ts';
import type { Cursor } from './cursor.ts';
import { BADLY_DESCRIBED, END_OF_PAGE, HELP_LINE, INVALID } from './entry.ts';
import type { Entry } from './entry.ts';
import { parseFloat64 } from './float.ts';
import { emptyLabelSet, isSeries, setMetric } from './label-set.ts';
import { takeLabels } from './labels.ts';
import { decodeUtf8, isUtf8 } from './utf8.ts';

// OpenMetrics 1.0 as Prometheus 3 reads it, which is laxer than the specification (families may
// come in pieces, counters need no `_total`) but equally strict about blanks: exactly one, and only
// where one is required. https://prometheus.io/docs/specs/om/open_metrics_spec/;
// prometheus/model/textparse/openmetricslex.l and openmetricsparse.go.

const STYLE = { loose: false, lineEndsInName: true, lineEndsInValue: false, metricName: true };
const EXEMPLAR_STYLE = { loose: false, lineEndsInName: false, lineEndsInValue: false, metricName: false };
const IN_NAME = { lineEnds: true, overNul: false };
const TYPES: readonly string[] = [
  'counter',
  'gauge',
  'histogram',
  'gaugehistogram',
  'summary',
  'info',
  'stateset',
  'unknown',
];

/** Reads one entry of an OpenMetrics page. */
export function readOpenMetricsEntry(cursor: Cursor): Entry {
  return take(cursor, HASH) ? readMetadata(cursor) : readSample(cursor);
}

function readMetadata(cursor: Cursor): Entry {
  if (!take(cursor, SPACE)) return INVALID;
  const keyword = takeKeyword(cursor);
  if (keyword === 'EOF') return END_OF_PAGE;
  if (keyword === undefined || peek(cursor) !== SPACE) return INVALID;
  step(cursor, true);

  const start = cursor.at;
  const quoted = peek(cursor) === QUOTE;
  if (!(quoted ? takeQuoted(cursor, IN_NAME) : takeMetricName(cursor))) return INVALID;
  const nameStart = quoted ? start + 1 : start;
  const nameEnd = quoted ? cursor.at - 1 : cursor.at;
  if (peek(cursor) !== SPACE) return BADLY_DESCRIBED;
  const text = cursor.at + 1;
  step(cursor, true);
  for (let byte = peek(cursor); byte >= 0 && byte !== LINE_END; byte = peek(cursor)) step(cursor, true);
  const textEnd = cursor.at;
  if (!take(cursor, LINE_END)) return BADLY_DESCRIBED;

  switch (keyword) {
    case 'HELP':
      return isUtf8(cursor.bytes, text, textEnd) ? HELP_LINE : BADLY_DESCRIBED;
    case 'TYPE':
      return TYPES.includes(decodeUtf8(cursor.bytes, text, textEnd) ?? '')
        ? { kind: 'type', name: decodeUtf8(cursor.bytes, nameStart, nameEnd) ?? '' }
        : BADLY_DESCRIBED;
    case 'UNIT':
      return isSuffix(cursor.bytes, [nameStart, nameEnd], [text, textEnd]) ? HELP_LINE : BADLY_DESCRIBED;
  }
}

const KEYWORDS = ['HELP', 'TYPE', 'UNIT', 'EOF'] as const;

function takeKeyword(cursor: Cursor): (typeof KEYWORDS)[number] | undefined {
  const keyword = KEYWORDS.find((word) => word.charCodeAt(0) === peek(cursor));
  if (keyword === undefined) return undefined;
  for (let index = 0; index < keyword.length; index++) {
    if (peek(cursor) !== keyword.charCodeAt(index)) return undefined;
    step(cursor, true);
  }
  return keyword;
}

/** Returns whether the unit is empty, or the name ends in `_` and the unit. */
function isSuffix(
  bytes: Uint8Array,
  [start, end]: readonly [number, number],
  [from, to]: readonly [number, number],
): boolean {
  const length = to - from;
  if (length === 0) return true;
  if (end - start < length + 1 || bytes[end - length - 1] !== UNDERSCORE) return false;
  for (let index = 0; index < length; index++) if (bytes[end - length + index] !== bytes[from + index]) return false;
  return true;
}

const UNDERSCORE = 0x5f;

function readSample(cursor: Cursor): Entry {
  const set = emptyLabelSet();
  const start = cursor.at;
  if (peek(cursor) !== OPEN_BRACE) {
    if (!takeMetricName(cursor)) return INVALID;
    setMetric(set, cursor.bytes, start, cursor.at);
  }
  if (take(cursor, OPEN_BRACE) && !takeLabels(cursor, set, STYLE)) return INVALID;
  if (takeNumber(cursor) === undefined) return INVALID;
  if (peek(cursor) === SPACE && !startsExemplar(cursor)) {
    const timestamp = takeNumber(cursor);
    if (timestamp === undefined || !Number.isFinite(timestamp)) return INVALID;
  }
  if (startsExemplar(cursor)) {
    cursor.at += EXEMPLAR.length;
    if (!takeExemplar(cursor)) return INVALID;
  }
  return take(cursor, LINE_END) && isSeries(set) ? { kind: 'sample', name: set.metric ?? '' } : INVALID;
}

const EXEMPLAR = ' # {';

function startsExemplar(cursor: Cursor): boolean {
  const start = cursor.at;
  let starts = true;
  for (let index = 0; starts && index < EXEMPLAR.length; index++) {
    starts = peek(cursor) === EXEMPLAR.charCodeAt(index);
    if (starts) step(cursor);
  }
  cursor.at = start;
  return starts;
}

function takeExemplar(cursor: Cursor): boolean {
  if (!takeLabels(cursor, emptyLabelSet(), EXEMPLAR_STYLE) || takeNumber(cursor) === undefined) return false;
  if (peek(cursor) !== SPACE) return true;
  const timestamp = takeNumber(cursor);
  return timestamp !== undefined && Number.isFinite(timestamp);
}

/** Takes one space and a number. Returns the number, or undefined where there is none. */
function takeNumber(cursor: Cursor): number | undefined {
  if (!take(cursor, SPACE)) return undefined;
  const start = cursor.at;
  return takeWord(cursor, isSpace) ? parseFloat64(decodeUtf8(cursor.bytes, start, cursor.at) ?? '') : undefined;
}

function isSpace(byte: number): boolean {
  return byte === SPACE;
}

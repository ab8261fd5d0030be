import {
  HASH,
  LINE_END,
  NUL,
  OPEN_BRACE,
  QUOTE,
  SPACE,
  TAB,
  isDigit,
  peek,
  step,
  take,
  takeBlanks,
  takeMetricName,
  takeQuoted,
  takeWord,
} from './cursor.ts';
import type { Cursor } from './cursor.ts';
import { BADLY_DESCRIBED, HELP_LINE, INVALID, NOTHING_SAID, STOP } from './entry.ts';
import type { Entry } from './entry.ts';
import { isInt64, parseFloat64 } from './float.ts';
import { emptyLabelSet, isSeries, setMetric } from './label-set.ts';
import { takeLabels } from './labels.ts';
import { decodeUtf8, isUtf8 } from './utf8.ts';

// The older text format, as Prometheus 3 reads it whatever version its Content-Type names. The page
// https://prometheus.io/docs/instrumenting/exposition_formats/ says less than the lexer does:
// model/textparse/promlex.l and promparse.go. Stricter than the page: one blank before a TYPE and
// none behind it, so CRLF pages fail. Laxer: commas between labels may be absent, lines may end in
// values, names need not be described, and a NUL at a line's start ends the page.

const STYLE = { loose: true, lineEndsInName: true, lineEndsInValue: true, metricName: true };
const IN_NAME = { lineEnds: true, overNul: false };
const TYPES: readonly string[] = ['counter', 'gauge', 'histogram', 'summary', 'untyped'];

/**
 * Reads one entry of the older text format. The page must end with a line's end; Prometheus adds
 * one where it does not.
 */
export function readTextEntry(cursor: Cursor): Entry {
  takeBlanks(cursor);
  switch (peek(cursor)) {
    case LINE_END:
      step(cursor);
      return NOTHING_SAID;
    case NUL:
      return STOP;
    case HASH:
      step(cursor);
      return readComment(cursor);
    default:
      return readSample(cursor);
  }
}

function readComment(cursor: Cursor): Entry {
  if (peek(cursor) !== SPACE && peek(cursor) !== TAB) return skipComment(cursor, false);
  takeBlanks(cursor);
  if (peek(cursor) === NUL) return STOP;
  const first = peek(cursor);
  const keyword = KEYWORDS.find((word) => word.charCodeAt(0) === first);
  if (keyword === undefined || !takeKeyword(cursor, keyword)) return skipComment(cursor, true);

  const start = cursor.at;
  const quoted = peek(cursor) === QUOTE;
  if (!(quoted ? takeQuoted(cursor, IN_NAME) : takeMetricName(cursor))) return INVALID;
  const name = quoted ? ([start + 1, cursor.at - 1] as const) : ([start, cursor.at] as const);
  const [from, to] = takeDescription(cursor);
  if (!take(cursor, LINE_END)) return BADLY_DESCRIBED;
  if (keyword === 'HELP') return isUtf8(cursor.bytes, from, to) ? HELP_LINE : BADLY_DESCRIBED;
  if (!TYPES.includes(decodeUtf8(cursor.bytes, from, to) ?? '')) return BADLY_DESCRIBED;
  return { kind: 'type', name: decodeUtf8(cursor.bytes, ...name) ?? '' };
}

const KEYWORDS = ['HELP', 'TYPE'] as const;

/** Takes the keyword and the blanks after it. Returns false and stops at the first difference. */
function takeKeyword(cursor: Cursor, word: string): boolean {
  for (let index = 0; index < word.length; index++) {
    if (peek(cursor) !== word.charCodeAt(index)) return false;
    step(cursor, true);
  }
  if (peek(cursor) !== SPACE && peek(cursor) !== TAB) return false;
  takeBlanks(cursor, true);
  return true;
}

/** Takes the rest of a comment. A NUL that the lexer does not ignore ends the page. */
function skipComment(cursor: Cursor, overNul: boolean): Entry {
  for (;;) {
    const byte = peek(cursor);
    if (byte === NUL) return STOP;
    if (byte < 0) return NOTHING_SAID;
    step(cursor, overNul && byte !== LINE_END);
    if (byte === LINE_END) return NOTHING_SAID;
  }
}

/**
 * Takes the text of a HELP or TYPE line and returns where it is: whatever byte follows the name is
 * not part of it.
 */
function takeDescription(cursor: Cursor): readonly [number, number] {
  const start = cursor.at;
  takeBlanks(cursor, true);
  if (peek(cursor) === LINE_END || (cursor.at === start && peek(cursor) === NUL)) return [cursor.at, cursor.at];
  for (let byte = peek(cursor); byte >= 0 && byte !== LINE_END; byte = peek(cursor)) step(cursor, true);
  return [start + 1, cursor.at];
}

function readSample(cursor: Cursor): Entry {
  const set = emptyLabelSet();
  const start = cursor.at;
  if (peek(cursor) !== OPEN_BRACE) {
    if (!takeMetricName(cursor)) return INVALID;
    setMetric(set, cursor.bytes, start, cursor.at);
    takeBlanks(cursor);
  }
  if (take(cursor, OPEN_BRACE) && !takeLabels(cursor, set, STYLE)) return INVALID;
  takeBlanks(cursor);
  const value = cursor.at;
  if (!takeWord(cursor, endsValue)) return INVALID;
  if (parseFloat64(decodeUtf8(cursor.bytes, value, cursor.at) ?? '') === undefined) return INVALID;
  takeBlanks(cursor);
  if (isDigit(peek(cursor))) {
    const timestamp = cursor.at;
    while (isDigit(peek(cursor))) step(cursor);
    if (!isInt64(decodeUtf8(cursor.bytes, timestamp, cursor.at) ?? '')) return INVALID;
    takeBlanks(cursor);
  }
  return take(cursor, LINE_END) && isSeries(set) ? { kind: 'sample', name: set.metric ?? '' } : INVALID;
}

function endsValue(byte: number): boolean {
  return byte === SPACE || byte === TAB || byte === OPEN_BRACE;
}

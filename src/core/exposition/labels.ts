import { CLOSE_BRACE, COMMA, EQUALS, QUOTE, peek, take, takeBlanks, takeLabelName, takeQuoted } from './cursor.ts';
import type { Cursor } from './cursor.ts';
import { addLabel, setMetric } from './label-set.ts';
import type { LabelSet } from './label-set.ts';
import { isUtf8 } from './utf8.ts';

/** How the two formats differ between braces. */
export interface BraceStyle {
  /**
   * Blanks may stand between the parts, and the comma between two labels may be absent: only in the
   * older format.
   */
  readonly loose: boolean;
  /** A quoted name may contain the end of a line. */
  readonly lineEndsInName: boolean;
  /** A value may contain the end of a line. */
  readonly lineEndsInValue: boolean;
  /** A quoted string without a value is the metric's name; an exemplar has none. */
  readonly metricName: boolean;
}

/** Takes labels up to the closing brace, after the opening one. Returns whether they are valid. */
export function takeLabels(cursor: Cursor, set: LabelSet, style: BraceStyle): boolean {
  const inName = { lineEnds: style.lineEndsInName, overNul: false };
  const inValue = { lineEnds: style.lineEndsInValue, overNul: true };
  for (;;) {
    if (style.loose) takeBlanks(cursor);
    if (take(cursor, CLOSE_BRACE)) return true;
    const start = cursor.at;
    const quoted = peek(cursor) === QUOTE;
    if (!(quoted ? takeQuoted(cursor, inName) : takeLabelName(cursor))) return false;
    const name: readonly [number, number] = quoted ? [start + 1, cursor.at - 1] : [start, cursor.at];
    if (style.loose) takeBlanks(cursor);

    if (quoted && (peek(cursor) === COMMA || peek(cursor) === CLOSE_BRACE)) {
      if (!style.metricName || set.metric !== undefined) return false;
      setMetric(set, cursor.bytes, ...name);
      take(cursor, COMMA);
      continue;
    }
    if (!take(cursor, EQUALS)) return false;
    if (style.loose) takeBlanks(cursor, true);
    const value = cursor.at;
    if (!takeQuoted(cursor, inValue) || !isUtf8(cursor.bytes, value, cursor.at)) return false;
    addLabel(set, cursor.bytes, name, cursor.at - value === '""'.length);
    if (style.loose) takeBlanks(cursor);
    if (!take(cursor, COMMA) && !style.loose && peek(cursor) !== CLOSE_BRACE) return false;
  }
}

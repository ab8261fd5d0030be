/**
 * A position in the bytes of a page. The parsers only read forwards. A parser that needs bytes
 * after the end sets `starved`: its result is then ignored, and it is called again from the entry's
 * first byte when there are more bytes.
 */
export interface Cursor {
  bytes: Uint8Array;
  /** The byte to read next. */
  at: number;
  /** One past the last byte that may be read. */
  end: number;
  starved: boolean;
}

export const NUL = 0x00;
export const TAB = 0x09;
export const LINE_END = 0x0a;
export const SPACE = 0x20;
export const QUOTE = 0x22;
export const HASH = 0x23;
export const COMMA = 0x2c;
export const EQUALS = 0x3d;
const BACKSLASH = 0x5c;
export const OPEN_BRACE = 0x7b;
export const CLOSE_BRACE = 0x7d;

/**
 * What {@link peek} returns at the end of the bytes: no byte has this value, so no rule matches it.
 */
const NOTHING = -1;

/** Returns the next byte without taking it, or -1 at the end of the bytes. */
export function peek(cursor: Cursor): number {
  const byte = cursor.at < cursor.end ? cursor.bytes[cursor.at] : undefined;
  if (byte !== undefined) return byte;
  cursor.starved = true;
  return NOTHING;
}

/**
 * Takes a byte, and the NULs after it where Prometheus' lexers ignore them: in label values, help
 * strings and comments.
 */
export function step(cursor: Cursor, overNul = false): void {
  cursor.at++;
  if (overNul) while (cursor.at < cursor.end && cursor.bytes[cursor.at] === NUL) cursor.at++;
}

/** Takes the byte if it is the next one, and returns whether it was. */
export function take(cursor: Cursor, byte: number): boolean {
  if (peek(cursor) !== byte) return false;
  step(cursor);
  return true;
}

/** Takes spaces and tabs, if there are any. */
export function takeBlanks(cursor: Cursor, overNul = false): void {
  for (let byte = peek(cursor); byte === SPACE || byte === TAB; byte = peek(cursor)) step(cursor, overNul);
}

/** Takes a metric's name (letters, digits, `_` and `:`), and returns whether there was one. */
export function takeMetricName(cursor: Cursor): boolean {
  if (!isLetter(peek(cursor)) && peek(cursor) !== COLON) return false;
  while (isLetter(peek(cursor)) || isDigit(peek(cursor)) || peek(cursor) === COLON) step(cursor);
  return true;
}

/** Takes a label's name (letters, digits and `_`), and returns whether there was one. */
export function takeLabelName(cursor: Cursor): boolean {
  if (!isLetter(peek(cursor))) return false;
  while (isLetter(peek(cursor)) || isDigit(peek(cursor))) step(cursor);
  return true;
}

/** What a quoted string may contain, which differs between formats and positions. */
export interface Quoting {
  /** It may contain the end of a line. */
  readonly lineEnds: boolean;
  /** NULs in it are ignored; elsewhere they end the string, and so the page. */
  readonly overNul: boolean;
}

/**
 * Takes a string in double quotes, with `\` before any byte but a line's end, and returns whether
 * there was one.
 */
export function takeQuoted(cursor: Cursor, { lineEnds, overNul }: Quoting): boolean {
  if (peek(cursor) !== QUOTE) return false;
  step(cursor, overNul);
  for (;;) {
    let byte = peek(cursor);
    if (byte === QUOTE) {
      step(cursor, overNul);
      return true;
    }
    const escapes = byte === BACKSLASH;
    if (escapes) {
      step(cursor, overNul);
      byte = peek(cursor);
    }
    if (byte === NOTHING || byte === NUL || (byte === LINE_END && (escapes || !lineEnds))) return false;
    step(cursor, overNul);
  }
}

/**
 * Takes everything up to a blank, a line's end or a NUL, and returns whether there was anything.
 */
export function takeWord(cursor: Cursor, isEnd: (byte: number) => boolean): boolean {
  const start = cursor.at;
  for (let byte = peek(cursor); byte !== NOTHING && byte !== NUL && byte !== LINE_END && !isEnd(byte);) {
    step(cursor);
    byte = peek(cursor);
  }
  return cursor.at > start;
}

export function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

const COLON = 0x3a;

function isLetter(byte: number): boolean {
  return (byte >= 0x61 && byte <= 0x7a) || (byte >= 0x41 && byte <= 0x5a) || byte === 0x5f;
}

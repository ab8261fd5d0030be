/**
 * What must not reach a terminal or end a line of a log: control characters, of which U+009B begins an escape sequence as
 * ESC [ does; the other line ends of Unicode; and what turns the direction of writing, so that a name reads as another
 * (CVE-2021-42574).
 */
const CONTROLS = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu;
const RUNS = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]+/gu;

/**
 * Returns the string with each run of control characters replaced: a name or a message that others
 * wrote must not end a line of a log, and an escape sequence in it must not reach a terminal.
 */
export function stripControls(text: string, replacement = ' '): string {
  return text.replaceAll(RUNS, replacement);
}

/** Returns whether the string has a control character. */
export function hasControls(text: string): boolean {
  return text.search(CONTROLS) >= 0;
}

/**
 * Returns a JSON text, or YAML whose strings with control characters are in double quotes, with these characters escaped:
 * JSON.stringify leaves DEL and those from U+0080 on. Line ends stay.
 */
export function escapeControls(text: string): string {
  return text.replaceAll(CONTROLS, (character) =>
    character === '\n' ? character : `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

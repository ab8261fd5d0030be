/**
 * Returns the string with each run of control characters replaced: a name or a message that others
 * wrote must not end a line of a log, and an escape sequence in it must not reach a terminal.
 */
export function stripControls(text: string, replacement = ' '): string {
  return text.replaceAll(/\p{Cc}+/gu, replacement);
}

import type { Cursor } from './cursor.ts';

/**
 * What one entry of a page is: usually one line, more where a quoted string contains the end of a
 * line.
 */
export type Entry =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'help' }
  | { readonly kind: 'type'; readonly name: string }
  | { readonly kind: 'sample'; readonly name: string }
  /** The rest of the page is not read: a NUL at a line's start in the older format. */
  | { readonly kind: 'stop' }
  /** OpenMetrics' `# EOF`, without the end of its line. */
  | { readonly kind: 'eof' }
  /**
   * `described`: it is a HELP, TYPE or UNIT line with a metric's name, so the page is meant to be
   * metrics.
   */
  | { readonly kind: 'invalid'; readonly described: boolean };

/** Reads one entry. Its result is valid only where the cursor is not starved. */
export type EntryReader = (cursor: Cursor) => Entry;

export const NOTHING_SAID: Entry = { kind: 'nothing' };
export const HELP_LINE: Entry = { kind: 'help' };
export const STOP: Entry = { kind: 'stop' };
export const END_OF_PAGE: Entry = { kind: 'eof' };
export const INVALID: Entry = { kind: 'invalid', described: false };
export const BADLY_DESCRIBED: Entry = { kind: 'invalid', described: true };

import type { Cursor } from './cursor.ts';

/** What one entry of a page is: mostly one line, more where a quoted string goes over a line's end. */
export type Entry =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'help' }
  | { readonly kind: 'type'; readonly name: string }
  | { readonly kind: 'sample'; readonly name: string }
  /** The rest of the page is not read: a NUL at a line's start in the older format. */
  | { readonly kind: 'stop' }
  /** OpenMetrics' `# EOF`, without the end of its line. */
  | { readonly kind: 'eof' }
  /** `described`: it is a HELP, TYPE or UNIT line with a metric's name, so that somebody meant to write metrics. */
  | { readonly kind: 'invalid'; readonly described: boolean };

/** Reads one entry. What it returns counts only where it has not starved the cursor. */
export type EntryReader = (cursor: Cursor) => Entry;

export const NOTHING_SAID: Entry = { kind: 'nothing' };
export const HELP_LINE: Entry = { kind: 'help' };
export const STOP: Entry = { kind: 'stop' };
export const END_OF_PAGE: Entry = { kind: 'eof' };
export const INVALID: Entry = { kind: 'invalid', described: false };
export const BADLY_DESCRIBED: Entry = { kind: 'invalid', described: true };

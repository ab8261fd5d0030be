import type { Failure } from '../kube/request.ts';

/** Characters of a message that are shown. */
const LONGEST = 256;

/** The text with nothing in it that a terminal would act on, or that ends a line. */
export function printable(text: string): string {
  return text.replaceAll(/\p{Cc}+/gu, ' ');
}

/** The message as one line: its first, without control characters, and no longer than anybody reads. */
export function briefly(message: string): string {
  const [first = ''] = message.trimStart().split(/[\r\n]/, 1);
  const line = printable(first).trimEnd();
  return line.length <= LONGEST ? line : `${line.slice(0, LONGEST - 1)}…`;
}

/**
 * The failure's message for the log: brief, and without what validation has to say (422, `… is invalid: …`), which quotes the
 * pod's values.
 */
export function forLog({ status, message }: Failure): string {
  const line = briefly(message);
  const end = status === 422 ? line.indexOf(' is invalid') : -1;
  return end < 0 ? line : line.slice(0, end + ' is invalid'.length);
}

import { writeSync } from 'node:fs';
import { constants } from 'node:os';
import { getSystemErrorMessage } from 'node:util';

/**
 * Ends the process where its output can't be written, so that an incomplete output never looks like a
 * success. A reader that has left (`autoscrape explain … | head`) ends it without a word, with the code
 * that a shell reports for SIGPIPE, as it ends other programs; a full disk is reported, and the code is 1.
 */
export function endOnFailedOutput(): void {
  for (const [stream, name] of [
    [process.stdout, 'standard output'],
    [process.stderr, 'standard error'],
  ] as const) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') process.exit(128 + constants.signals.SIGPIPE);
      const why = error.errno === undefined ? error.message : getSystemErrorMessage(error.errno);
      report(`autoscrape: ${name} can't be written: ${why} (${error.code})\n`);
      process.exit(1);
    });
  }
}

/** Writes to standard error without the stream, which may be the one that failed. */
function report(message: string): void {
  try {
    writeSync(2, message);
  } catch {
    // There is nobody left to tell.
  }
}

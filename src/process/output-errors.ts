import { writeSync } from 'node:fs';
import { constants } from 'node:os';
import { getSystemErrorMessage } from 'node:util';

/**
 * Ends the process where standard output can't be written, so that an incomplete output never looks like
 * a success. A reader that has left (`autoscrape explain … | head`) ends it without a word, with the code
 * that a shell reports for SIGPIPE, as it ends other programs; a full disk is reported, and the code is 1.
 * Without a standard error there is nobody to tell; what the exit code says stays true.
 */
export function endOnFailedOutput(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(128 + constants.signals.SIGPIPE);
    const why = error.errno === undefined ? error.message : getSystemErrorMessage(error.errno);
    report(`autoscrape: standard output can't be written: ${why} (${error.code})\n`);
    process.exit(1);
  });
  process.stderr.on('error', () => undefined);
}

/** Writes to standard error at once: the process is about to exit. */
function report(message: string): void {
  try {
    writeSync(2, message);
  } catch {
    // There is nobody left to tell.
  }
}

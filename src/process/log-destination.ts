import { writeSync } from 'node:fs';
import type { DestinationStream } from 'pino';

/** Bytes of lines that may wait for whoever reads the log: some 4,000 reviews. */
const MAX_WAITING_BYTES = 1024 * 1024;

/** Milliseconds until waiting lines are tried again. */
const RETRY_MILLISECONDS = 50;

/**
 * Writes lines to a file descriptor that doesn't block, at once where it takes them. Whoever reads the log may stall or
 * end, which must neither hold up the process nor grow its memory nor keep it from ending: so up to `maxWaitingBytes` of
 * lines wait, further ones are lost, and how many were lost is told when there is room again. (Pino's own destination
 * keeps every line, and sleeps until the reader takes them, or for ever when there is none: sonic-boom's flushSync.)
 */
export function logDestination(fd: number, maxWaitingBytes = MAX_WAITING_BYTES): DestinationStream {
  let waiting: Buffer = Buffer.alloc(0);
  let behind: string[] = [];
  let behindBytes = 0;
  let lost = 0;
  let retry: NodeJS.Timeout | undefined;

  /** Writes what waits, as far as it is taken. */
  function flush(): void {
    retry = undefined;
    while (waiting.length > 0 || behind.length > 0 || lost > 0) {
      if (waiting.length === 0) {
        waiting = Buffer.from([...behind, ...(lost > 0 ? [lostLine(lost)] : [])].join(''));
        behind = [];
        behindBytes = 0;
        lost = 0;
      }
      const written = write(fd, waiting);
      if (written === 'full') {
        retry = setTimeout(flush, RETRY_MILLISECONDS).unref();
        return;
      }
      // A reader that has ended may be followed by another one, as a container runtime that restarts.
      waiting = written === 'gone' ? Buffer.alloc(0) : waiting.subarray(written);
    }
  }

  process.once('exit', flush);
  return {
    write(line) {
      const bytes = Buffer.byteLength(line);
      if (waiting.length + behindBytes + bytes > maxWaitingBytes) {
        lost++;
        return;
      }
      behind.push(line);
      behindBytes += bytes;
      if (retry === undefined) flush();
    },
  };
}

function lostLine(lost: number): string {
  const line = { level: 'warn', time: new Date(), lost, msg: 'log lines were lost: nobody read them in time' };
  return `${JSON.stringify(line)}\n`;
}

/** How many bytes were written; or that there is no room now, or no reader. */
function write(fd: number, bytes: Buffer): number | 'full' | 'gone' {
  try {
    return writeSync(fd, bytes);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    return code === 'EAGAIN' || code === 'EBUSY' ? 'full' : 'gone';
  }
}

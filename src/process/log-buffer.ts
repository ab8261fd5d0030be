import { writeSync } from 'node:fs';
import type { DestinationStream } from 'pino';

/** A destination whose waiting lines can be written at once. Pino does so after a fatal line. */
export interface LogDestination extends DestinationStream {
  /** Writes what waits, as far as the reader takes it now. */
  flushSync(): void;
}

/** Milliseconds and bytes of lines after which they are written. Linux' pipes have room for 64 KiB (pipe(7)). */
const BATCH_MS = 100;
const BATCH_BYTES = 32 * 1024;

/** Bytes of lines that may wait for the log's reader: about 4,000 reviews. */
const MAX_WAITING_BYTES = 1024 * 1024;

/** Milliseconds until lines that found no room are written again. */
const RETRY_MS = 50;

/**
 * Returns a destination that writes lines to a non-blocking file descriptor, in batches: a write for
 * each line costs its caller a system call, and wakes the log's reader while others wait for the CPU.
 * So a line is written at most 100 ms and 32 KiB late, and at the latest when the process exits in a
 * way that runs Node's exit handlers, or after a fatal line. SIGKILL and a crash of Node itself, such as
 * a full heap, lose the lines of the last 100 ms.
 *
 * The log's reader may stall or end, which must not block the process, grow its memory or keep it from
 * exiting: so up to `maxWaitingBytes` of lines wait, further lines are dropped, and a line says how
 * many once there is room again. (Pino's own destination keeps every line, and on exit sleeps until the
 * reader takes them, or forever when there is none: sonic-boom's flushSync.)
 */
export function logDestination(fd: number, maxWaitingBytes = MAX_WAITING_BYTES): LogDestination {
  let waiting: Buffer = Buffer.alloc(0);
  let queued: string[] = [];
  let queuedBytes = 0;
  let lost = 0;
  /** Set while lines wait. */
  let timer: NodeJS.Timeout | undefined;
  let isStalled = false;

  /** Writes waiting lines until there is no more room. */
  function flush(): void {
    clearTimeout(timer);
    timer = undefined;
    isStalled = false;
    while (waiting.length > 0 || queued.length > 0 || lost > 0) {
      if (waiting.length === 0) {
        waiting = Buffer.from([...queued, ...(lost > 0 ? [lostLine(lost)] : [])].join(''));
        queued = [];
        queuedBytes = 0;
        lost = 0;
      }
      const written = write(fd, waiting);
      if (written === 'full') {
        isStalled = true;
        timer = setTimeout(flush, RETRY_MS).unref();
        return;
      }
      // Another reader may follow one that has ended, such as a restarted container runtime.
      waiting = written === 'gone' ? Buffer.alloc(0) : waiting.subarray(written);
    }
  }

  process.once('exit', flush);
  return {
    flushSync: flush,
    write(line) {
      const bytes = Buffer.byteLength(line);
      if (waiting.length + queuedBytes + bytes > maxWaitingBytes) {
        lost++;
        return;
      }
      queued.push(line);
      queuedBytes += bytes;
      if (queuedBytes >= BATCH_BYTES && !isStalled) flush();
      else timer ??= setTimeout(flush, BATCH_MS).unref();
    },
  };
}

function lostLine(lost: number): string {
  const line = { level: 'warn', time: new Date(), lost, msg: 'log lines lost: the reader was too slow' };
  return `${JSON.stringify(line)}\n`;
}

/** Returns how many bytes were written; or that there is no room now, or no reader. */
function write(fd: number, bytes: Buffer): number | 'full' | 'gone' {
  try {
    return writeSync(fd, bytes);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    return code === 'EAGAIN' || code === 'EBUSY' ? 'full' : 'gone';
  }
}

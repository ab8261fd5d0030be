import { pino } from 'pino';
import type { DestinationStream, Logger } from 'pino';
import { logDestination } from './log-buffer.ts';

/** The lowest level that is logged. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/**
 * Returns a logger that writes one JSON object per line. Messages are constant and fields carry what
 * varies, so that lines can be counted and filtered. A line carries nothing of a pod but names and
 * uids of bounded length; another policy's message, of at most 256 characters, may quote the pod.
 */
export function createLog(level: LogLevel, destination: DestinationStream = standardOutput()): Logger {
  const options = {
    level,
    base: null, // the container runtime knows the process id and the host name
    timestamp: isoTime(),
    formatters: { level: (label: string) => ({ level: label }) },
  };
  return pino(options, destination);
}

/**
 * Returns a function that returns the time as pino wants it: `,"time":"2026-01-31T12:00:00.000Z"`. It formats each second once:
 * Date's own formatting takes half of a line's time.
 */
function isoTime(): () => string {
  let second = Number.NaN;
  let formatted = '';
  return () => {
    const now = Date.now();
    const milliseconds = now % 1000;
    if (now - milliseconds !== second) {
      second = now - milliseconds;
      formatted = new Date(second).toISOString().slice(0, -'000Z'.length);
    }
    return `,"time":"${formatted}${String(milliseconds).padStart(3, '0')}Z"`;
  };
}

function standardOutput(): DestinationStream {
  // Reading process.stdout opens it, which makes Node set a pipe to non-blocking.
  return logDestination(process.stdout.fd);
}

/**
 * Returns an error's class and stack for the log, without its message: JavaScript's own messages quote
 * values, which may be a pod's.
 */
export function withoutMessage(error: unknown): { readonly error: string; readonly at: readonly string[] } {
  if (!(error instanceof Error)) return { error: typeof error, at: [] };
  const frames = (error.stack ?? '').split('\n').filter((line) => line.startsWith('    at '));
  return { error: error.name, at: frames.map((line) => line.trim()) };
}

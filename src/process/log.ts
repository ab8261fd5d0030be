import { pino } from 'pino';
import type { DestinationStream, Logger } from 'pino';
import { logDestination } from './log-destination.ts';

/** The least important level that is logged. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/**
 * A logger of one JSON object a line, on standard output unless told otherwise. Messages are constant and fields carry
 * what varies, so that lines can be counted and filtered; no line ever carries a pod's content.
 */
export function createLog(level: LogLevel, destination: DestinationStream = standardOutput()): Logger {
  const options = {
    level,
    base: null, // the process id and host name are the container runtime's to tell
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  return pino(options, destination);
}

function standardOutput(): DestinationStream {
  // Asking for process.stdout opens it, and that is when Node has a pipe no longer block.
  return logDestination(process.stdout.fd);
}

/**
 * Where and what kind of bug an error is, without its message: JavaScript's own messages quote the values at hand,
 * and those may be a pod's.
 */
export function withoutMessage(error: unknown): { readonly error: string; readonly at: readonly string[] } {
  if (!(error instanceof Error)) return { error: typeof error, at: [] };
  const frames = (error.stack ?? '').split('\n').filter((line) => line.startsWith('    at '));
  return { error: error.name, at: frames.map((line) => line.trim()) };
}

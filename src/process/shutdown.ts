import { constants } from 'node:os';

/** The request to stop this process. */
export interface Shutdown {
  /** Resolves when the process should stop: with the signal, or `failure` after an uncaught error. */
  readonly requested: Promise<StopReason>;
  /** Aborted by a second signal: the process should stop at once. */
  readonly hurry: AbortSignal;
}

/** Why the process stops: the kubelet asked (SIGTERM), a person did (SIGINT), or an error was not caught. */
export type StopReason = 'SIGTERM' | 'SIGINT' | 'failure';

const SIGNALS = ['SIGTERM', 'SIGINT'] as const;

/** Exits with the code that a shell reports for a process ended by this signal. */
function endNow(signal: NodeJS.Signals): void {
  process.exit(128 + constants.signals[signal]);
}

/**
 * Makes SIGTERM and SIGINT end process 1 of a container at once, until `handleShutdown` handles them:
 * without a handler the kernel drops them there, and the kubelet would wait for the whole grace period.
 * Any other process keeps their default action. A handler would be worse: it runs only between two
 * callbacks, so it would wait for a long calculation, and Node's exit for a FIFO that nobody opens.
 */
export function endUntilHandled(pid = process.pid): void {
  if (pid === 1) for (const name of SIGNALS) process.on(name, endNow);
}

/** A request to stop work that ends by itself. */
export interface Interruption {
  /** Aborted by the first SIGTERM or SIGINT; the second one ends the process at once. */
  readonly signal: AbortSignal;
  /** Restores the default handling of the signals, when the work is done. */
  end(): void;
}

/** Handles SIGTERM and SIGINT, so that work can finish its current step. */
export function handleInterruption(): Interruption {
  const stop = new AbortController();
  const onSignal = (signal: NodeJS.Signals) => (stop.signal.aborted ? endNow(signal) : stop.abort());
  for (const name of SIGNALS) process.on(name, onSignal).off(name, endNow);
  return {
    signal: stop.signal,
    end() {
      for (const name of SIGNALS) process.off(name, onSignal);
      endUntilHandled();
    },
  };
}

/**
 * Handles SIGTERM, SIGINT and uncaught errors from now on, and calls `onFailure` with such an error.
 * Call it before any await: process 1 of a container has no default action for a signal.
 */
export function handleShutdown(onFailure: (error: unknown) => void): Shutdown {
  const { promise, resolve } = Promise.withResolvers<StopReason>();
  const hurry = new AbortController();
  let isRequested = false;
  function request(reason: StopReason): void {
    if (isRequested) hurry.abort();
    isRequested = true;
    resolve(reason);
  }
  for (const signal of SIGNALS) {
    process.on(signal, () => request(signal));
    process.off(signal, endNow);
  }
  // Includes unhandled rejections: Node raises them as uncaught exceptions.
  process.on('uncaughtException', (error) => {
    onFailure(error);
    isRequested = true;
    resolve('failure');
  });
  return { requested: promise, hurry: hurry.signal };
}

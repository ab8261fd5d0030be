import { constants } from 'node:os';

/** The process's wish to stop. */
export interface Shutdown {
  /** Resolves when the process is to stop, with the signal that asked for it or `failure` after an uncaught error. */
  readonly requested: Promise<StopReason>;
  /** Aborted when it is to stop at once: by a second signal. */
  readonly hurry: AbortSignal;
}

/** Why the process stops: the orchestrator asks (SIGTERM), a person does (SIGINT), or a bug made it. */
export type StopReason = 'SIGTERM' | 'SIGINT' | 'failure';

const SIGNALS = ['SIGTERM', 'SIGINT'] as const;

/** Ends the process with the code that a shell gives one that the signal has ended. */
function endNow(signal: NodeJS.Signals): void {
  process.exit(128 + constants.signals[signal]);
}

/**
 * Has SIGTERM and SIGINT end the process at once, until `handleShutdown` takes them over. It is what they do anyway, but not
 * to process 1 of a container: a signal that came while modules load would be lost, and the kubelet wait until it may kill.
 */
export function endUntilHandled(): void {
  for (const name of SIGNALS) process.on(name, endNow);
}

/** A wish to stop, for work that ends by itself. */
export interface Interruption {
  /** Aborted by the first SIGTERM or SIGINT; the second one ends the process at once. */
  readonly signal: AbortSignal;
  /** Leaves the signals alone again: the work is over. */
  readonly end: () => void;
}

/** Takes over SIGTERM and SIGINT, so that work which is better finished than cut off can come to a good end. */
export function handleInterruption(): Interruption {
  const stop = new AbortController();
  const onSignal = (signal: NodeJS.Signals) => (stop.signal.aborted ? endNow(signal) : stop.abort());
  for (const name of SIGNALS) process.on(name, onSignal).off(name, endNow);
  return {
    signal: stop.signal,
    end() {
      for (const name of SIGNALS) process.on(name, endNow).off(name, onSignal);
    },
  };
}

/**
 * Takes over SIGTERM, SIGINT and uncaught errors, from now on: call it before any await, because process 1 of a
 * container has no default action for a signal. `onFailure` is told of the error.
 */
export function handleShutdown(onFailure: (error: unknown) => void): Shutdown {
  const { promise, resolve } = Promise.withResolvers<StopReason>();
  const hurry = new AbortController();
  let asked = false;
  function ask(reason: StopReason): void {
    if (asked) hurry.abort();
    asked = true;
    resolve(reason);
  }
  for (const signal of SIGNALS) {
    process.on(signal, () => ask(signal));
    process.off(signal, endNow);
  }
  // Also the unhandled rejections: Node raises them as uncaught exceptions.
  process.on('uncaughtException', (error) => {
    onFailure(error);
    asked = true;
    resolve('failure');
  });
  return { requested: promise, hurry: hurry.signal };
}

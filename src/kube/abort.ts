/**
 * Returns a controller that aborts with its parent too. Unlike `AbortSignal.any` it leaves nothing
 * behind on a parent that outlives it: namespaces come and go for as long as the process runs.
 */
export function childController(parent: AbortSignal): AbortController {
  const controller = new AbortController();
  if (parent.aborted) controller.abort();
  const abort = () => controller.abort();
  parent.addEventListener('abort', abort, { once: true });
  controller.signal.addEventListener('abort', () => parent.removeEventListener('abort', abort), { once: true });
  return controller;
}

/** A signal that aborts after a time. */
export interface Deadline {
  readonly signal: AbortSignal;
  /** Starts the time again. */
  extend(): void;
  abort(why: string): void;
  /** Ends the timer. The signal does not abort after that. */
  clear(): void;
}

/**
 * Returns a deadline in milliseconds from now. Its signal aborts with the parent too, on which
 * nothing is left once it is cleared.
 */
export function createDeadline(milliseconds: number, parent?: AbortSignal): Deadline {
  const controller = new AbortController();
  const stop = () => controller.abort(parent?.reason);
  if (parent?.aborted === true) stop();
  parent?.addEventListener('abort', stop, { once: true });
  const timer = setTimeout(
    () => controller.abort(new Error(`nothing came for ${milliseconds / 1000} s`)),
    milliseconds,
  );
  return {
    signal: controller.signal,
    extend: () => timer.refresh(),
    abort: (why) => controller.abort(new Error(why)),
    clear: () => {
      clearTimeout(timer);
      parent?.removeEventListener('abort', stop);
    },
  };
}

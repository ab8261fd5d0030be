/**
 * A controller that aborts with the signal too. Unlike `AbortSignal.any` it leaves nothing behind on a signal that outlives it:
 * namespaces come and go for as long as the process runs.
 */
export function linked(signal: AbortSignal): AbortController {
  const controller = new AbortController();
  if (signal.aborted) controller.abort();
  const abort = () => controller.abort();
  signal.addEventListener('abort', abort, { once: true });
  controller.signal.addEventListener('abort', () => signal.removeEventListener('abort', abort), { once: true });
  return controller;
}

const cleanups = new Set<() => void>();
let listening = false;

/**
 * Has `cleanup` run when this process ends early: at an exit, an uncaught error, Ctrl-C or a kill. Returns what
 * calls that off. Cleanups run in reverse order, so a folder made before its processes goes after them. They can't
 * wait for anything: the process is about to be gone.
 */
export function onInterruption(cleanup: () => void): () => void {
  if (!listening) listen();
  cleanups.add(cleanup);
  return () => cleanups.delete(cleanup);
}

function listen(): void {
  listening = true;
  process.on('exit', cleanUp);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => {
      cleanUp();
      // With our listener gone the signal does what it would have done, so that the exit code tells of it.
      process.kill(process.pid, signal);
    });
  }
}

function cleanUp(): void {
  for (const cleanup of [...cleanups].toReversed()) {
    cleanups.delete(cleanup);
    try {
      cleanup();
    } catch (error) {
      process.stderr.write(`cleaning up: ${String(error)}\n`);
    }
  }
}

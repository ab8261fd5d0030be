/** A progress line on standard error, written only where that is a terminal. */
export interface Progress {
  show(done: number, of: number): void;
  /** Clears the line. */
  end(): void;
}

/**
 * Returns a progress line such as `120 of 5000 pods changed`, written at most ten times a second.
 */
export function showProgress(what: string): Progress {
  const isShown = process.stderr.isTTY;
  let shownAt = 0;
  return {
    show(done, of) {
      if (!isShown || performance.now() - shownAt < 100) return;
      shownAt = performance.now();
      process.stderr.write(`\r${done} of ${of} ${what}\u001B[K`);
    },
    end() {
      if (isShown && shownAt > 0) process.stderr.write('\r\u001B[K');
    },
  };
}

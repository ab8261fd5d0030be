/** A count on standard error while something takes long; nothing where that is no terminal. */
export interface Progress {
  readonly show: (done: number, of: number) => void;
  /** Wipes it away. */
  readonly end: () => void;
}

/** A progress line such as `120 of 5000 pods changed`, written at most ten times a second. */
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

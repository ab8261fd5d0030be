/** What lets only so many run at the same time; the others wait in line. */
export interface Semaphore {
  /** Returns what `work` returns, once there is room for it. */
  run<T>(work: () => Promise<T>): Promise<T>;
}

/** Returns a semaphore with room for `limit` at a time. */
export function createSemaphore(limit: number): Semaphore {
  let running = 0;
  const waiting: (() => void)[] = [];
  return {
    async run(work) {
      if (running < limit) running += 1;
      else await new Promise<void>((resolve) => waiting.push(resolve));
      try {
        return await work();
      } finally {
        // The place goes to the next in line, so nobody else can take it in between.
        const next = waiting.shift();
        if (next === undefined) running -= 1;
        else next();
      }
    },
  };
}

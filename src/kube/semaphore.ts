/** Limits how many run at the same time. The others wait in line. */
export interface Semaphore {
  /** Runs `work` once there is room for it, and returns what it returns. */
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
        // The place goes to the next in line, so that nobody else can take it in between.
        const next = waiting.shift();
        if (next === undefined) running -= 1;
        else next();
      }
    },
  };
}

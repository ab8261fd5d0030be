import { readdir, readFile } from 'node:fs/promises';

/** What a process has used so far. */
export interface Cost {
  /** Milliseconds of CPU, in its own code and in the kernel's. */
  readonly cpu: number;
  /** MiB that it holds in memory, and the most it ever held. */
  readonly resident: number;
  readonly peak: number;
}

/** Returns the cost of a process so far, as Linux accounts for it (proc(5)). */
export async function costOf(pid: number): Promise<Cost> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const mebibytes = (key: string): number => Number(new RegExp(`^${key}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) / 1024;
  return { cpu: await cpuOf(pid), resident: mebibytes('VmRSS'), peak: mebibytes('VmHWM') };
}

/**
 * Returns the milliseconds of CPU that a process's threads have used so far; without those of threads that have ended. From the
 * scheduler, because the ticks of /proc/PID/stat are too coarse for a few hundred reviews.
 */
export async function cpuOf(pid: number): Promise<number> {
  const threads = await readdir(`/proc/${pid}/task`);
  const texts = await Promise.all(threads.map((thread) => readFile(`/proc/${pid}/task/${thread}/schedstat`, 'utf8')));
  // The first figure is the time on a CPU, in nanoseconds (Documentation/scheduler/sched-stats.rst).
  return texts.reduce((sum, text) => sum + Number(text.split(' ')[0]), 0) / 1e6;
}

import { readFile } from 'node:fs/promises';

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
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  // The command's name, in brackets, may hold anything; utime and stime are the 12th and 13th field after it, in ticks.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const mebibytes = (key: string): number => Number(new RegExp(`^${key}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) / 1024;
  const ticks = Number(fields[11]) + Number(fields[12]);
  // USER_HZ is 100 on every architecture that we run on.
  return { cpu: ticks * 10, resident: mebibytes('VmRSS'), peak: mebibytes('VmHWM') };
}

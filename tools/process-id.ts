import { readFileSync } from 'node:fs';
import { hasCode } from './error-code.ts';

/** Returns whether a process with this id exists. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return hasCode(error, 'EPERM');
  }
}

/** Kills a process at once; one that is already gone is fine. */
export function killNow(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (!hasCode(error, 'ESRCH')) throw error;
  }
}

/** Returns the arguments that a process was started with, which distinguish it from another that got its id; Linux only. */
export function commandLineOf(pid: number): readonly string[] {
  return ofProcess(pid, 'cmdline').split('\0').slice(0, -1);
}

/** Returns the ids of a process' children; Linux only. */
export function childrenOf(pid: number): readonly number[] {
  return ofProcess(pid, `task/${pid}/children`).split(' ').filter(Boolean).map(Number);
}

/** Returns when a process started, in a unit of the kernel's: the same id at another time is another process; Linux only. */
export function startTimeOf(pid: number): string | undefined {
  // The second field is the program's name in parentheses, which may hold anything.
  return ofProcess(pid, 'stat').split(') ').at(-1)?.split(' ')[19];
}

/** Returns whether a process has ended, even if its parent hasn't taken notice yet; Linux only. */
export function hasEnded(pid: number): boolean {
  const state = ofProcess(pid, 'stat').split(') ').at(-1)?.[0];
  return state === undefined || state === 'Z' || state === 'X';
}

/** Returns the seconds of CPU that a process has taken so far, to a hundredth; NaN where it has ended, or /proc is not Linux's. */
export function cpuSecondsOf(pid: number): number {
  // Fields 14 and 15 of proc(5)'s stat are in hundredths.
  const [user, system] = ofProcess(pid, 'stat').split(') ').at(-1)?.split(' ').slice(11, 13).map(Number) ?? [];
  return ((user ?? Number.NaN) + (system ?? Number.NaN)) / 100;
}

function ofProcess(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT') || hasCode(error, 'ESRCH')) return '';
    throw error;
  }
}

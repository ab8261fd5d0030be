import { getSystemErrorMessage } from 'node:util';

/** Returns the sentence for a file that can't be read: its name, and the reason with its code. */
export function readErrorMessage(file: string, error: unknown): string {
  if (!(error instanceof Error)) return `${file} can't be read: ${String(error)}`;
  if (!('errno' in error) || typeof error.errno !== 'number') return `${file} can't be read: ${error.message}`;
  return `${file} can't be read: ${getSystemErrorMessage(error.errno)} (${'code' in error ? String(error.code) : error.errno})`;
}

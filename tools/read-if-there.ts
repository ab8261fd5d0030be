import { readFileSync } from 'node:fs';
import { hasCode } from './error-code.ts';

/** Returns the file's text, or nothing where there is no such file. */
export function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return '';
    throw error;
  }
}

import { randomBytes } from 'node:crypto';

/** Returns some letters and digits that no server has a path of. */
export function randomName(): string {
  return randomBytes(12).toString('hex');
}

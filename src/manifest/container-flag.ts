import { objectIn, objectsIn, text } from '../core/json.ts';
import type { JsonObject } from '../core/json.ts';

/** Returns the value of a flag of the first container, such as `--lease-name=NAME`; undefined where it has none. */
export function flagOf(workload: JsonObject | undefined, flag: string): string | undefined {
  const template = objectIn(objectIn(workload, 'spec'), 'template');
  const args = objectsIn(objectIn(template, 'spec'), 'containers')[0]?.['args'];
  const found = (Array.isArray(args) ? args : [])
    .map(text)
    .find((word) => word === flag || word.startsWith(`${flag}=`));
  return found?.slice(flag.length + 1);
}

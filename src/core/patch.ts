import type { Decision } from './decision.ts';
import { isObject, member, own } from './json.ts';

/**
 * The only JSON Patch operation (RFC 6902) that autoscrape ever sends for a pod that is being
 * created.
 */
export interface AddOperation {
  readonly op: 'add';
  readonly path: string;
  readonly value: string | Readonly<Record<string, string>>;
}

/**
 * Returns the operations that apply the decision to the object that it was made for; none for a
 * skip. A patch that does not apply rejects the pod, even under failurePolicy Ignore. So every
 * operation adds a path that does not exist yet, and its parent exists in the object or is created
 * here.
 */
export function renderPatch(object: unknown, decision: Decision): AddOperation[] {
  if (decision.outcome === 'skip') return [];
  const metadata = member(object, 'metadata');
  if (!isObject(metadata)) return [];
  const existing = own(metadata, 'annotations');
  if (existing === undefined || existing === null) {
    return [{ op: 'add', path: '/metadata/annotations', value: decision.annotations }];
  }
  if (!isObject(existing)) return [];
  return Object.entries(decision.annotations)
    .filter(([key]) => !Object.hasOwn(existing, key))
    .map(([key, value]) => ({ op: 'add', path: `/metadata/annotations/${escapePointer(key)}`, value }));
}

/**
 * Returns the key as one token of a JSON Pointer (RFC 6901). `~` is escaped first, or the tilde of
 * `~1` would be escaped again.
 */
export function escapePointer(key: string): string {
  return key.replaceAll('~', '~0').replaceAll('/', '~1');
}

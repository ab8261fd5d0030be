import { isObject, own } from '../core/json.ts';
import type { Kube } from './client.ts';
import { ask } from './request.ts';
import type { Failure } from './request.ts';

/** What to list and watch: a collection's path, and perhaps selectors. */
export interface Source {
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
}

export type Listed =
  { readonly ok: true; readonly resourceVersion: string } | { readonly ok: false; readonly failure: Failure };

/** Objects a page: what kubectl and client-go's pager ask for. */
const PAGE = 500;

/** A page of large pods takes longer than other calls. */
const PAGE_MS = 30_000;

/**
 * Hands over every object of a collection, page by page, so that the caller can keep what it needs and drop the rest; the
 * resource version to watch from, or why the list could not be finished (some objects may have been handed over then).
 */
export async function listAll(
  kube: Kube,
  source: Source,
  onObject: (object: unknown) => void,
  signal: AbortSignal,
): Promise<Listed> {
  let continuation = '';
  for (;;) {
    const asked = await ask(kube, {
      method: 'GET',
      path: source.path,
      query: { ...source.query, limit: String(PAGE), ...(continuation === '' ? {} : { continue: continuation }) },
      timeoutMs: PAGE_MS,
      onItem: onObject,
      signal,
    });
    if (!asked.ok) return asked;
    const metadata = isObject(asked.body) ? own(asked.body, 'metadata') : undefined;
    if (!isObject(metadata)) {
      return { ok: false, failure: { status: 200, message: `the answer to ${source.path} is not a list` } };
    }
    const next = own(metadata, 'continue');
    if (typeof next !== 'string' || next === '') {
      return { ok: true, resourceVersion: String(own(metadata, 'resourceVersion')) };
    }
    continuation = next;
  }
}

import { isObject, member, own } from '../core/json.ts';
import type { Result } from '../core/result.ts';
import type { Failure, Kube } from './client.ts';

/** What to list and watch: a collection's path, and selectors. */
export interface Source {
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
}

/** Objects in a page: what kubectl and client-go's pager ask for. */
const PAGE_SIZE = 500;

/** A page of large pods takes longer than other requests. */
const PAGE_TIMEOUT_MS = 30_000;

/**
 * Calls `onObject` with every object of a collection, page by page, so that the caller can keep
 * what it needs and drop the rest. Returns the resource version to watch from, or why the list
 * failed; it may have called `onObject` with some of the objects by then.
 */
export async function listAll(
  kube: Pick<Kube, 'request'>,
  source: Source,
  onObject: (object: unknown) => void,
  signal: AbortSignal,
): Promise<Result<string, Failure>> {
  let continuation = '';
  for (;;) {
    const page = await kube.request({
      method: 'GET',
      path: source.path,
      query: { ...source.query, limit: String(PAGE_SIZE), ...(continuation === '' ? {} : { continue: continuation }) },
      timeoutMs: PAGE_TIMEOUT_MS,
      onItem: onObject,
      signal,
    });
    if (!page.ok) return page;
    const metadata = member(page.value, 'metadata');
    if (!isObject(metadata)) {
      return { ok: false, error: { status: 200, message: `the answer to ${source.path} is not a list` } };
    }
    const next = own(metadata, 'continue');
    if (typeof next !== 'string' || next === '') {
      return { ok: true, value: String(own(metadata, 'resourceVersion')) };
    }
    continuation = next;
  }
}

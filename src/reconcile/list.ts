import { isObject, own } from '../core/json.ts';
import type { Kube } from '../kube.ts';
import { ask } from './ask.ts';
import type { Failure } from './ask.ts';

/** What to list and watch: a collection's path, and perhaps selectors. */
export interface Source {
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
}

export type Listed =
  { readonly ok: true; readonly resourceVersion: string } | { readonly ok: false; readonly failure: Failure };

/** Objects a page: what kubectl and client-go's pager ask for. */
const PAGE = 500;

/**
 * Longest page, in bytes. Pods have 5 to 20 KB, so 500 of them fit; but whoever may create pods can make them of 1 MB, and
 * then the page gets smaller instead of the process dying of its memory limit.
 */
const PAGE_BYTES = 16 * 1024 * 1024;

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
  let limit = PAGE;
  let continuation = '';
  for (;;) {
    const asked = await ask(kube, {
      method: 'GET',
      path: source.path,
      query: { ...source.query, limit: String(limit), ...(continuation === '' ? {} : { continue: continuation }) },
      timeoutMs: PAGE_MS,
      maxBytes: PAGE_BYTES,
      signal,
    });
    if (!asked.ok) {
      if (!asked.cut || limit === 1) return { ok: false, failure: asked.failure };
      limit = Math.ceil(limit / 8);
      continue;
    }
    const metadata = isObject(asked.body) ? own(asked.body, 'metadata') : undefined;
    const items = isObject(asked.body) ? own(asked.body, 'items') : undefined;
    if (!isObject(metadata) || !Array.isArray(items)) {
      return { ok: false, failure: { status: 200, message: `the answer to ${source.path} is not a list` } };
    }
    for (const item of items) onObject(item);
    const next = own(metadata, 'continue');
    if (typeof next !== 'string' || next === '') {
      return { ok: true, resourceVersion: String(own(metadata, 'resourceVersion')) };
    }
    continuation = next;
  }
}

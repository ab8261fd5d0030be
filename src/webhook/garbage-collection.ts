import { GC_AFTER_BYTES, UNSCANNED_BYTES } from './request-limits.ts';

/**
 * Returns a function to call with the size of each body, in bytes, once it is answered. After
 * {@link GC_AFTER_BYTES} of large bodies it runs the garbage collector: a large body leaves many
 * times its size as garbage, inside and outside of the heap, and V8 would let it pile up until the
 * heap is full. Small bodies don't count: V8 collects their garbage cheaply. Without Node's flag
 * --expose-gc it does nothing.
 */
export function createGcTrigger(): (bodyBytes: number) => void {
  let bytesSinceGc = 0;
  return (bodyBytes) => {
    if (bodyBytes <= UNSCANNED_BYTES) return;
    bytesSinceGc += bodyBytes;
    if (bytesSinceGc < GC_AFTER_BYTES || globalThis.gc === undefined) return;
    bytesSinceGc = 0;
    // Later, because the caller still references the body.
    setImmediate(() => globalThis.gc?.());
  };
}

/**
 * Returns the memory of the start's garbage to the system: of parsed rules and modules, which V8 would keep as room for more.
 * Without Node's flag --expose-gc it does nothing.
 */
export function compactHeap(): void {
  // It also discards code that was compiled before, so it comes before warming up.
  globalThis.gc?.({ type: 'major', execution: 'sync', flavor: 'last-resort' });
}

import { GARBAGE_BYTES, UNSCANNED_BYTES } from './limits.ts';

/**
 * A function to tell of each body that is done with. After {@link GARBAGE_BYTES} of large ones it collects the garbage:
 * each leaves many times its size, in the heap and outside of it, and V8 would let that pile up until the heap is at its
 * limit. Small ones die young, and V8 is good at these. Without Node's flag --expose-gc it does nothing.
 */
export function garbageCollector(): (bytes: number) => void {
  let since = 0;
  return (bytes) => {
    if (bytes <= UNSCANNED_BYTES) return;
    since += bytes;
    if (since < GARBAGE_BYTES || globalThis.gc === undefined) return;
    since = 0;
    // Not now: whoever calls still holds the body.
    setImmediate(() => globalThis.gc?.());
  };
}

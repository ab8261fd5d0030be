/*
 * Node's flags for autoscrape's processes: in the image's command, and in the tests that measure memory. Measured with
 * the bundle and 25 at once of each of the heaviest bodies that the limits accept: at most 142 MiB resident, 55 of them the
 * executable's own pages (test/harness/stress/heavy-bodies.ts).
 *
 * The heap's size is not in the image's command, where it would override the environment and could not be raised. It is in
 * NODE_OPTIONS, which the image sets for a process without a limit, and the chart from the container's limit. Node's --max-old-space-size-percentage follows the limit by itself, but no percentage leaves room for
 * what doesn't grow with the heap, and without a limit it would be a share of the machine. V8 has code caches depend on
 * flags, but not on this one: the compile cache of the image is used whatever the size (test/unit/commands/heap.test.ts).
 */

/** Node's flags, beside that of {@link heapFlag}. */
export const NODE_FLAGS: readonly string[] = [
  // The young generation is three such halves. Reviews die young: 2 MiB hold the garbage of 25 large ones. With 1 MiB a review
  // takes an eighth more CPU, with 4 MiB nothing less, and a burst of the heaviest bodies more memory.
  '--max-semi-space-size=2',
  // A webhook is called from time to time, so V8 would keep nearly all of its functions unoptimised for a day: its counters are made
  // for programs that are busy. One optimising compiler after 100 calls, not two after 400 and 3,000: a review takes a quarter
  // less CPU, and the process 9 MiB less after a thousand reviews.
  '--no-maglev',
  '--invocation-count-for-turbofan=100',
  // src/webhook/garbage-collection.ts: a burst of the heaviest bodies then takes 30 MiB less.
  '--expose-gc',
  // `__proto__` as an accessor has no place in a program that handles other people's keys.
  '--disable-proto=throw',
];

/** MiB of heap without a limit: some 20 are in use when a webhook is idle, and the heaviest review needs up to 15 more. */
const LEAST_HEAP = 48;

/**
 * MiB of a container's limit that are left for what isn't heap: 55 for the executable's pages, 40 for what buffers and
 * threads take at most, and the rest for what the kernel counts as the container's, such as 512 sockets, and for surprises.
 */
const BESIDE_HEAP = 144;

/**
 * Node's flag for the heap's old generation in a container with that limit in MiB, or without one. Of large limits a quarter
 * is left: what isn't heap grows with it, if slowly. The chart has the same formula (autoscrape.nodeOptions).
 */
export function heapFlag(limit = 0): string {
  const heap = Math.max(limit - Math.max(BESIDE_HEAP, Math.floor(limit / 4)), LEAST_HEAP);
  return `--max-old-space-size=${heap}`;
}

/** Environment variables of glibc's malloc, which otherwise keeps what it was given back: some 15 MiB. */
export const MALLOC_VARIABLES: Readonly<Record<string, string>> = {
  MALLOC_ARENA_MAX: '1',
  MALLOC_MMAP_THRESHOLD_: '131072',
  MALLOC_TRIM_THRESHOLD_: '131072',
};

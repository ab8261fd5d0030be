/*
 * How the webhook is run, wherever it is: the image's command, and the tests that measure memory. Measured with the
 * bundle and 25 at once of each of the heaviest bodies that the limits accept: at most 142 MiB resident, 55 of them the
 * executable's own pages (test/stress/heavy-bodies.ts).
 */

/** Node's flags. */
export const NODE_FLAGS: readonly string[] = [
  // The heap's old generation: some 20 MiB are in use when idle, and the heaviest review needs up to 15 more.
  '--max-old-space-size=48',
  // The young generation is three such halves beside it. Reviews are small and die young: 1 MiB holds a hundred.
  '--max-semi-space-size=1',
  // src/webhook/garbage.ts: a burst of the heaviest bodies then takes 30 MiB less.
  '--expose-gc',
  // `__proto__` as an accessor has no place in a program that handles other people's keys.
  '--disable-proto=throw',
];

/** Environment variables of glibc's malloc, which otherwise keeps what it was given back: some 15 MiB. */
export const MALLOC_VARIABLES: Readonly<Record<string, string>> = {
  MALLOC_ARENA_MAX: '1',
  MALLOC_MMAP_THRESHOLD_: '131072',
  MALLOC_TRIM_THRESHOLD_: '131072',
};

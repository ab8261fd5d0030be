/**
 * The flags that Node runs the webhook with, wherever it runs: the image's command and the tests that measure memory
 * hold to this list. Together they keep the process below 144 MiB of a limit of 192 MiB, whatever is sent.
 */
export const NODE_FLAGS: readonly string[] = [
  // The heap's old generation. The largest review that the limits accept needs some 50 MiB while it is looked at.
  '--max-old-space-size=48',
  // The young generation is three such halves beside it; reviews are small and die young, so small ones are enough.
  '--max-semi-space-size=2',
  // `__proto__` as an accessor has no place in a program that handles other people's keys.
  '--disable-proto=throw',
];

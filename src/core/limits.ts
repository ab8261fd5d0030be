/*
 * How much of one pod is read. Anyone who may create a pod may send 3 MiB of anything, and a
 * decision must stay within milliseconds and megabytes for everyone who shares the webhook (the
 * table in docs/architecture.md has these figures, too). No pod that runs comes close: the limits
 * are about ten times what the largest real pods contain.
 */

/**
 * Containers and init containers together. A pod with more is not read: every rule is evaluated in
 * each of them.
 */
export const MAX_CONTAINERS = 256;

/**
 * TCP ports of a pod. A pod with more is not read. Media servers declare ranges of thousands, but
 * for UDP.
 */
export const MAX_TCP_PORTS = 1_000;

/**
 * Characters of a name, an image, a path, an argument or a variable's value. A longer one is
 * ignored: it is a script or a certificate, not a port or an address. Linux takes arguments of up
 * to 128 KiB.
 */
export const MAX_TEXT = 4_096;

/**
 * Arguments of all containers of a pod together, including the pieces of scripts split at spaces;
 * further ones are not read.
 */
export const MAX_ARGUMENTS = 4_000;

/**
 * Characters that `$(NAME)` may add to one argument. Without a limit, a thousand references to a
 * variable of 100 KB expand a pod of 105 KB to 100 MB.
 */
export const MAX_EXPANSION = 1_024;

/** Endpoints of a decision. The annotations carry one or eight of them; the others are only listed. */
export const MAX_ENDPOINTS = 64;

/**
 * Characters of the path of an endpoint besides the first one, and of all that are written in dialects: seven paths of MAX_TEXT characters would fill a fifth of
 * the annotations that a pod may have.
 */
export const MAX_ADDITIONAL_PATH = 256;

/**
 * Characters of the annotation autoscrape.io/injected. autoscrape never writes a longer one and
 * does not parse it: 3 MB of JSON would fill the heap. The longest that autoscrape writes has 29 K:
 * a rule's name (63), four keys (317 each), a path of MAX_TEXT characters that JSON all escapes,
 * a port, and the JSON around them; seven times three more keys, a path of MAX_ADDITIONAL_PATH
 * characters and a port; and 9 K in dialects, for which the path must be short: eight endpoints twice (500 each, of
 * which 256 are the path), and the first one twice more.
 */
export const MAX_MARKER = 32 * 1024;

/**
 * Characters of a name for which a suggestion is searched. A label's value has no more, and the
 * edit distance costs the product of both lengths.
 */
export const MAX_SUGGESTED = 63;

/**
 * Steps of one decision, of about 10 ns each (step-budget.ts). The most expensive of 383 real pods
 * takes 2,281, and half of them take less than 200. 3,000,000 steps take 10 to 30 ms of CPU for most
 * pods; the slowest pod that the search found took 124 ms on a busy machine. The target is 50 ms, the
 * acceptance limit 250 ms. A pod that needs more steps is skipped as `too_complex`.
 */
export const MAX_STEPS = 3_000_000;

/**
 * Characters of a rules file: about 300 rules of two patterns. With the webhook's heap of 48 MB, a
 * file of 96 Ki can be loaded and reloaded three times, and a file of 128 Ki ends the process. A
 * ConfigMap may have 1 Mi.
 */
export const MAX_RULES_FILE = 64 * 1024;

/**
 * Instructions of all patterns of a rules file together (program-size.ts). 100 characters can compile
 * to more than the heap holds. The longest file of ordinary rules has 38,000. An instruction takes 80
 * to 200 bytes, and during a reload two files are in memory.
 */
export const MAX_INSTRUCTIONS = 48 * 1024;

/*
 * What one request, and all of them together, may cost. Every number is here with its derivation.
 */

/**
 * Bytes of one body. The API server takes objects of up to 3 MiB (its own limit of a request body) and a CREATE review
 * carries one of them; the rest of the review is a few KiB. 7 MiB, as others allow, is for UPDATE, which carries two.
 */
export const MAX_BODY_BYTES = 4 * 1024 * 1024;

/**
 * Bytes of a refused body that are read and dropped, so that the client gets to read its 413 or 503: a server that
 * closes with bytes unread sends a TCP reset, which may overtake the answer.
 */
export const MAX_DISCARDED_BYTES = 4 * MAX_BODY_BYTES;

/** A body up to this size can hold nothing that costs much, and is not scanned: almost every review is below 20 KiB. */
export const UNSCANNED_BYTES = 64 * 1024;

/**
 * Levels of nesting. The deepest path of a pod in a review has 15 (managedFields' `f:` trees); 64 leaves room for
 * fields to come.
 */
export const MAX_DEPTH = 64;

/**
 * Structural characters (`{`, `[`, `,`, `:` outside strings) of one body. Each costs the parsed value up to 64 bytes
 * of heap (measured: `{"k1":0},{"k2":0},…` and `[[[…`), so 128 Ki of them cost at most 8 MiB. What no pod passes either
 * is etcd's limit of 1.5 MiB (--max-request-bytes), in protobuf: of nothing but variables that have 80 bytes in JSON
 * and some 65 there, each with five structural characters, that is 121,000.
 */
export const MAX_STRUCTURE = 128 * 1024;

/**
 * Bytes of all bodies that are being received: what comes beyond is asked to come again in a second. 300 pods of 20 KiB,
 * or one of the largest and half of another.
 */
export const MAX_BYTES_IN_FLIGHT = 6 * 1024 * 1024;

/** Bytes of large bodies after which garbage is collected, once for each of the largest: it takes some 30 ms. */
export const GARBAGE_BYTES = 3 * 1024 * 1024;

/** How long the API server waits before it asks again, in seconds. It does so within its own `timeoutSeconds`. */
export const RETRY_AFTER_SECONDS = 1;

/**
 * Open connections. An API server keeps 25 and opens more in a burst; an idle one costs this process about 40 KiB. With
 * those of the health port they stay below 1,024, the fewest files that a process is usually allowed: beyond that the
 * system would refuse new ones, and nothing is known of those to drop one.
 */
export const MAX_CONNECTIONS = 512;

/**
 * Milliseconds in which a connection must have brought a valid review. The API server opens one when it has a call to
 * make, and gives that up after `timeoutSeconds`, 3 in the chart. When another of its connections became free first, it
 * keeps the new one for the next call, and opens another when it finds it closed.
 */
export const PROOF_MILLISECONDS = 5_000;

/** Milliseconds for a request until its answer has been taken: those for the request, and as many for the answer. */
export const EXCHANGE_MILLISECONDS = 10_000;

/**
 * Milliseconds that an idle connection stays open. The API server drops idle ones after 90 s; a server that does so
 * first races with a call on its way, which nobody repeats.
 */
export const KEEP_ALIVE_MILLISECONDS = 110_000;

/**
 * Milliseconds after which a connection is closed with its next answer, give or take a fifth at random. Connections
 * through a ClusterIP are never rebalanced (kubernetes#75791), so without this a new replica gets no calls.
 */
export const MAX_AGE_MILLISECONDS = 45_000;

/**
 * Milliseconds for a request's headers, and for all of it. Headers must not have longer than the request: Node would
 * give bodies the longer of the two. The API server gives up after `timeoutSeconds`, 3 in the chart.
 */
export const HEADERS_MILLISECONDS = 4_000;
export const REQUEST_MILLISECONDS = 5_000;

/** Milliseconds between Node's looks for connections that are over those limits. */
export const CHECK_MILLISECONDS = 1_000;

/** Milliseconds for a TLS handshake. The API server would wait for 10 s, but gives up the call after 3. */
export const HANDSHAKE_MILLISECONDS = 3_000;

/** Milliseconds that requests in flight have to finish when the process stops. */
export const CLOSE_MILLISECONDS = 15_000;

// What one request, and all requests together, may cost. Every number stands beside its derivation.

/**
 * Bytes of one body. The API server accepts objects of up to 3 MiB (its limit of a request body),
 * and a CREATE review carries one of them; the rest of the review is a few KiB. The 7 MiB that other
 * webhooks accept are for UPDATE reviews, which carry two.
 */
export const MAX_BODY_BYTES = 4 * 1024 * 1024;

/**
 * Bytes of a refused body that are read and dropped, so that the client can read its 413 or 503: a
 * server that closes with bytes unread sends a TCP reset, which may overtake the answer.
 */
export const MAX_DISCARDED_BYTES = 4 * MAX_BODY_BYTES;

/**
 * Bytes of a body below which nothing in it can cost much, so that it isn't scanned. Almost every
 * review is below 20 KiB.
 */
export const UNSCANNED_BYTES = 64 * 1024;

/**
 * Levels of nesting. The deepest path of a pod in a review has 15 (managedFields' `f:` trees); 64
 * leaves room for future fields.
 */
export const MAX_DEPTH = 64;

/**
 * Structural characters (`{`, `[`, `,`, `:` outside of strings) of one body. Each costs the parsed
 * value up to 64 bytes of heap (measured: `{"k1":0},{"k2":0},…` and `[[[…`), so 128 Ki of them cost
 * at most 8 MiB. No pod that can be stored has more: etcd's limit is 1.5 MiB (--max-request-bytes) of
 * protobuf. A pod of nothing but variables, each 80 bytes of JSON with five structural characters and
 * about 65 bytes of protobuf, reaches it at 121,000.
 */
export const MAX_STRUCTURE = 128 * 1024;

/**
 * Bytes of all bodies that are being received. A body that doesn't fit gets a 503 and is sent again
 * after a second. It is room for 300 pods of 20 KiB, or for one and a half of the largest bodies.
 */
export const MAX_BYTES_IN_FLIGHT = 6 * 1024 * 1024;

/**
 * Bytes of large bodies after which the garbage collector runs: once for each body of the largest
 * size. A run takes about 30 ms.
 */
export const GC_AFTER_BYTES = 3 * 1024 * 1024;

/** Seconds after which the API server should retry. It retries within its own `timeoutSeconds`. */
export const RETRY_AFTER_SECONDS = 1;

/**
 * Open connections. An API server keeps 25 and opens more in a burst; an idle connection costs this
 * process about 40 KiB. Together with the health port's they stay below 1,024, the lowest usual limit
 * of a process's open files: beyond that the kernel would refuse new connections, and we could not
 * choose which one to drop.
 */
export const MAX_CONNECTIONS = 512;

/**
 * Milliseconds within which a connection must have brought its first valid review. The API server
 * opens a connection when it has a call to make, and gives up after `timeoutSeconds`, 3 in the chart.
 * If another of its connections becomes free first, it keeps the new one for the next call; when it
 * finds that one closed, it opens another.
 */
export const FIRST_REVIEW_MS = 5_000;

/**
 * Milliseconds from a request's headers until its answer is written: those for the request, and as
 * many for the answer.
 */
export const ANSWER_MS = 10_000;

/**
 * Milliseconds that an idle connection stays open. The API server closes idle ones after 90 s. A
 * server that closes first races with a call that is already on its way, and nobody retries that call.
 */
export const KEEP_ALIVE_MS = 110_000;

/**
 * Milliseconds after which a connection is closed with its next answer, plus or minus a random fifth.
 * Connections through a ClusterIP are never rebalanced (kubernetes#75791), so without this a new
 * replica would get no calls.
 */
export const MAX_AGE_MS = 45_000;

/**
 * Milliseconds for a request's headers, and for the complete request. The first must not be longer
 * than the second: Node would allow a body the longer of the two. The API server gives up after
 * `timeoutSeconds`, 3 in the chart.
 */
export const HEADERS_MS = 4_000;
export const REQUEST_MS = 5_000;

/** Milliseconds between Node's checks of those two limits. */
export const CHECK_MS = 1_000;

/**
 * Milliseconds for a TLS handshake. The API server would wait for 10 s, but its call times out after
 * `timeoutSeconds`, 3 in the chart.
 */
export const HANDSHAKE_MS = 3_000;

/** Milliseconds for requests in flight to finish when the process stops. */
export const CLOSE_MS = 15_000;

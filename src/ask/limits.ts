// How long and how much one request may take, and how many there may be.

/** To connect. Within a cluster it takes a millisecond; what takes longer is mostly dropped by a NetworkPolicy. */
export const CONNECT_MS = 2_000;

/** From the beginning to the first byte of the answer. First requests to a JVM take a second and more. */
export const FIRST_BYTE_MS = 5_000;

/** For all of it: Prometheus' own scrape_timeout, so what takes longer is down there too. */
export const TOTAL_MS = 10_000;

/** Of the body, in bytes, as it comes and inflated: some 50,000 series of 80 bytes. Most pages end by themselves below it. */
export const MAX_BODY = 4 * 1024 * 1024;

/** Of the headers, in bytes: what Node takes by default. */
export const MAX_HEADERS = 16 * 1024;

/** Interim answers (1xx) before the answer. None is asked for; Go's client, and so Prometheus, took at most five for years. */
export const MAX_INTERIM = 5;

/** Ports of one pod. */
export const MAX_PORTS = 8;

/** Requests to one pod, redirects and controls included. */
export const MAX_REQUESTS = 12;

import { authorityOf } from '../core/ask/redirect.ts';
import type { Place } from '../core/ask/redirect.ts';
import { TOTAL_MS } from './limits.ts';

/**
 * What Prometheus 3 accepts by default (prometheus/scrape/scrape.go, acceptHeader): servers choose the format by it, and some refuse
 * to answer. No protobuf, which Prometheus asks for only with native histograms.
 */
const ACCEPT = [
  'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6',
  'application/openmetrics-text;version=0.0.1;q=0.5',
  'text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4',
  'text/plain;version=0.0.4;q=0.3',
  '*/*;q=0.2',
].join(',');

const SCRAPE = {
  Accept: ACCEPT,
  'Accept-Encoding': 'gzip',
  'X-Prometheus-Scrape-Timeout-Seconds': String(TOTAL_MS / 1000),
};

/**
 * Returns the headers of a request, name and value in turn, in the order in which Go sends Prometheus' (net/http writes Host and
 * User-Agent first). Two differ on purpose: `User-Agent` says who asks and where to read about it, `Connection` that nothing follows.
 */
export function scrapeHeaders(place: Place, version: string): string[] {
  return [
    ['Host', authorityOf(place)],
    ['User-Agent', userAgent(version)],
    ...Object.entries(SCRAPE),
    ['Connection', 'close'],
  ].flat();
}

/**
 * Returns the headers of a request that the API server passes on to a pod: it writes `Host` and
 * `Connection` itself.
 */
export function passedHeaders(version: string): Record<string, string> {
  return { 'user-agent': userAgent(version), ...SCRAPE };
}

function userAgent(version: string): string {
  return `autoscrape/${version} (+https://github.com/autoscrape/autoscrape/blob/main/docs/asking.md)`;
}

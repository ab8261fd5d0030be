import type { Format } from '../exposition/page-judge.ts';

/**
 * The result of asking a port. It contains only numbers and our own strings, nothing that a server
 * wrote.
 */
export type Verdict =
  | {
      readonly key: 'metrics';
      readonly format: Format;
      /** The number of samples on the page. */
      readonly series: number;
      /** Whether there are metrics besides the client library's own. */
      readonly beyondRuntime: boolean;
      /**
       * Whether the page or its type cannot look like metrics by chance. Otherwise a path that does
       * not exist must be asked, too.
       */
      readonly sure: boolean;
    }
  | { readonly key: 'metrics_empty'; readonly sure: boolean }
  /** `line` is undefined where the compression is damaged. */
  | { readonly key: 'invalid_at_line'; readonly line: number | undefined }
  | { readonly key: 'wrong_content_type'; readonly contentType: 'blank' | 'unreadable' | 'other' }
  | { readonly key: 'too_large'; readonly what: 'page' | 'line' | 'headers' }
  | { readonly key: 'too_slow'; readonly answered: boolean }
  | { readonly key: StatusKey; readonly status: number }
  | { readonly key: PlainKey };

/** Verdicts by the HTTP status, which they contain. */
export type StatusKey =
  | 'not_200'
  | 'needs_auth'
  | 'host_refused'
  | 'redirected_away'
  | 'not_found'
  | 'server_error'
  | 'rate_limited'
  | 'mesh_denied';

/** Verdicts without further fields. */
export type PlainKey =
  | 'https_only'
  | 'html'
  | 'json'
  | 'other_text'
  | 'catch_all'
  | 'refused'
  | 'timeout'
  | 'reset'
  | 'not_http'
  | 'never_list'
  | 'waiting';

/** A stable key of the result. Public: reasons, metrics and logs rely on it. */
export type VerdictKey = Verdict['key'];

/**
 * What to do after a verdict. `metrics`: annotate. `unscrapable`: there may be metrics, but the
 * target would be down: do not annotate, and say what to change. `no_metrics`: store it.
 * `not_answered`: nothing is known: ask again later.
 */
export type VerdictClass = 'metrics' | 'unscrapable' | 'no_metrics' | 'not_answered';

interface Meaning {
  readonly class: VerdictClass;
  readonly sentence: string;
  /** What the user can do so that the port is scraped; empty where there is nothing to do. */
  readonly remedy: string;
}

/** Every verdict with its class, its sentence, and what to do. */
export const VERDICTS = {
  metrics: { class: 'metrics', sentence: 'The port serves metrics that Prometheus can scrape.', remedy: '' },
  metrics_empty: {
    class: 'metrics',
    sentence: 'The port answers with an empty page, as several client libraries do before the first metric is there.',
    remedy: '',
  },
  invalid_at_line: {
    class: 'unscrapable',
    sentence:
      'The page is meant to be metrics, but Prometheus refuses all of it because of one line, or of damaged compression.',
    remedy: 'Correct the line; lines that end in CRLF and OpenMetrics sent as text/plain are the most frequent causes.',
  },
  wrong_content_type: {
    class: 'unscrapable',
    sentence: 'The page is metrics, but Prometheus refuses it for its Content-Type, which has to name the format.',
    remedy: 'Send "Content-Type: text/plain; version=0.0.4", or set fallback_scrape_protocol in the scrape job.',
  },
  not_200: {
    class: 'unscrapable',
    sentence: 'The port answers, but not with status 200, which is the only one that Prometheus takes.',
    remedy: 'Answer with 200, also when there are no metrics yet.',
  },
  needs_auth: {
    class: 'unscrapable',
    sentence: 'The port asks for credentials, and the annotations can name none.',
    remedy: 'Serve metrics without credentials to the cluster, or scrape the pod with a job of its own.',
  },
  host_refused: {
    class: 'unscrapable',
    sentence: "The server refuses requests that name the pod's address as their host, and Prometheus' requests do.",
    remedy: "Allow the pod's address as a host, such as in Django's ALLOWED_HOSTS.",
  },
  https_only: {
    class: 'unscrapable',
    sentence: 'The port speaks TLS, and was asked without.',
    remedy: 'Serve metrics over http, or have https endpoints annotated with "https: true" in the rules.',
  },
  redirected_away: {
    class: 'unscrapable',
    sentence: 'The port redirects to somewhere else than a path of its own, or more than once.',
    remedy: 'Serve metrics at the path itself, or write the final port and path into the annotations.',
  },
  too_slow: {
    class: 'unscrapable',
    sentence: 'The port takes the connection, but its answer did not begin within 5 s or did not end within 10 s.',
    remedy: 'Make the page faster, or scrape it less often and more patiently: prometheus.io/scrape-slow.',
  },
  too_large: {
    class: 'unscrapable',
    sentence: 'The answer is larger than 4 MiB, has a line of more than 1 MiB, or headers of more than 16 KiB.',
    remedy: 'Serve fewer series, or write the annotations by hand if all of them are wanted.',
  },
  not_found: { class: 'no_metrics', sentence: 'Nothing is served at the paths that were asked.', remedy: '' },
  html: { class: 'no_metrics', sentence: 'The port serves a web page there.', remedy: '' },
  json: { class: 'no_metrics', sentence: 'The port serves JSON there.', remedy: '' },
  other_text: { class: 'no_metrics', sentence: 'The port serves something there that is not metrics.', remedy: '' },
  catch_all: {
    class: 'no_metrics',
    sentence: 'The port gives the same kind of answer at a path that does not exist.',
    remedy: 'Describe the metrics with TYPE lines, or name the version in the Content-Type.',
  },
  refused: { class: 'not_answered', sentence: 'Nothing takes connections there.', remedy: '' },
  timeout: {
    class: 'not_answered',
    sentence: 'No connection came about within 2 s: mostly a NetworkPolicy that lets only others in.',
    remedy: 'Let the reconciler in, as well as Prometheus.',
  },
  reset: { class: 'not_answered', sentence: 'The connection was closed before the answer had ended.', remedy: '' },
  not_http: { class: 'not_answered', sentence: 'The port speaks something else than HTTP/1.', remedy: '' },
  mesh_denied: {
    class: 'not_answered',
    sentence: 'A proxy of the service mesh answered in place of the application.',
    remedy: "Allow the reconciler's service account in the mesh, as well as Prometheus'.",
  },
  server_error: { class: 'not_answered', sentence: 'The server failed to answer.', remedy: '' },
  rate_limited: { class: 'not_answered', sentence: 'The server has had too many requests.', remedy: '' },
  never_list: { class: 'not_answered', sentence: 'The port or address is one that is never asked.', remedy: '' },
  waiting: { class: 'not_answered', sentence: 'The port has not been asked yet.', remedy: '' },
} as const satisfies Record<VerdictKey, Meaning>;

/** Returns the verdict's class. */
export function classOf({ key }: Verdict): VerdictClass {
  return VERDICTS[key].class;
}

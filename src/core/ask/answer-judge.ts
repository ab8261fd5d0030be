import { pathSuggestedBy } from './ask-path.ts';
import { readMediaType } from '../exposition/media-type.ts';
import type { MediaType } from '../exposition/media-type.ts';
import { judgePage } from '../exposition/page-judge.ts';
import type { Format, PageFinding } from '../exposition/page-judge.ts';
import type { Verdict } from './verdict.ts';

/** What is known of an answer before its body. */
export interface AnswerHead {
  readonly status: number;
  /**
   * The first Content-Type header, which is the one that Prometheus reads; undefined where there is
   * none.
   */
  readonly contentType: string | undefined;
  /** Whether Linkerd's proxy sent the answer itself (`l5d-proxy-error`). */
  readonly fromLinkerd: boolean;
}

/** Judges one answer while its body is received, as Prometheus 3 would judge the scrape. */
export interface AnswerJudge {
  /** Reads the next bytes of the body, after decompression. */
  feed(chunk: Uint8Array): void;
  /** Returns the verdict on an answer that was read to its end. */
  end(): Verdict;
  /** Returns the verdict on an answer that exceeds the size limit. */
  cutOff(): Verdict;
  /**
   * Returns the verdict on an answer whose compression is damaged: Prometheus stores nothing of it.
   */
  damaged(): Verdict;
  /** Returns a path of ours that the body suggests, or undefined. */
  suggestedPath(): string | undefined;
}

/** In bytes: enough to recognise an error page. */
const START = 1024;

/** Returns a judge for the answer with this head. */
export function judgeAnswer(head: AnswerHead): AnswerJudge {
  const type = readMediaType(head.contentType);
  const format = type.kind === 'read' ? type.format : undefined;
  // Where the type names no format, a page in either format is still reported.
  const formats: readonly Format[] = format === undefined ? ['text', 'openmetrics'] : [format];
  const judges = formats.map(judgePage);
  let start = '';

  function judge(findings: readonly PageFinding[], ending: Ending): Verdict {
    const page = findings.find(({ valid }) => valid) ?? findings.find(({ described }) => described) ?? findings[0];
    if (page === undefined) return { key: 'other_text' };
    const answer = { head, type, start: start.toLowerCase(), page, ending };
    return head.status === 200 ? judgeSuccess(answer) : judgeStatus(answer);
  }

  return {
    feed(chunk) {
      if (start.length < START) start += String.fromCharCode(...chunk.subarray(0, START - start.length));
      for (const one of judges) one.feed(chunk);
    },
    end: () =>
      judge(
        judges.map((one) => one.end()),
        'end',
      ),
    cutOff: () =>
      judge(
        judges.map((one) => one.cutOff()),
        'cut off',
      ),
    damaged: () =>
      judge(
        judges.map((one) => one.cutOff()),
        'damaged',
      ),
    suggestedPath: () => pathSuggestedBy(start.toLowerCase()),
  };
}

/** How the body ended. */
type Ending = 'end' | 'cut off' | 'damaged';

interface Answer {
  readonly head: AnswerHead;
  readonly type: MediaType;
  /** The beginning of the body, in lower case. */
  readonly start: string;
  readonly page: PageFinding;
  readonly ending: Ending;
}

function judgeSuccess(answer: Answer): Verdict {
  const { type, page, ending } = answer;
  const format = type.kind === 'read' ? type.format : undefined;
  const saysSo = format === 'openmetrics' || (format === 'text' && type.kind === 'read' && type.version !== '');
  const meant = saysSo || page.described;
  if (ending === 'damaged') return meant ? { key: 'invalid_at_line', line: undefined } : judgeText(answer);
  // Prometheus checks the type only where there is something to parse.
  if (page.empty) return { key: 'metrics_empty', sure: saysSo };
  if (format === undefined) return isMetrics(page) ? wrongType(type) : judgeText(answer);
  if (!page.valid) {
    if (!meant) return judgeText(answer);
    return page.tooLong ? { key: 'too_large', what: 'line' } : { key: 'invalid_at_line', line: page.line };
  }
  if (ending === 'cut off') return meant || page.series > 0 ? { key: 'too_large', what: 'page' } : judgeText(answer);
  if (page.series === 0) return { key: 'metrics_empty', sure: meant };
  const { series, beyondRuntime } = page;
  return { key: 'metrics', format, series, beyondRuntime, sure: saysSo || page.typed };
}

function judgeStatus(answer: Answer): Verdict {
  const { head, start, page } = answer;
  const { status } = head;
  if (head.fromLinkerd || ENVOY.some((words) => start.startsWith(words))) return { key: 'mesh_denied', status };
  if (status < 200) return { key: 'not_http' };
  // .NET answers 204 before the first metric:
  // https://github.com/open-telemetry/opentelemetry-dotnet/issues/3582
  if (status < 300) return page.empty || isMetrics(page) ? { key: 'not_200', status } : judgeText(answer);
  if (status < 400) return { key: 'redirected_away', status };
  if (status >= 500) return { key: 'server_error', status };
  if (WANTS_TLS.some((words) => start.includes(words))) return { key: 'https_only' };
  switch (status) {
    case 401:
    case 407:
      return { key: 'needs_auth', status };
    case 403:
      return { key: REFUSES_HOST.some((words) => start.includes(words)) ? 'host_refused' : 'needs_auth', status };
    case 400:
    case 421:
      return { key: 'host_refused', status };
    case 406:
      return { key: 'not_200', status };
    case 408:
    case 425:
      return { key: 'server_error', status };
    case 429:
      return { key: 'rate_limited', status };
    default:
      return { key: 'not_found', status };
  }
}

/**
 * Returns whether a page with a wrong type or status is metrics: one or two samples can be chance.
 */
function isMetrics({ valid, described, series }: PageFinding): boolean {
  return described || (valid && series >= 3);
}

function wrongType(type: MediaType): Verdict {
  return { key: 'wrong_content_type', contentType: type.kind === 'read' ? 'other' : type.kind };
}

function judgeText({ type, start }: Answer): Verdict {
  const name = type.kind === 'read' ? type.name : '';
  const text = start.trimStart();
  if (name.endsWith('html') || text.startsWith('<')) return { key: 'html' };
  if (name.endsWith('json') || text.startsWith('{') || text.startsWith('[')) return { key: 'json' };
  return { key: 'other_text' };
}

/**
 * Errors that Envoy sends itself, also as Istio's sidecar:
 * https://github.com/istio/istio/issues/24580, https://github.com/istio/istio/issues/21520
 */
const ENVOY = ['upstream connect error or disconnect/reset', 'no healthy upstream', 'rbac: access denied'];

/** How TLS servers answer a request without TLS: Go, nginx, Apache, Tomcat. */
const WANTS_TLS = [
  'client sent an http request to an https server',
  'the plain http request was sent to https port',
  'speaking plain http to an ssl-enabled server',
  'this combination of host and port requires tls',
];

/**
 * How servers answer that reject requests for other host names: web3signer, Rails, webpack, Vite.
 */
const REFUSES_HOST = ['host not authorized', 'blocked host', 'invalid host header', 'this host', 'host is not allowed'];

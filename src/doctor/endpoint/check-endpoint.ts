import type { VerdictKey } from '../../core/ask/verdict.ts';
import { VERDICTS } from '../../core/ask/verdict.ts';
import type { EndpointAsked, FoundEndpoint } from './ask-endpoint.ts';
import type { Stated } from '../pod/check-pod.ts';
import { finding, quoted } from '../finding.ts';
import type { FindingId, Line } from '../finding.ts';

const IDS: Readonly<Record<VerdictKey, FindingId | 'ok' | 'unchecked'>> = {
  metrics: 'ok',
  metrics_empty: 'ok',
  invalid_at_line: 'endpoint-malformed',
  wrong_content_type: 'endpoint-content-type',
  not_200: 'endpoint-status',
  needs_auth: 'endpoint-needs-login',
  // The API server sends another Host than a scraper, from another address.
  host_refused: 'endpoint-host',
  https_only: 'endpoint-tls',
  redirected_away: 'endpoint-redirects',
  too_slow: 'endpoint-slow',
  // The limit is ours: Prometheus has none unless its job sets one.
  too_large: 'endpoint-too-large',
  not_found: 'endpoint-not-found',
  html: 'endpoint-not-metrics',
  json: 'endpoint-not-metrics',
  other_text: 'endpoint-not-metrics',
  catch_all: 'endpoint-not-metrics',
  refused: 'endpoint-refused',
  timeout: 'endpoint-timeout',
  reset: 'endpoint-closes',
  not_http: 'endpoint-closes',
  mesh_denied: 'endpoint-mesh',
  server_error: 'endpoint-status',
  rate_limited: 'endpoint-status',
  never_list: 'unchecked',
  waiting: 'unchecked',
};

/** What to do, where the verdicts of asking speak of the reconciler or have nothing to say. */
const WHAT_TO_DO: Readonly<Partial<Record<FindingId, string>>> = {
  'endpoint-refused':
    'Let the app listen on all addresses, not on 127.0.0.1 alone, or write the port that it has into prometheus.io/port.',
  'endpoint-not-found': 'Write the path that has the metrics into prometheus.io/path, or switch them on in the app.',
  'endpoint-not-metrics':
    'Write the port and path that have the metrics into prometheus.io/port and prometheus.io/path.',
  'endpoint-status': "Look at the app's log.",
  'endpoint-closes': 'Write the port that speaks HTTP into prometheus.io/port.',
  'endpoint-mesh': "Only Prometheus' own word counts in a mesh: look at its page Targets.",
};

/** What is known when the answer is judged. */
export interface EndpointSurroundings {
  readonly namespace: string;
  /** Whether the scraper gets its metrics there. */
  readonly isUp: boolean;
  /** Whether a sidecar refuses clients outside the mesh. */
  readonly isMeshed: boolean;
  /** Another port or path of the pod that answers with metrics, where that was asked. */
  readonly other: FoundEndpoint | undefined;
}

/** Verdicts on a port that has answered nothing over https, so that it speaks something else than TLS, or nobody knows. */
const NO_ANSWER: readonly VerdictKey[] = [
  'reset',
  'not_http',
  'refused',
  'timeout',
  'too_slow',
  'waiting',
  'never_list',
];

/** Returns what the answer of the annotated endpoint means. */
export function checkEndpoint(
  asked: Exclude<EndpointAsked, { readonly isGone: true }>,
  { port, path, scheme }: Stated,
  { namespace, isUp, isMeshed, other }: EndpointSurroundings,
): Line {
  if ('needs' in asked) return { state: 'unchecked', title: 'the endpoint', needs: asked.needs };
  const { verdict } = asked;
  const at = `:${port ?? ''}`;
  const time = `in ${(asked.ms / 1000).toFixed(2)} s`;
  if (verdict.key === 'metrics')
    return {
      state: 'ok',
      title: `answers through the API server: ${verdict.series} series ${time}, ${verdict.format}`,
    };
  const isTls = asked.overHttps !== undefined && !NO_ANSWER.includes(asked.overHttps.key);
  const id = isTls ? 'endpoint-tls' : IDS[verdict.key];
  if (id === 'ok') return { state: 'ok', title: `answers through the API server: an empty page, 0 series ${time}` };
  if (id === 'unchecked')
    return { state: 'unchecked', title: 'the endpoint', needs: 'an API server that reaches the pod' };
  const { sentence, remedy } = VERDICTS[isTls ? 'https_only' : verdict.key];
  // It asks from elsewhere, with another Host: a failure while the scraper says "up" is no finding.
  if (isUp)
    return { state: 'ok', title: `answers Prometheus; asked through the API server it does not (${verdict.key})` };
  const line = verdict.key === 'invalid_at_line' && verdict.line !== undefined ? ` It is line ${verdict.line}.` : '';
  const status = 'status' in verdict ? ` It is status ${verdict.status}.` : '';
  const tls = asked.overHttps?.key === 'metrics' ? ` Over https it answers with ${asked.overHttps.series} series.` : '';
  const better =
    other === undefined ? '' : ` Port ${other.port} answers with ${other.series} series at ${quoted(other.path)}.`;
  const found = finding(
    isMeshed && id === 'endpoint-closes' ? 'endpoint-mesh' : id,
    `does not answer with metrics at ${at}${path === '/metrics' ? path : ' at its path'}`,
    `Asked through the API server${scheme === 'https' ? ' over https' : ''}: ${sentence.replace('within 2 s', 'in time')}${line}${status}${tls}${better}`,
    '',
  );
  if (other !== undefined)
    return {
      ...found,
      todo: `write into the pod template: prometheus.io/port: "${other.port}", prometheus.io/path: ${quoted(other.path)}`,
    };
  if (found.id === 'endpoint-timeout') return { ...found, todo: `kubectl get networkpolicy -n ${namespace}` };
  return { ...found, todo: WHAT_TO_DO[found.id] ?? remedy };
}

import { nameOf, namespaceOf } from '../../core/metadata.ts';
import type { VerdictKey } from '../../core/ask/verdict.ts';
import { objectIn, text } from '../../core/json.ts';
import type { JsonObject } from '../../core/json.ts';
import type { KnownPod, PodInScraper } from './check-targets.ts';
import { COLLECTIONS } from '../object-cache.ts';
import type { ClusterReader } from '../object-cache.ts';
import { finding, quoted, quotedAddress } from '../finding.ts';
import type { Finding, FindingId, Line } from '../finding.ts';
import { meshRefusal } from './mesh.ts';
import { readNamespaceLabels } from '../pod/namespace-labels.ts';
import { forbiddenBy } from './network-policies.ts';
import type { Target } from './prometheus-targets.ts';
import { compareTimeouts, TIMEOUT } from './timeouts.ts';
import { stoppedContainer } from '../pod/stopped-container.ts';

const OTHER_STATUS = [
  'target-status',
  'The pod answers with another status than 200.',
  'Correct prometheus.io/path for 404; 401 and 403 need a scrape job with credentials; 400 often is the Host or TLS.',
] as const;

/** What the error texts of Prometheus and vmagent mean, the first match counts. */
const ERRORS: readonly (readonly [error: RegExp, id: FindingId, meaning: string, todo: string])[] = [
  // vmagent quotes the answer's body, which may have any words in it; Go's TLS server says there what it wants.
  [/unexpected status code(?!.*HTTP request to an HTTPS server)/s, ...OTHER_STATUS],
  [
    /target_limit|sample[ _]limit|body size limit|label_\w*limit|bucket limit|series_limit|maxScrapeSize|max_scrape_size/,
    'target-limit',
    'A limit of the scrape job is exceeded, so that nothing of the page is stored.',
    'Raise the limit in the scrape job, or serve fewer series.',
  ],
  [
    /Content-Type/,
    'target-content-type',
    'It refuses the answer for its Content-Type, which has to name the format.',
    'Where it is a web page, correct prometheus.io/port or prometheus.io/path; else set fallback_scrape_protocol in the job.',
  ],
  [
    /x509/,
    'target-certificate',
    "The certificate has not the pod's address in it, has expired, or is of another authority.",
    'Serve metrics over http, or write a scrape job with ca_file and server_name.',
  ],
  [
    /malformed HTTP|HTTP response to HTTPS client|HTTP request to an HTTPS server|tls:/,
    'target-tls',
    'One side speaks TLS, and the other does not.',
    'Correct prometheus.io/scheme; several scrape jobs ignore it.',
  ],
  [
    /connection refused/,
    'target-refused',
    'Nothing takes connections at that address.',
    'Let the app listen on all addresses, not on 127.0.0.1 alone, or correct prometheus.io/port.',
  ],
  [
    /no route to host|network is unreachable/,
    'target-unreachable',
    'A firewall rejects the connection, or the node is away.',
    "Look at the firewall of the pod's node.",
  ],
  [
    TIMEOUT,
    'target-timeout',
    'The connection or the page takes too long.',
    "Make the page faster, or raise timeout and interval of the scrape job; look at the CNI's own policies too.",
  ],
  // Before EOF: OpenMetrics' own end is `# EOF`, and what Go's reader says is `unexpected EOF`.
  [
    /start token|\bexpected|invalid metric|timestamp|data does not end/,
    'target-malformed',
    'The page is not in the format of its Content-Type.',
    'Correct the page, or the port and path in the annotations.',
  ],
  [
    /EOF|reset by peer|broken pipe/,
    'target-closed',
    'The connection was closed before the answer: TLS at the port, mutual TLS of a mesh, or a crash.',
    "Look at the app's log, and in a mesh at its policies.",
  ],
  [/HTTP status/, ...OTHER_STATUS],
];

/** Failures that a container can be the cause of that does not run. */
const BY_STOPPED: readonly FindingId[] = ['target-refused', 'target-closed', 'target-status'];

/** Failures that a NetworkPolicy can be the cause of: most CNIs drop, some reject. */
const BY_NETWORK: readonly FindingId[] = ['target-timeout', 'target-refused', 'target-unreachable'];

/**
 * Returns whether a mesh's sidecar can be the cause: one that wants mutual TLS closes the connection, or Prometheus' own
 * sidecar says 503; one that knows the client and does not let it in says 403. Other answers are the app's.
 */
function canBeMesh(id: FindingId, error: string): boolean {
  return id === 'target-closed' || (id === 'target-status' && /\b(?:403|503)\b/.test(statusIn(error)));
}

/** Returns the words about the status, without the address before them, in which a port could look like one. */
function statusIn(error: string): string {
  return /HTTP status .*|: \d{3}; expecting/.exec(error)?.[0] ?? '';
}

/** Returns why a target is down, as the scraper's error and everything else that is known say. */
export async function explainDown(
  target: Target,
  says: PodInScraper,
  pod: KnownPod,
  cluster: ClusterReader,
): Promise<readonly Line[]> {
  const { error, url, pool } = target;
  const [, id, meaning, todo] = ERRORS.find(([pattern]) => pattern.test(error)) ?? [
    /$/,
    'target-down' as const,
    'Prometheus says no more than that.',
    'Look at its page Targets.',
  ];
  const said = `${says.prometheus} says of ${quotedAddress(url)} (pool ${quoted(pool)}): "${quotedAddress(error)}".`;
  const asked =
    pod.answered === undefined
      ? pod.verdict === undefined
        ? ''
        : ` Asked through the API server it does not answer either (${pod.verdict}).`
      : ` Asked through the API server it answers in ${(pod.answered.ms / 1000).toFixed(2)} s.`;
  const down = (what: FindingId, because: string, remedy: string): Finding =>
    finding(what, 'a target, and down', `${said} ${because}`, remedy);
  if (id === 'target-timeout' && isSlow(target, pod))
    return [
      down(
        'target-slow',
        `${slowness(pod)} Its timeout is ${(target.timeoutMs ?? 0) / 1000} s.`,
        'Make the page smaller, or raise scrape_timeout and scrape_interval of the job, which must not be shorter.',
      ),
    ];
  // Where the endpoint was not asked, nobody has looked at it yet.
  const stopped =
    pod.answered === undefined && BY_STOPPED.includes(id)
      ? stoppedContainer(pod.pod, { namespace: pod.namespace, port: pod.stated?.port, now: pod.now })
      : undefined;
  if (stopped !== undefined) return [{ ...stopped, because: `${said} ${stopped.because}` }];
  const lines: Line[] = [];
  if (BY_NETWORK.includes(id) && (pod.answered !== undefined || id === 'target-timeout')) {
    const found = await byPolicy(target, says, pod, cluster);
    if (found !== undefined && 'policy' in found)
      return [down('target-network', `${found.policy}${asked}`, found.todo)];
    if (found !== undefined) lines.push({ state: 'unchecked', title: 'NetworkPolicies', needs: found.needs });
  }
  if (pod.isMeshed && canBeMesh(id, error)) {
    const [from] = says.state.scraper.pods;
    const path = URL.parse(url)?.pathname ?? '/metrics';
    const refusal = await meshRefusal({ from, to: pod.pod, port: portOf(url), path }, cluster);
    if (refusal !== undefined && 'because' in refusal) return [down('target-mesh', refusal.because, refusal.todo)];
    if (refusal !== undefined) lines.push({ state: 'unchecked', title: "the mesh's policies", needs: refusal.needs });
  }
  if (id === 'target-status' && /\b400\b/.test(statusIn(error)) && pod.verdict === 'host_refused')
    return [
      down(
        'target-host',
        'The app refuses requests whose Host is an address, and those of Prometheus are.',
        "Allow the pod's address as a host (Django: ALLOWED_HOSTS, from the field status.podIP).",
      ),
    ];
  const unexplained = id === 'target-timeout' && pod.answered !== undefined ? ' No NetworkPolicy says why.' : '';
  const home = text(objectIn(says.state.scraper.pods[0], 'spec')['nodeName']);
  const compared = id === 'target-timeout' ? compareTimeouts(target, says.state.timeouts, home) : undefined;
  lines.push(
    down(
      id,
      `${meaning}${asked}${unexplained}${compared === undefined ? '' : ` ${compared.because}`}`,
      compared?.todo !== undefined
        ? compared.todo
        : unexplained === ''
          ? todo
          : `Look at the policies of the CNI's own kinds and at the nodes' firewall: kubectl get networkpolicy -n ${pod.namespace} shows only Kubernetes' own.`,
    ),
  );
  return lines;
}

function isSlow({ timeoutMs }: Target, { answered, verdict }: KnownPod): boolean {
  if (verdict === ('too_slow' satisfies VerdictKey)) return true;
  return answered !== undefined && timeoutMs !== undefined && answered.ms >= 0.8 * timeoutMs;
}

function slowness({ answered }: KnownPod): string {
  return answered === undefined
    ? 'Asked through the API server the port answers, and the page does not in time.'
    : `Asked through the API server the page takes ${(answered.ms / 1000).toFixed(1)} s.`;
}

function portOf(address: string): number {
  const url = URL.parse(address);
  return Number(url?.port) || (url?.protocol === 'https:' ? 443 : 80);
}

/** Returns the NetworkPolicy that keeps the scraper out, or what is needed to know; undefined where none does. */
async function byPolicy(
  target: Target,
  { state, prometheus }: PodInScraper,
  { pod }: KnownPod,
  cluster: ClusterReader,
): Promise<{ readonly policy: string; readonly todo: string } | { readonly needs: string } | undefined> {
  const [from] = state.scraper.pods;
  if (from === undefined) return { needs: `list on pods where ${prometheus} runs` };
  const port = portOf(target.url);
  const places = [...new Set([namespaceOf(pod), namespaceOf(from)])];
  const read = await Promise.all(places.map((namespace) => cluster.list(COLLECTIONS.networkPolicies, { namespace })));
  const failed = read.find((each) => !each.ok);
  if (failed?.ok === false) return { needs: failed.error };
  const policies = read.flatMap((each): readonly JsonObject[] => (each.ok ? each.value : []));
  if (policies.length === 0) return undefined;
  const namespaces = await readNamespaceLabels(cluster, places);
  const forbidden = forbiddenBy(policies, { from, to: pod, port, namespaces });
  if (forbidden === undefined) return undefined;
  const [first = ''] = forbidden.policies;
  const named = `NetworkPolicy ${forbidden.policies.join(', ')}`;
  const [inNamespace = '', name = ''] = first.split('/');
  const edit = `kubectl edit networkpolicy ${name} -n ${inNamespace}`;
  return forbidden.way === 'in'
    ? {
        policy: `${named} does not let ${namespaceOf(from)}/${nameOf(from)} in.`,
        todo: `${edit}: add to its ingress: {from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: ${namespaceOf(from)}}}}], ports: [{port: ${port}}]}`,
      }
    : {
        policy: `${named} does not let ${namespaceOf(from)}/${nameOf(from)} out.`,
        todo: `${edit}: add to its egress: {to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: ${namespaceOf(pod)}}}}], ports: [{port: ${port}}]}`,
      };
}

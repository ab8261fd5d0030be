import type { Stated } from './check-pod.ts';
import { finding, quoted } from './finding.ts';
import type { Finding, FindingId, Line } from './finding.ts';
import type { Dropped, Target } from './scraper.ts';

/** What one Prometheus says about one pod. */
export interface PodInScraper {
  /** Such as `monitoring/prometheus-server`. */
  readonly prometheus: string;
  /** Its targets of this pod. */
  readonly active: readonly Target[];
  /** What it drops of this pod; undefined where that could not be read. */
  readonly dropped: Dropped | undefined;
  /** Whether its configuration reads the annotations; undefined where it could not be read. */
  readonly reads: boolean | undefined;
}

/** What is known of the pod by now. */
export interface KnownPod {
  readonly namespace: string;
  readonly address: string;
  /** Where its annotations send a scraper; undefined without annotations. */
  readonly stated: Stated | undefined;
  /** The TCP ports that its containers declare. */
  readonly declared: readonly number[];
  /** Whether the endpoint answered with metrics when it was asked. */
  readonly answers: boolean;
  readonly isNew: boolean;
  /** Unix time in ms. */
  readonly now: number;
}

/** What the targets show, and the answer to whether the pod is scraped. */
export interface TargetsChecked {
  readonly lines: readonly Line[];
  readonly scraped: boolean | undefined;
  /** After "is scraped: ", where it is. */
  readonly answer: string;
}

/** Returns what a Prometheus says of the pod's targets, up to the first break. */
export function checkTargets(says: PodInScraper, pod: KnownPod): TargetsChecked {
  if (says.active.length === 0) return { lines: [checkMissing(says, pod)], scraped: false, answer: '' };
  const { target, isStated } = chooseTarget(says.active, pod);
  const at = `${quoted(target.url)} in pool ${quoted(target.pool)}`;
  if (target.health !== 'up' && target.health !== 'down')
    return {
      lines: [
        finding(
          'target-not-yet',
          'a target, not scraped yet',
          `${says.prometheus} has ${at} and has not asked it yet.`,
          'Run this again in a minute.',
        ),
      ],
      scraped: undefined,
      answer: '',
    };
  if (target.health === 'down') return { lines: [explainError(target, says, pod)], scraped: false, answer: '' };
  const ago =
    target.scrapedAt === undefined ? '' : `, ${Math.max(0, Math.round((pod.now - target.scrapedAt) / 1000))} s ago`;
  const lines: Line[] = [{ state: 'ok', title: `${says.prometheus} says up${ago}: ${at}` }];
  if (!isStated && pod.stated !== undefined)
    lines.push(
      finding(
        'target-elsewhere',
        'scraped at another address than the annotations say',
        `${says.prometheus} scrapes ${at}.`,
        "Where its metrics are not the ones wanted, correct the scrape job's relabelling of address and path.",
      ),
    );
  const twins = says.active.filter(({ url }) => url === target.url);
  if (twins.length > 1) lines.push(explainDouble(twins, says));
  return { lines, scraped: true, answer: `up${ago}` };
}

/** Returns the target at the annotated address, or else the one in the best state. */
function chooseTarget(
  active: readonly Target[],
  { stated, address }: KnownPod,
): { readonly target: Target; readonly isStated: boolean } {
  const atStated = best(active.filter(({ url }) => stated !== undefined && isAt(url, address, stated)));
  const target = atStated ?? best(active);
  if (target === undefined) throw new Error('no target to choose from');
  return { target, isStated: atStated !== undefined };
}

function best(targets: readonly Target[]): Target | undefined {
  return ['up', 'down'].map((state) => targets.find(({ health }) => health === state)).find(Boolean) ?? targets[0];
}

/** Returns whether a scrape URL is the endpoint that the annotations of the pod with this address name. */
export function isAt(scrapeUrl: string, address: string, { scheme, port, path }: Stated): boolean {
  const url = URL.parse(scrapeUrl);
  if (url === null) return false;
  const actual = url.port || (url.protocol === 'https:' ? '443' : '80');
  const host = url.hostname.replaceAll(/[[\]]/g, '');
  return (
    url.protocol === `${scheme}:` &&
    (address === '' || address.includes(':') || host === address) &&
    (port === undefined || actual === String(port)) &&
    url.pathname === path
  );
}

function explainDouble(twins: readonly Target[], { prometheus }: PodInScraper): Finding {
  const byService = twins.some(
    ({ discovered }) => discovered['__meta_kubernetes_service_annotation_prometheus_io_scrape'] === 'true',
  );
  const byMonitor = twins.find(({ pool }) => /^(?:service|pod)Monitor\//.test(pool));
  const pools = [...new Set(twins.map(({ pool }) => quoted(pool)))].join(', ');
  const todo = byService
    ? 'Take the scrape annotation off the Service.'
    : byMonitor === undefined
      ? 'Keep one of the scrape jobs, or name one port in the annotations.'
      : `Remove the monitor (${quoted(byMonitor.pool)}), or label the pods autoscrape.io/inject: disabled.`;
  return finding(
    'target-doubled',
    `scraped ${twins.length} times`,
    `${prometheus} has ${twins.length} targets with the same address, of ${pools}.`,
    todo,
  );
}

/** What Prometheus' error texts mean, the first match counts. */
const ERRORS: readonly (readonly [error: RegExp, id: FindingId, meaning: string, todo: string])[] = [
  [
    /target_limit|sample limit|body size limit|label_\w*limit|bucket limit/,
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
    /malformed HTTP|HTTP response to HTTPS client|tls:/,
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
  [/deadline exceeded|i\/o timeout|Client\.Timeout/, 'target-timeout', '', 'kubectl get networkpolicy'],
  [
    /EOF|reset by peer|broken pipe/,
    'target-closed',
    'The connection was closed before the answer: TLS at the port, mutual TLS of a mesh, or a crash.',
    "Look at the app's log, and in a mesh at its policies.",
  ],
  [
    /HTTP status/,
    'target-status',
    'The pod answers with another status than 200.',
    'Correct prometheus.io/path for 404; 401 and 403 need a scrape job with credentials; 400 often is the Host or TLS.',
  ],
  [
    /start token|expected|invalid metric|timestamp|data does not end/,
    'target-malformed',
    'The page is not in the format of its Content-Type.',
    'Correct the page, or the port and path in the annotations.',
  ],
];

function explainError({ error, url, pool }: Target, { prometheus }: PodInScraper, pod: KnownPod): Finding {
  const [, id, meaning, todo] = ERRORS.find(([pattern]) => pattern.test(error)) ?? [
    /$/,
    'target-down' as const,
    'Prometheus says no more than that.',
    'Look at its page Targets.',
  ];
  // Our own answer tells a slow page from a way that is closed.
  const slow = pod.answers
    ? 'Asked through the API server it answers: a NetworkPolicy or mesh keeps Prometheus out, or it is slow.'
    : 'A NetworkPolicy or firewall keeps Prometheus out, or the page is slower than scrape_timeout.';
  return finding(
    id,
    'a target, and down',
    `${prometheus} says of ${quoted(url)} (pool ${quoted(pool)}): "${quoted(error)}". ${id === 'target-timeout' ? slow : meaning}`,
    id === 'target-timeout' ? `${todo} -n ${pod.namespace}` : todo,
  );
}

function checkMissing({ prometheus, dropped, reads }: PodInScraper, pod: KnownPod): Line {
  const title = 'no target';
  if (pod.isNew)
    return finding(
      'target-not-yet',
      title,
      `The pod is younger than two minutes, and ${prometheus} has no target of it yet.`,
      'Run this again in a minute.',
    );
  if (reads === false)
    return finding(
      'annotations-not-read',
      title,
      `${prometheus} has no scrape job that reads the annotations of pods.`,
      "Add one: with the Prometheus Operator the chart's bridge.enabled=true does (docs/consumers.md).",
    );
  if (dropped !== undefined && dropped.targets.length > 0) {
    const pools = [...new Set(dropped.targets.map(({ pool }) => quoted(pool)))].filter((pool) => pool !== '');
    const of = pools.length === 0 ? 'every scrape job' : `every scrape job (${pools.slice(0, 5).join(', ')})`;
    const port = pod.stated?.port;
    const isUndeclared = port !== undefined && !pod.declared.includes(port);
    return finding(
      'target-dropped',
      title,
      `${prometheus} sees the pod, and ${of} drops it.${isUndeclared ? ` No container declares port ${port}, and many jobs keep declared ports only.` : ''}`,
      isUndeclared
        ? `Declare the port in the pod template: ports: [{name: metrics, containerPort: ${port}}]`
        : "Open its page Service discovery: the relabelling rules of the job that reads annotations don't keep the pod.",
    );
  }
  if (dropped !== undefined && !dropped.isCut)
    return finding(
      'target-not-discovered',
      title,
      `${prometheus} doesn't see the pod at all, in no scrape job.`,
      `Give its service account get, list and watch on pods in namespace ${pod.namespace}, and look at the job's namespaces.`,
    );
  return finding(
    'target-missing',
    title,
    `${prometheus} has no target of the pod, and shows only part of what it drops, or nothing.`,
    "Open its page Service discovery. The job's keep_dropped_targets limits what is shown.",
  );
}

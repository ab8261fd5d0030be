import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { FINDINGS, INSTALLATION_FINDINGS } from '../../../src/doctor/finding.ts';
import { configuration } from '../manifest/release-objects.ts';
import { down, ids, JOB, look, target, WRITTEN, NOW } from './situation.ts';
import type { Situation } from './situation.ts';

/** A pod without annotations for which there is no target. */
const BARE = { pod: { annotations: {} }, active: [] };
const GONE = { active: [] };
const FOUND = { port: 9000, path: '/internal', series: 3 };
const ANNOTATED = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'orders', annotations: WRITTEN },
  spec: { template: { metadata: {}, spec: { containers: [{ name: 'app' }] } } },
};
const NOBODY = { jobs: '- job_name: nodes\n' };
const SERVICE = {
  metadata: { namespace: 'shop', name: 'orders', labels: { team: 'a' } },
  spec: { selector: { app: 'orders' }, ports: [{ name: 'http', port: 80, targetPort: 8080 }] },
};
const MINE = { labels: { app: 'orders' }, metadata: { namespace: 'shop' } };

function operator(
  kind: 'PodMonitor' | 'ServiceMonitor' | 'ScrapeConfig',
  spec: object,
  prometheus: object = {
    podMonitorSelector: {},
    serviceMonitorSelector: {},
    scrapeConfigSelector: {},
    podMonitorNamespaceSelector: {},
    serviceMonitorNamespaceSelector: {},
    scrapeConfigNamespaceSelector: {},
  },
  status: object = {},
) {
  const metadata = {
    namespace: 'shop',
    name: 'orders',
    labels: { app: 'orders' },
    creationTimestamp: '2026-01-01T00:00:00Z',
  };
  return {
    services: [SERVICE],
    [`${kind.toLowerCase()}s`]: [{ metadata, spec }],
    prometheuses: [{ metadata: { namespace: 'monitoring', name: 'k8s' }, spec: prometheus, status }],
  };
}

const POD_MONITOR = { selector: { matchLabels: { app: 'orders' } }, podMetricsEndpoints: [{ port: 'metrics' }] };
const SERVICE_MONITOR = { selector: { matchLabels: { team: 'a' } }, endpoints: [{ port: 'http' }] };
const BRIDGE = {
  relabelings: [
    { sourceLabels: ['__meta_kubernetes_pod_annotation_prometheus_io_scrape'], regex: 'true', action: 'keep' },
  ],
};
const TIMES_OUT = { pod: { metadata: { namespace: 'shop' } }, active: down('context deadline exceeded') };

function policy(spec: object, namespace = 'shop') {
  return { networkpolicies: [{ metadata: { namespace, name: 'default-deny' }, spec: { podSelector: {}, ...spec } }] };
}

/** A pod of a mesh that wants mutual TLS. */
const STRICT = {
  pod: { sidecar: 'istio-proxy', metadata: { namespace: 'shop' } },
  verdict: { key: 'reset' },
  objects: {
    peerauthentications: [{ metadata: { namespace: 'shop', name: 'default' }, spec: { mtls: { mode: 'STRICT' } } }],
  },
} as const;

const WAITS = { waiting: { reason: 'CrashLoopBackOff' } };
const CRASHES = { pod: { status: { containerStatuses: [{ name: 'app', restartCount: 5, state: WAITS }] } } };

function running(startedAt: string) {
  return { name: 'app', ready: false, restartCount: 0, state: { running: { startedAt } } };
}

const STARTS = { pod: { status: { containerStatuses: [running('2026-01-01T00:59:30Z')] } } };

const STATUS = { status: 500 };

/** What is wrong, and the only id that may be named. */
const FAULTS: readonly (readonly [fault: string, situation: Situation, id: keyof typeof FINDINGS])[] = [
  ['a finished pod', { ...GONE, pod: { status: { phase: 'Succeeded' } } }, 'pod-finished'],
  ['a failed pod', { ...GONE, pod: { status: { phase: 'Failed' } } }, 'pod-finished'],
  ['a pod that ends', { pod: { metadata: { deletionTimestamp: '2026-01-01T00:59:00Z' } } }, 'pod-terminating'],
  ['a pod that waits', { pod: { status: { phase: 'Pending' } } }, 'pod-not-running'],
  ['a pod that is deleted meanwhile', { isGone: true }, 'pod-gone'],
  ['an app that crashes', { ...GONE, ...CRASHES, verdict: { key: 'refused' } }, 'container-not-running'],
  ['an app that starts', { ...GONE, ...STARTS, verdict: { key: 'refused' } }, 'pod-new'],
  [
    'an app that crashes, and is not asked',
    { ...CRASHES, verdict: { key: 'timeout' }, active: down('connect: connection refused') },
    'container-not-running',
  ],
  [
    'an app that starts, and is not asked',
    { ...STARTS, verdict: { key: 'timeout' }, active: down('connect: connection refused') },
    'pod-new',
  ],
  [
    'a sidecar that crashes beside the app',
    { ...GONE, pod: { status: { containerStatuses: [{ name: 'other', state: WAITS }] } }, verdict: { key: 'refused' } },
    'endpoint-refused',
  ],
  [
    'an app that is not ready for long',
    {
      ...GONE,
      pod: { status: { containerStatuses: [running('2026-01-01T00:30:00Z')] } },
      verdict: { key: 'refused' },
    },
    'endpoint-refused',
  ],
  ['a pod without address', { pod: { status: { podIP: '' } } }, 'pod-not-running'],
  ['a pod that was missed', BARE, 'pod-missed'],
  [
    'a pod of a minute ago',
    { pod: { annotations: {}, metadata: { creationTimestamp: '2026-01-01T00:59:00Z' } }, active: [] },
    'pod-new',
  ],
  [
    'a pod that is opted out',
    { pod: { annotations: {}, labels: { 'autoscrape.io/inject': 'false' } }, active: [] },
    'pod-opted-out',
  ],
  [
    'an author who declines',
    { pod: { annotations: { 'prometheus.io/scrape': 'false' } }, active: [] },
    'pod-opted-out',
  ],
  [
    'a pod that the selector for pods leaves out',
    {
      ...BARE,
      installed: [
        {
          kind: 'MutatingWebhookConfiguration',
          object: configuration({ objectSelector: { matchLabels: { tier: 'web' } } }),
        },
      ],
    },
    'pod-not-selected',
  ],
  ['a namespace without the label', { ...BARE, namespace: { metadata: { name: 'shop' } } }, 'namespace-not-opted-in'],
  [
    'a label that means nothing',
    { ...BARE, namespace: { metadata: { name: 'shop', labels: { 'autoscrape.io/inject': 'on' } } } },
    'namespace-not-opted-in',
  ],
  ['a pod without metrics', { pod: { annotations: {}, ports: [] }, active: [] }, 'no-endpoint'],
  [
    'two spellings of one key',
    { pod: { annotations: { ...WRITTEN, 'prometheus_io/port': '9090' } } },
    'annotation-unusable',
  ],
  [
    'a port that no container declares',
    {
      pod: { annotations: { ...WRITTEN, 'prometheus.io/port': '9999' } },
      active: [target({ url: 'http://10.1.2.3:9999/metrics' })],
    },
    'annotation-suspect',
  ],
  [
    'a marker of annotations that are not all there',
    {
      pod: {
        annotations: {
          ...WRITTEN,
          'autoscrape.io/injected': JSON.stringify({
            rule: 'metrics-port',
            added: { ...WRITTEN, 'prometheus.io/path': '/x' },
          }),
        },
      },
    },
    'annotation-changed',
  ],
  [
    'metrics that only asking finds',
    { pod: { annotations: {}, ports: [] }, active: [], found: FOUND },
    'endpoint-unsaid',
  ],
  [
    'annotations of the Deployment itself',
    { pod: { annotations: {}, ports: [] }, active: [], owner: ANNOTATED },
    'annotation-misplaced',
  ],
  ['a namespace of the system', { ...BARE, name: 'kube-system' }, 'namespace-excluded'],
  ['no pool that reads annotations', { ...GONE, jobs: '- job_name: nodes\n' }, 'annotations-not-read'],
  [
    'every pool drops it',
    { ...GONE, dropped: { targets: [{ pool: 'kubernetes-pods', discovered: {} }], isCut: false } },
    'target-dropped',
  ],
  [
    'a job that keeps pods that are ready only',
    {
      ...GONE,
      jobs: `${JOB}  - source_labels: [__meta_kubernetes_pod_ready]\n    regex: "true"\n    action: keep\n`,
      dropped: { targets: [], isCut: true },
    },
    'target-dropped',
  ],
  ['discovery sees nothing', GONE, 'target-not-discovered'],
  ['a cut list', { ...GONE, dropped: { targets: [], isCut: true } }, 'target-missing'],
  ['a target not asked yet', { active: [target({ health: 'unknown', scrapedAt: undefined })] }, 'target-not-yet'],
  [
    'a new pod without a target',
    { ...GONE, pod: { metadata: { creationTimestamp: '2026-01-01T00:59:00Z' } } },
    'target-not-yet',
  ],
  ['a reload that failed', { ...GONE, state: { reloaded: false } }, 'scraper-reload-failed'],
  ['a configuration of a moment ago', { ...GONE, state: { loadedAt: NOW - 3000 } }, 'target-not-yet'],
  [
    'a job that discovers other namespaces',
    { ...GONE, jobs: `${JOB}  kubernetes_sd_configs:\n  - role: pod\n    namespaces:\n      names: [web]\n` },
    'target-not-discovered',
  ],
  [
    'a job that sees no pod at all',
    { ...GONE, state: { active: new Map(), dropped: new Map() } },
    'target-not-discovered',
  ],
  [
    'a rule that is worked out, where the list of dropped targets is cut',
    {
      ...GONE,
      jobs: `${JOB}  - source_labels: [__meta_kubernetes_namespace]\n    regex: web\n    action: keep\n`,
      dropped: { targets: [], isCut: true },
    },
    'target-dropped',
  ],
  [
    'a job of Services, of whose rules the pod has no label',
    {
      ...GONE,
      jobs: `- job_name: services
  kubernetes_sd_configs:
  - role: endpoints
  relabel_configs:
  - source_labels: [__meta_kubernetes_service_name]
    regex: .+
    action: keep
  - source_labels: [__meta_kubernetes_pod_annotation_prometheus_io_scrape]
    regex: "true"
    action: keep
`,
      dropped: { targets: [], isCut: true },
    },
    'target-missing',
  ],
  ['no scraper', { scraper: { title: 'Prometheus', needs: '', isNone: true } }, 'scraper-not-found'],
  [
    'a PodMonitor that no Prometheus selects',
    {
      ...NOBODY,
      ...GONE,
      pod: MINE,
      objects: operator('PodMonitor', POD_MONITOR, {
        podMonitorSelector: { matchLabels: { release: 'stack' } },
        podMonitorNamespaceSelector: {},
      }),
    },
    'monitor-not-selected',
  ],
  [
    'a PodMonitor of a namespace that no Prometheus selects',
    { ...NOBODY, ...GONE, pod: MINE, objects: operator('PodMonitor', POD_MONITOR, { podMonitorSelector: {} }) },
    'monitor-not-selected',
  ],
  [
    'a Prometheus that selects no PodMonitors',
    { ...NOBODY, ...GONE, pod: MINE, objects: operator('PodMonitor', POD_MONITOR, {}) },
    'monitor-not-selected',
  ],
  [
    'a ScrapeConfig that no Prometheus selects',
    {
      ...NOBODY,
      ...GONE,
      pod: MINE,
      objects: operator('ScrapeConfig', BRIDGE, {
        scrapeConfigSelector: { matchLabels: { release: 'stack' } },
        scrapeConfigNamespaceSelector: {},
      }),
    },
    'monitor-not-selected',
  ],
  [
    "a ServiceMonitor whose labels are the pod's",
    {
      ...NOBODY,
      ...GONE,
      pod: MINE,
      objects: operator('ServiceMonitor', { ...SERVICE_MONITOR, selector: { matchLabels: { app: 'orders' } } }),
    },
    'monitor-not-selected',
  ],
  [
    'a PodMonitor with a port that is not there',
    {
      ...NOBODY,
      ...GONE,
      pod: MINE,
      objects: operator('PodMonitor', { ...POD_MONITOR, podMetricsEndpoints: [{ port: 'web' }] }),
    },
    'monitor-port-missing',
  ],
  [
    'a ServiceMonitor with a port that is not there',
    {
      ...NOBODY,
      ...GONE,
      pod: MINE,
      objects: operator('ServiceMonitor', { ...SERVICE_MONITOR, endpoints: [{ port: 'metrics' }] }),
    },
    'monitor-port-missing',
  ],
  [
    'a monitor that is selected and not loaded',
    {
      ...NOBODY,
      ...GONE,
      pod: MINE,
      objects: operator('PodMonitor', POD_MONITOR, undefined, {
        conditions: [{ type: 'Reconciled', status: 'False', message: 'no secret' }],
      }),
    },
    'monitor-not-loaded',
  ],
  [
    'a timeout behind a NetworkPolicy',
    { ...TIMES_OUT, objects: policy({ policyTypes: ['Ingress'] }) },
    'target-network',
  ],
  [
    "a timeout behind a NetworkPolicy of Prometheus' own",
    {
      ...TIMES_OUT,
      objects: policy({ policyTypes: ['Egress'], egress: [{ to: [{ podSelector: {} }] }] }, 'monitoring'),
    },
    'target-network',
  ],
  ['a timeout of a slow page', { ...TIMES_OUT, ms: 9500 }, 'target-slow'],
  ['a mesh with STRICT mutual TLS', { ...STRICT, active: down('EOF') }, 'target-mesh'],
  [
    'a mesh whose client gets no connection',
    { ...STRICT, active: down('server returned HTTP status 503 Service Unavailable') },
    'target-mesh',
  ],
  [
    'a path that is not there, in a mesh that lets Prometheus in',
    { ...STRICT, active: down('server returned HTTP status 404 Not Found') },
    'target-status',
  ],
  [
    'a Host that is refused',
    { verdict: { key: 'host_refused', status: 400 }, active: down('server returned HTTP status 400 Bad Request') },
    'target-host',
  ],
  [
    "Istio's own port",
    {
      pod: {
        sidecar: 'istio-proxy',
      },
      active: [target({ url: 'http://10.1.2.3:15090/stats/prometheus' })],
    },
    'target-istio-port',
  ],
  [
    'other ports of the pod',
    { active: [target(), target({ url: 'http://10.1.2.3:80/metrics', health: 'down', error: 'EOF' })] },
    'target-other-ports',
  ],
  [
    'a finished pod that is a target',
    { pod: { status: { phase: 'Succeeded' } }, sameAddress: 'shop/other' },
    'target-finished',
  ],
  ['a target that is up and was not always', { stored: { answered: 43, falls: 2 } }, 'target-flapping'],
  ['metric rules that drop everything', { stored: { kept: 0 } }, 'series-dropped'],
  [
    "a namespace label of the app's that loses",
    {
      stored: {
        groups: [
          [{ namespace: 'shop', pod: 'orders-1', exported_namespace: 'team-a' }, 20],
          [{ namespace: 'shop', pod: 'orders-1' }, 194],
        ],
      },
    },
    'series-labels-collide',
  ],
  [
    "a namespace label of the app's that wins",
    { stored: { groups: [[{ namespace: 'team-a', pod: 'orders-1' }, 214]] } },
    'series-labels-collide',
  ],
  [
    'a page with a series twice',
    {
      stored: {
        groups: [[{ namespace: 'shop', pod: 'orders-1' }, 200]],
        page: 'prometheus_target_scrapes_sample_duplicate_timestamp_total 14\n',
      },
    },
    'series-repeated',
  ],
  ['several workers', { stored: { starts: 9 } }, 'series-of-workers'],
  ['another path', { active: [target({ url: 'http://10.1.2.3:8080/other' })] }, 'target-elsewhere'],
  ['scraped twice', { active: [target(), target({ pool: 'serviceMonitor/shop/orders/0' })] }, 'target-doubled'],
  ...(
    [
      ['dial tcp 10.1.2.3:8080: connect: connection refused', 'target-refused'],
      ['dial tcp 10.1.2.3:8080: connect: no route to host', 'target-unreachable'],
      ['context deadline exceeded', 'target-timeout'],
      ['dial tcp 10.1.2.3:8080: i/o timeout', 'target-timeout'],
      ['x509: cannot validate certificate for 10.1.2.3 because it does not contain any IP SANs', 'target-certificate'],
      ['http: server gave HTTP response to HTTPS client', 'target-tls'],
      ['EOF', 'target-closed'],
      ['read tcp: connection reset by peer', 'target-closed'],
      ['server returned HTTP status 404 Not Found', 'target-status'],
      ['sample limit exceeded', 'target-limit'],
      ['target_limit exceeded (number of targets: 3, limit: 1)', 'target-limit'],
      [
        'received unsupported Content-Type "text/html" and no fallback_scrape_protocol specified',
        'target-content-type',
      ],
      ['expected timestamp or new record, got "MNAME"', 'target-malformed'],
      ['"INVALID" is not a valid start token', 'target-malformed'],
      ['data does not end with # EOF', 'target-malformed'],
      ['unexpected EOF', 'target-closed'],
      // vmagent's own words
      [
        'unexpected status code returned when scraping "http://10.1.2.3:8080/metrics": 403; expecting 200; response body: "x509: tls: EOF"',
        'target-status',
      ],
      [
        'unexpected status code returned when scraping "http://10.1.2.3:8080/metrics": 400; expecting 200; response body: "Client sent an HTTP request to an HTTPS server."',
        'target-tls',
      ],
      ['the response from "http://10.1.2.3:8080/metrics" exceeds sample_limit=100', 'target-limit'],
      ['the response from "http://10.1.2.3:8080/metrics" exceeds -promscrape.maxScrapeSize=16777216', 'target-limit'],
      ['something new', 'target-down'],
    ] as const
  ).map(([error, id]) => [`Prometheus says: ${error}`, { active: down(error) }, id] as const),
  ...(
    [
      [{ key: 'refused' }, 'endpoint-refused'],
      [{ key: 'not_found', status: 404 }, 'endpoint-not-found'],
      [{ key: 'html' }, 'endpoint-not-metrics'],
      [{ key: 'json' }, 'endpoint-not-metrics'],
      [{ key: 'other_text' }, 'endpoint-not-metrics'],
      [{ key: 'catch_all' }, 'endpoint-not-metrics'],
      [{ key: 'invalid_at_line', line: 3 }, 'endpoint-malformed'],
      [{ key: 'wrong_content_type', contentType: 'blank' }, 'endpoint-content-type'],
      [{ key: 'not_200', status: 204 }, 'endpoint-status'],
      [{ key: 'server_error', ...STATUS }, 'endpoint-status'],
      [{ key: 'rate_limited', status: 429 }, 'endpoint-status'],
      [{ key: 'needs_auth', status: 401 }, 'endpoint-needs-login'],
      [{ key: 'https_only' }, 'endpoint-tls'],
      [{ key: 'redirected_away', status: 302 }, 'endpoint-redirects'],
      [{ key: 'too_slow', answered: true }, 'endpoint-slow'],
      [{ key: 'reset' }, 'endpoint-closes'],
      [{ key: 'not_http' }, 'endpoint-closes'],
    ] as const
  ).map(([verdict, id]) => [`the endpoint: ${verdict.key}`, { verdict, active: [] }, id] as const),
  [
    'the endpoint: closed over http, and another page over https',
    { verdict: { key: 'reset' }, overHttps: { key: 'other_text' }, active: [] },
    'endpoint-tls',
  ],
  [
    'the endpoint: closed over http and over https',
    { verdict: { key: 'reset' }, overHttps: { key: 'reset' }, active: [] },
    'endpoint-closes',
  ],
];

suite('doctor names', () => {
  for (const [fault, situation, id] of FAULTS) {
    test(`${fault}: ${id} is named, and nothing else`, async () => {
      const report = await look(situation);
      assert.deepEqual(ids(report), [id]);
      const states = report.lines.map(({ state }) => state);
      const isCross = FINDINGS[id] === 'cross';
      assert.equal(states.includes('cross'), isCross);
      if (isCross) {
        assert.equal(report.scraped, false);
        assert.match(report.answer, new RegExp(`^not scraped: .* \\(${id}\\)$`));
        // Nothing is judged after the break.
        assert.deepEqual(
          states.slice(states.indexOf('cross') + 1).filter((state) => state !== 'unreached'),
          [],
        );
      }
      const found = report.lines.find((line) => 'id' in line);
      assert.ok(found !== undefined && 'todo' in found && found.todo !== '' && found.because !== '');
      // In the namespace of the user's context kubectl would take another object of the same name.
      for (const command of found.todo.match(/kubectl [^;]+/g) ?? [])
        assert.match(command, / -n |^kubectl label namespace /);
    });
  }
});

test('a PrometheusAgent is patched as what it is', async () => {
  const { prometheuses, ...objects } = operator('PodMonitor', POD_MONITOR, {});
  const { lines } = await look({
    ...NOBODY,
    ...GONE,
    pod: MINE,
    objects: { ...objects, prometheusagents: prometheuses },
  });
  const found = lines.find((line) => 'id' in line);
  assert.ok(found !== undefined && 'todo' in found);
  assert.match(found.because, / PrometheusAgent monitoring\/k8s has no podMonitorSelector/);
  assert.match(found.todo, /^kubectl patch prometheusagent k8s -n monitoring /);
});

test('every finding that a check of a pod can have is in a table above', () => {
  const told = new Set([
    ...FAULTS.map(([, , id]) => id),
    'endpoint-host',
    'endpoint-too-large',
    'endpoint-timeout',
    'endpoint-mesh',
    // test/unit/doctor/installation.test.ts has these.
    ...Object.keys(INSTALLATION_FINDINGS),
  ]);
  assert.deepEqual(
    Object.keys(FINDINGS).filter((id) => !told.has(id)),
    [],
  );
});

import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { VERDICTS } from '../../../src/core/ask/verdict.ts';
import type { Verdict } from '../../../src/core/ask/verdict.ts';
import type { FoundEndpoint } from '../../../src/doctor/ask-endpoint.ts';
import { diagnose } from '../../../src/doctor/diagnose.ts';
import type { Diagnosing } from '../../../src/doctor/diagnose.ts';
import type { PodReport } from '../../../src/doctor/finding.ts';
import { FINDINGS, INSTALLATION_FINDINGS, quoted } from '../../../src/doctor/finding.ts';
import { renderDiagnosis } from '../../../src/doctor/render.ts';
import type { ScraperState } from '../../../src/doctor/read-scraper.ts';
import { readJobs, readsAnnotation } from '../../../src/doctor/scrape-config.ts';
import type { ClusterReader } from '../../../src/doctor/cluster.ts';
import type { JsonObject } from '../../../src/core/json.ts';
import type { Dropped, Target } from '../../../src/doctor/scraper.ts';
import { readTargets, selectPods } from '../../../src/doctor/select-pods.ts';
import { relate } from '../../../src/explain/related.ts';
import { readWorkloads } from '../../../src/manifest/workload.ts';
import { defaultRules } from '../../../src/rules/shipped.ts';

const NOW = Date.parse('2026-01-01T01:00:00Z');
const rules = defaultRules();
const WRITTEN = { 'prometheus.io/scrape': 'true', 'prometheus.io/port': '8080' };
const PORTS = [{ name: 'metrics', containerPort: 8080 }];

interface PodWords {
  readonly annotations?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
  readonly ports?: readonly object[];
  readonly status?: object;
  readonly metadata?: object;
  readonly sidecar?: string;
}

function pod({ annotations = WRITTEN, labels = {}, ports = PORTS, status, metadata, sidecar }: PodWords = {}) {
  return {
    metadata: {
      name: 'orders-1',
      uid: 'u1',
      labels,
      annotations,
      creationTimestamp: '2026-01-01T00:00:00Z',
      ...metadata,
    },
    spec: {
      containers: [{ name: 'app', image: 'app:1', ports }, ...(sidecar === undefined ? [] : [{ name: sidecar }])],
    },
    status: { phase: 'Running', podIP: '10.1.2.3', ...status },
  };
}

const OPTED_IN = { metadata: { name: 'shop', labels: { 'autoscrape.io/inject': 'enabled' } } };

function target(words: Partial<Target> = {}): Target {
  return {
    pool: 'kubernetes-pods',
    url: 'http://10.1.2.3:8080/metrics',
    health: 'up',
    error: '',
    scrapedAt: NOW - 3000,
    timeoutMs: 10_000,
    tookMs: 20,
    labels: {},
    discovered: {},
    ...words,
  };
}

function down(error: string): readonly Target[] {
  return [target({ health: 'down', error })];
}

const METRICS: Verdict = { key: 'metrics', format: 'text', series: 214, beyondRuntime: true, sure: true };
const NONE_DROPPED: Dropped = { targets: [], isCut: false };

interface Situation {
  /** The namespace's name. */
  readonly name?: string;
  readonly pod?: PodWords;
  readonly namespace?: unknown;
  readonly verdict?: Verdict;
  readonly overHttps?: Verdict;
  readonly found?: FoundEndpoint;
  readonly owner?: unknown;
  readonly named?: Diagnosing['named'];
  readonly active?: readonly Target[];
  readonly dropped?: Dropped;
  /** The jobs of the loaded configuration, as YAML. */
  readonly jobs?: string;
  readonly state?: Partial<ScraperState>;
  /** How long the endpoint takes, in ms. */
  readonly ms?: number;
  /** Objects of the cluster by their plural. */
  readonly objects?: Readonly<Record<string, readonly JsonObject[]>>;
  /** Collections that can't be read. */
  readonly forbidden?: readonly string[];
  readonly sameAddress?: string;
  readonly scraper?: Diagnosing['scraper'];
}

function relatedOf(namespace: unknown) {
  const value = { ...(namespace as object | undefined), apiVersion: 'v1', kind: 'Namespace' };
  return relate(readWorkloads(namespace === undefined ? [] : [{ value, line: 0 }]).others, 'shop');
}

function print(report: PodReport): string {
  return renderDiagnosis({ sections: [], reports: [report], versions: [] }, 'full');
}

const JOB = `- job_name: kubernetes-pods
  relabel_configs:
  - source_labels: [__meta_kubernetes_pod_annotation_prometheus_io_scrape]
    regex: "true"
    action: keep
`;

/** Whose pods are in the namespace monitoring, with the label app=prometheus. */
const SCRAPER_POD = {
  metadata: { namespace: 'monitoring', name: 'prometheus-0', labels: { app: 'prometheus' } },
  spec: { serviceAccountName: 'prometheus' },
  status: { podIP: '10.9.9.9', phase: 'Running' },
};

function stateOf({ jobs = JOB, state }: Situation): ScraperState {
  const read = readJobs(`global: {}\nscrape_configs:\n${jobs}`);
  const nothing = { ok: false, error: 'nothing' } as const;
  const api = {
    data: () => Promise.resolve(nothing),
    items: () => Promise.resolve(nothing),
    text: () => Promise.resolve(nothing),
  };
  return {
    scraper: { name: 'Prometheus monitoring/p', kind: 'Prometheus', api, pods: [SCRAPER_POD] },
    version: '3.14.0',
    jobs: read,
    reading: read.filter((job) => readsAnnotation(job, 'prometheus.io/scrape')),
    reloaded: true,
    loadedAt: NOW - 3_600_000,
    active: new Map([['kubernetes-pods', 3]]),
    dropped: new Map([['kubernetes-pods', 3]]),
    ...state,
  };
}

function reader({ objects = {}, forbidden = [] }: Situation): ClusterReader {
  return {
    list: ({ plural }, { namespace } = {}) => {
      if (forbidden.includes(plural)) return Promise.resolve({ ok: false, error: `list on ${plural}` });
      const found = (objects[plural] ?? []).filter(
        ({ metadata }) => namespace === undefined || (metadata as JsonObject)['namespace'] === namespace,
      );
      return Promise.resolve({ ok: true, value: found });
    },
    get: ({ plural }, _, name) =>
      Promise.resolve({
        ok: true,
        value: (objects[plural] ?? []).find(({ metadata }) => (metadata as JsonObject)['name'] === name),
      }),
    version: () => Promise.resolve('v1.37.0'),
  };
}

async function look(situation: Situation): Promise<PodReport> {
  const { verdict = METRICS, active = [target()], dropped = NONE_DROPPED } = situation;
  const state = stateOf(situation);
  return diagnose(pod(situation.pod), {
    namespace: situation.name ?? 'shop',
    related: relatedOf('namespace' in situation ? situation.namespace : OPTED_IN),
    rules,
    named: situation.named ?? 'pod',
    scraper: situation.scraper ?? { prometheus: 'Prometheus monitoring/p', active, dropped, state },
    ask: () => Promise.resolve({ verdict, ms: situation.ms ?? 40, overHttps: situation.overHttps }),
    findEndpoint: () => Promise.resolve(situation.found),
    owner: () => Promise.resolve(situation.owner),
    sameAddress: situation.sameAddress,
    cluster: reader(situation),
    now: NOW,
  });
}

function ids({ lines }: PodReport): readonly string[] {
  return lines.flatMap((line) => ('id' in line ? [line.id] : []));
}

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
/** Keeps declared ports only, as the chart of VictoriaMetrics does. */
const DECLARED = `${JOB}  - source_labels: [__meta_kubernetes_pod_annotation_prometheus_io_port, __meta_kubernetes_pod_container_port_number]
    action: keep_if_equal
`;
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

const STATUS = { status: 500 };

/** What is wrong, and the only id that may be named. */
const FAULTS: readonly (readonly [fault: string, situation: Situation, id: keyof typeof FINDINGS])[] = [
  ['a finished pod', { ...GONE, pod: { status: { phase: 'Succeeded' } } }, 'pod-finished'],
  ['a failed pod', { ...GONE, pod: { status: { phase: 'Failed' } } }, 'pod-finished'],
  ['a pod that ends', { pod: { metadata: { deletionTimestamp: '2026-01-01T00:59:00Z' } } }, 'pod-terminating'],
  ['a pod that waits', { pod: { status: { phase: 'Pending' } } }, 'pod-not-running'],
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
  [
    'a mesh with STRICT mutual TLS',
    {
      pod: { sidecar: 'istio-proxy', metadata: { namespace: 'shop' } },
      verdict: { key: 'reset' },
      active: down('EOF'),
      objects: {
        peerauthentications: [{ metadata: { namespace: 'shop', name: 'default' }, spec: { mtls: { mode: 'STRICT' } } }],
      },
    },
    'target-mesh',
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
];

suite('doctor', () => {
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
    });
  }

  test('a healthy pod has ticks only, and the answer says since when', async () => {
    const report = await look({});
    assert.equal(
      print(report),
      [
        'shop/orders-1',
        '  ✔ annotated by its author: http :8080/metrics',
        '  ✔ answers through the API server: 214 series in 0.04 s, text',
        '  ✔ Prometheus monitoring/p says up, 3 s ago: http://10.1.2.3:8080/metrics in pool kubernetes-pods',
        'shop/orders-1 is scraped: up, 3 s ago',
        '',
      ].join('\n'),
    );
  });

  test('a break is shown with what is so, what to do, and what was not reached', async () => {
    const report = await look({ verdict: { key: 'refused' }, active: down('connect: connection refused') });
    assert.equal(
      print(report),
      [
        'shop/orders-1',
        '  ✔ annotated by its author: http :8080/metrics',
        '  ✖ does not answer with metrics at :8080/metrics  [endpoint-refused]',
        '    Asked through the API server: Nothing takes connections there. Prometheus monitoring/p says "connect: connection refused".',
        '    → Let the app listen on all addresses, not on 127.0.0.1 alone, or write the port that it has into prometheus.io/port.',
        '  – not reached: Prometheus',
        'shop/orders-1 is not scraped: does not answer with metrics at :8080/metrics (endpoint-refused)',
        '',
      ].join('\n'),
    );
  });

  test('the line says whether autoscrape or an author annotated the pod', async () => {
    const marker = JSON.stringify({ rule: 'metrics-port', added: WRITTEN });
    const { lines } = await look({ pod: { annotations: { ...WRITTEN, 'autoscrape.io/injected': marker } } });
    assert.equal(lines[0]?.title, 'annotated by autoscrape, rule metrics-port: http :8080/metrics');
  });

  for (const key of Object.keys(VERDICTS) as (keyof typeof VERDICTS)[]) {
    test(`an answer to the API server (${key}) is no finding while Prometheus says up`, async () => {
      const verdict = key === 'metrics' ? METRICS : ({ key, status: 404 } as Verdict);
      const report = await look({ verdict });
      assert.deepEqual([ids(report), report.scraped], [[], true]);
    });
  }

  test('what perhaps only the API server cannot reach is a warning, and Prometheus has the last word', async () => {
    for (const [verdict, id] of [
      [{ key: 'timeout' }, 'endpoint-timeout'],
      [{ key: 'mesh_denied', status: 403 }, 'endpoint-mesh'],
      [{ key: 'host_refused', status: 400 }, 'endpoint-host'],
      [{ key: 'too_large', what: 'page' }, 'endpoint-too-large'],
    ] as const) {
      const report = await look({ verdict, active: [] });
      assert.deepEqual(ids(report), [id, 'target-not-discovered']);
      const isDown = await look({ verdict, active: down('context deadline exceeded') });
      assert.deepEqual(ids(isDown), ['target-timeout']);
      assert.match(print(isDown), new RegExp(`does not answer either \\(${verdict.key}\\)`));
    }
    const meshed = await look({ verdict: { key: 'reset' }, pod: { sidecar: 'istio-proxy' }, active: down('EOF') });
    assert.deepEqual(ids(meshed), ['target-closed']);
  });

  test('an annotated endpoint without metrics is no break while the pod is scraped at another', async () => {
    const report = await look({
      verdict: { key: 'not_found', status: 404 },
      active: [target({ url: 'http://10.1.2.3:9090/metrics' })],
    });
    assert.deepEqual(ids(report), ['endpoint-not-found', 'target-elsewhere']);
    assert.deepEqual([report.scraped, report.lines.some(({ state }) => state === 'cross')], [true, false]);
  });

  test('a pod without annotations that a monitor scrapes is no finding', async () => {
    const report = await look({ pod: { annotations: {} }, active: [target({ pool: 'podMonitor/shop/orders/0' })] });
    assert.deepEqual([ids(report), report.scraped], [[], true]);
  });

  test('a Prometheus that was not asked leaves the answer open, and is no cross', async () => {
    const report = await look({ scraper: { title: 'Prometheus', needs: 'list on services' } });
    assert.deepEqual([ids(report), report.scraped], [[], undefined]);
    assert.match(print(report), /– not checked: Prometheus \(needs list on services\)\nshop\/orders-1 cannot tell/);
  });

  test('a namespace that could not be read is said to be unchecked', async () => {
    const report = await look({ ...BARE, namespace: undefined });
    assert.deepEqual(report.lines[0], {
      state: 'unchecked',
      title: 'labels of namespace shop',
      needs: 'get on namespaces',
    });
  });

  test('the rule that drops the pod is quoted, with its place and what the pod has', async () => {
    const words = { pod: { ports: [], metadata: { namespace: 'shop' } }, active: [], jobs: DECLARED };
    const discovered = {
      __meta_kubernetes_pod_annotation_prometheus_io_scrape: 'true',
      __meta_kubernetes_pod_annotation_prometheus_io_port: '8080',
    };
    const report = await look({
      ...words,
      dropped: { targets: [{ pool: 'kubernetes-pods', discovered }], isCut: false },
    });
    const found = report.lines.find((line) => 'id' in line);
    assert.ok(found !== undefined && 'id' in found);
    assert.equal(found.id, 'target-dropped');
    assert.match(
      found.because,
      /the job kubernetes-pods drops it\. Rule 2 of its relabel_configs is \{action: keep_if_equal, source_labels: \[.*and the value is "8080;"/,
    );
    assert.match(found.todo, /containerPort: 8080/);
  });

  test('what a server wrote is printed as one short line of ASCII', async () => {
    const report = await look({ active: down(`\u001B[2J\n${'x'.repeat(500)}`) });
    const text = print(report);
    assert.ok(!text.includes('\u001B') && !text.includes('x'.repeat(121)));
    assert.equal(quoted('a\u001Bb'), String.raw`a\u001bb`);
    assert.ok(quoted('\n'.repeat(200)).length <= 120);
  });
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

function read(...words: readonly string[]): unknown {
  const found = readTargets(words);
  return found.ok && found.value.map(({ kind, name }) => `${kind} ${name ?? '*'}`);
}

test('a target is a pod or a workload as kubectl writes it', () => {
  assert.deepEqual(read('shop-1', 'shop-2'), ['Pod shop-1', 'Pod shop-2']);
  assert.deepEqual(read('deploy/shop', 'rollout/shop', 'STS/db'), [
    'Deployment shop',
    'Deployment shop',
    'StatefulSet db',
  ]);
  assert.deepEqual(read('deploy', 'shop', 'site'), ['Deployment shop', 'Deployment site']);
  assert.deepEqual(read('ds'), ['DaemonSet *']);
  assert.deepEqual(read(), []);
  for (const bad of ['', 'service/x', 'deploy/', 'a/b/c', 'pod/../x', '-n']) assert.equal(readTargets([bad]).ok, false);
  assert.equal(readTargets(['deploy', 'a/b']).ok, false);
});

function owned(kind: string, name: string, labels = {}) {
  return pod({ labels, metadata: { ownerReferences: [{ kind, name, controller: true }] } });
}

test('a workload’s pods are those of its owners', () => {
  const mine = owned('ReplicaSet', 'shop-5d4', { 'pod-template-hash': '5d4' });
  const all = [mine, owned('StatefulSet', 'shop'), owned('ReplicaSet', 'other-5d4', { 'pod-template-hash': '5d4' })];
  assert.deepEqual(selectPods({ kind: 'Deployment', name: 'shop', written: '' }, all), [mine]);
  assert.deepEqual(selectPods({ kind: 'ReplicaSet', name: 'shop-5d4', written: '' }, all), [mine]);
  assert.deepEqual(selectPods({ kind: 'StatefulSet', name: 'shop', written: '' }, all), [all[1]]);
  assert.deepEqual(selectPods({ kind: 'DaemonSet', name: 'shop', written: '' }, all), []);
});

import { cases, HTTP, METRICS } from './cases.ts';

// What the fields of the catalogue's entries do: each case beside its opposite.

cases('the catalogue', [
  [
    'a base path below the port that the image uses',
    {
      image: 'quay.io/keycloak/keycloak:26.0',
      env: ['KC_METRICS_ENABLED=true', 'KC_HTTP_MANAGEMENT_RELATIVE_PATH=/management/'],
      ports: [HTTP, { name: 'management', containerPort: 9000 }],
    },
    ':9000/management/metrics',
  ],
  [
    'the same where the name of the port says metrics',
    {
      image: 'quay.io/keycloak/keycloak:26.0',
      env: ['KC_METRICS_ENABLED=true', 'KC_HTTP_RELATIVE_PATH=auth'],
      ports: [{ name: 'metrics', containerPort: 9000 }],
    },
    ':9000/auth/metrics',
  ],
  [
    'a base path that cannot be read',
    {
      image: 'quay.io/keycloak/keycloak:26.0',
      env: ['KC_METRICS_ENABLED=true', 'KC_HTTP_RELATIVE_PATH=$(BASE)'],
      ports: [{ containerPort: 9000 }],
    },
    'no_candidate',
  ],
  [
    'TLS',
    {
      image: 'quay.io/keycloak/keycloak:26.0',
      env: ['KC_METRICS_ENABLED=true', 'KC_HTTPS_CERTIFICATE_FILE=/tls/tls.crt'],
      ports: [{ name: 'management', containerPort: 9000 }],
    },
    'https_endpoint',
  ],
  [
    'a URL with a path',
    { image: 'prom/prometheus:v3.1.0', args: ['--web.external-url=https://example.com/prom'] },
    ':9090/prom/metrics',
  ],
  [
    'a URL with a path that is not served',
    {
      image: 'prom/prometheus:v3.1.0',
      args: ['--web.external-url=https://example.com/prom', '--web.route-prefix=/'],
    },
    ':9090/metrics',
  ],
  [
    'a path of its own',
    { image: 'percona/mongodb_exporter:0.40', args: ['--expose-path=/mongo'], ports: [{ containerPort: 9216 }] },
    ':9216/mongo',
  ],
  [
    'a password, where the name of the port says metrics',
    {
      image: 'grafana/grafana:12',
      env: ['GF_METRICS_BASIC_AUTH_USERNAME=scraper'],
      ports: [{ name: 'metrics', containerPort: 3000 }],
    },
    'guarded',
  ],
]);

const ARGO = { ports: [{ name: 'metrics', containerPort: 9090 }] };

const GETH = { image: 'ethereum/client-go:v1.16.0', args: ['--metrics', '--metrics.addr=0.0.0.0'] };

cases('the path of an image', [
  ['at its default port', GETH, ':6060/debug/metrics/prometheus'],
  [
    'at another port, which a rule finds by the same flag',
    { ...GETH, args: [...GETH.args, '--metrics.port=7060'], ports: [{ containerPort: 7060 }] },
    ':7060/debug/metrics/prometheus',
  ],
  [
    'at a port that the flag does not name',
    { ...GETH, args: [...GETH.args, '--metrics.port=7060'], ports: [{ name: 'metrics', containerPort: 9100 }] },
    ':9100/metrics',
  ],
  ['of another image', { args: [...GETH.args, '--metrics.port=7060'] }, ':7060/metrics'],
]);

cases('a version that brought TLS', [
  ['the version before', { ...ARGO, image: 'quay.io/argoproj/workflow-controller:v3.5.11' }, ':9090/metrics'],
  ['the version', { ...ARGO, image: 'quay.io/argoproj/workflow-controller:v3.6.0' }, 'https_endpoint'],
  ['a later one', { ...ARGO, image: 'quay.io/argoproj/workflow-controller:v3.10.0' }, 'https_endpoint'],
  ['no version', { ...ARGO, image: 'quay.io/argoproj/workflow-controller:latest' }, 'https_endpoint'],
  [
    'the version from the chart that switches TLS off',
    {
      ...ARGO,
      image: 'quay.io/argoproj/workflow-controller:v3.6.0',
      labels: { 'app.kubernetes.io/managed-by': 'Helm', 'app.kubernetes.io/part-of': 'argo-workflows' },
    },
    ':9090/metrics ?',
  ],
  [
    'a digest behind a version',
    { ...ARGO, image: `quay.io/argoproj/workflow-controller:v3.5.1@sha256:${'0'.repeat(64)}` },
    ':9090/metrics',
  ],
]);

cases('a version that changed a default', [
  ['metrics are on before', { image: 'chartmuseum/chartmuseum:v0.13.1', ports: [HTTP] }, ':8080/metrics'],
  [
    'metrics are on before, unless a setting says off',
    { image: 'chartmuseum/chartmuseum:v0.13.1', env: ['DISABLE_METRICS=true'], ports: [HTTP] },
    'switched_off',
  ],
  ['metrics are off since', { image: 'chartmuseum/chartmuseum:v0.14.0', ports: [HTTP] }, 'no_candidate'],
  [
    'metrics are off since, unless a setting says on',
    { image: 'chartmuseum/chartmuseum:v0.14.0', env: ['ENABLE_METRICS=true'], ports: [HTTP] },
    ':8080/metrics',
  ],
  ['no version', { image: 'chartmuseum/chartmuseum:latest', ports: [HTTP] }, 'no_candidate'],
]);

cases('an image whose examples use another port than its chart', [
  ['the port of the examples, where none is declared', { image: 'grafana/promtail:3.0.0' }, ':9080/metrics'],
  [
    "the chart's port, where it is declared",
    { image: 'grafana/promtail:3.0.0', ports: [{ name: 'http', containerPort: 3101 }] },
    ':3101/metrics',
  ],
  ['any other port', { image: 'grafana/promtail:3.0.0', ports: [HTTP] }, 'no_candidate'],
  ['a setting', { image: 'grafana/promtail:3.0.0', args: ['-server.http-listen-port=9999'] }, ':9999/metrics'],
]);

cases('an image that is TLS by default, at a port called metrics', [
  ['the image', { image: 'quay.io/konflux-ci/namespace-lister:1', ports: [METRICS] }, 'https_endpoint'],
  ['another image', { image: 'quay.io/konflux-ci/namespaces:1', ports: [METRICS] }, ':9100/metrics'],
]);

cases('dotnet-monitor', [
  ['as the image starts it', { image: 'mcr.microsoft.com/dotnet/monitor:8' }, ':52325/metrics'],
  [
    'at another address',
    { image: 'mcr.microsoft.com/dotnet/monitor:8', env: ['DotnetMonitor_Metrics__Endpoints=http://*:9100'] },
    ':9100/metrics',
  ],
  [
    'switched off',
    { image: 'mcr.microsoft.com/dotnet/monitor:8', env: ['DotnetMonitor_Metrics__Enabled=false'] },
    'switched_off',
  ],
]);

const RISINGWAVE = 'risingwavelabs/risingwave:v2.1.0';
const ERIGON = { image: 'erigontech/erigon:v3.0.0', args: ['--metrics', '--metrics.addr=0.0.0.0'] };
const BAZEL_REMOTE = { image: 'buchgr/bazel-remote-cache:v2.4.4', args: ['--enable_endpoint_metrics'] };

cases('an image whose programs or versions differ', [
  ['a node with one flag', { image: RISINGWAVE, args: ['--prometheus-listener-addr=0.0.0.0:1222'] }, ':1222/metrics'],
  [
    'a node with the other',
    { image: RISINGWAVE, args: ['meta-node', '--prometheus-host=0.0.0.0:1250'] },
    ':1250/metrics',
  ],
  ['a node with neither', { image: RISINGWAVE, args: ['meta-node'] }, 'no_candidate'],
  [
    'the port of newer versions, declared',
    { ...ERIGON, ports: [{ containerPort: 6061 }] },
    ':6061/debug/metrics/prometheus',
  ],
  [
    'the port of older ones, declared',
    { ...ERIGON, ports: [{ containerPort: 6060 }] },
    ':6060/debug/metrics/prometheus',
  ],
]);

const MINIFLUX = { image: 'miniflux/miniflux:2.2.0', ports: [HTTP] };
const REST_SERVER = { image: 'restic/rest-server:0.13.0', ports: [{ name: 'http', containerPort: 8000 }] };

const COCKROACH = { image: 'cockroachdb/cockroach:v25.1.6', ports: [HTTP] };

cases('an image that is TLS by one setting and plain by another', [
  ['plain', { ...COCKROACH, args: ['start', '--insecure'] }, ':8080/_status/vars'],
  ['TLS', { ...COCKROACH, args: ['start', '--certs-dir=/certs'] }, 'https_endpoint'],
  ['neither', { ...COCKROACH, args: ['start'] }, 'no_candidate'],
]);

cases('an image that needs several settings', [
  [
    'with all of them',
    { ...MINIFLUX, env: ['METRICS_COLLECTOR=1', 'METRICS_ALLOWED_NETWORKS=127.0.0.1/8,10.0.0.0/8'] },
    ':8080/metrics',
  ],
  ['with one of them', { ...MINIFLUX, env: ['METRICS_COLLECTOR=1'] }, 'no_candidate'],
  [
    'with one that leaves them on loopback',
    { ...MINIFLUX, env: ['METRICS_COLLECTOR=1', 'METRICS_ALLOWED_NETWORKS=127.0.0.1/8'] },
    'no_candidate',
  ],
  [
    'with all of them, and a password',
    {
      ...MINIFLUX,
      env: ['METRICS_COLLECTOR=1', 'METRICS_ALLOWED_NETWORKS=10.0.0.0/8'],
      secrets: ['METRICS_PASSWORD'],
    },
    'guarded',
  ],
]);

cases('an image whose metrics need credentials', [
  ['always', { image: 'louislam/uptime-kuma:2', ports: [{ containerPort: 3001 }] }, 'guarded'],
  [
    'always, at a port called metrics',
    { image: 'supabase/realtime:v2.34.7', ports: [{ name: 'metrics', containerPort: 4000 }] },
    'guarded',
  ],
  ['at its own port only', { image: 'supabase/realtime:v2.34.7', ports: [METRICS] }, ':9100/metrics'],
  ['once they are on', { ...REST_SERVER, env: ['OPTIONS=--append-only --prometheus'] }, 'guarded'],
  ['before they are on', REST_SERVER, 'no_candidate'],
  [
    'unless a setting lifts that',
    { ...REST_SERVER, env: ['OPTIONS=--prometheus --prometheus-no-auth'] },
    ':8000/metrics',
  ],
  [
    'unless a setting lifts that, at a port called metrics',
    {
      image: 'registry.k8s.io/gateway-api-inference-extension/epp:v1.0.0',
      args: ['--metrics-endpoint-auth=false'],
      ports: [{ name: 'metrics', containerPort: 9090 }],
    },
    ':9090/metrics',
  ],
  [
    'where nothing lifts that, at a port called metrics',
    {
      image: 'registry.k8s.io/gateway-api-inference-extension/epp:v1.0.0',
      ports: [{ name: 'metrics', containerPort: 9090 }],
    },
    'guarded',
  ],
  ['since a version', { image: 'emqx/emqx:6.3.0', ports: [{ name: 'dashboard', containerPort: 18083 }] }, 'guarded'],
  [
    'since a later version',
    { image: 'emqx/emqx:5.8.6', ports: [{ name: 'dashboard', containerPort: 18083 }] },
    ':18083/api/v5/prometheus/stats',
  ],
]);

cases('a client certificate', [
  ['that is asked for', { ...BAZEL_REMOTE, args: [...BAZEL_REMOTE.args, '--tls_ca_file=/tls/ca.crt'] }, 'guarded'],
  ['that is not', BAZEL_REMOTE, ':8080/metrics'],
]);

import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { decide } from '../../../src/core/decide.ts';
import { parseRules } from '../../../src/core/rules/parse.ts';
import { readShipped } from '../../../src/rules/shipped.ts';

// What a container's settings say of its metrics: each case beside its opposite.

const parsed = parseRules('', readShipped());
assert.ok(parsed.ok);
const { rules } = parsed.value;

const HTTP = { name: 'http', containerPort: 8080 };

/** One container; `env` is `NAME=value`. */
interface Said {
  readonly name?: string;
  readonly image?: string;
  readonly args?: readonly string[];
  readonly env?: readonly string[];
  readonly ports?: readonly object[];
  readonly probe?: object;
  /** Variables whose values come from a Secret. */
  readonly secrets?: readonly string[];
  /** The pod's labels. */
  readonly labels?: Readonly<Record<string, string>>;
}

/** Returns `:PORT/PATH`, with `https` and `?` behind it where the rule only hints; or the reason. */
function decisionOn(said: Said): string {
  const {
    name = 'app',
    image = 'registry.example/app:1',
    args,
    env = [],
    secrets = [],
    ports,
    probe,
    labels = {},
  } = said;
  const container = {
    name,
    image,
    args,
    ports,
    env: [
      ...env.map((text) => ({ name: text.slice(0, text.indexOf('=')), value: text.slice(text.indexOf('=') + 1) })),
      ...secrets.map((variable) => ({ name: variable, valueFrom: { secretKeyRef: { name: 's', key: 'k' } } })),
    ],
    ...(probe && { readinessProbe: { httpGet: probe } }),
  };
  const decision = decide({ metadata: { labels }, spec: { containers: [container] } }, rules);
  if (decision.outcome === 'skip') return decision.reason;
  const [{ port, path, scheme }] = decision.endpoints;
  return `:${port}${path}${scheme === 'https' ? ' https' : ''}${decision.confirm ? ' ?' : ''}`;
}

function cases(title: string, list: readonly (readonly [says: string, said: Said, want: string])[]): void {
  suite(title, () => {
    for (const [says, said, want] of list)
      test(`${says}: ${want}`, () => {
        assert.equal(decisionOn(said), want);
      });
  });
}

const METRICS = { name: 'metrics', containerPort: 9100 };

cases('loopback', [
  ['a flag', { args: ['--metrics-addr=127.0.0.1:9100'] }, 'unreachable'],
  ['the same flag for every interface', { args: ['--metrics-addr=0.0.0.0:9100'] }, ':9100/metrics'],
  ['a flag, where the port has a name', { args: ['--metrics-bind-host', '::1'], ports: [METRICS] }, 'unreachable'],
  ['the same for every interface', { args: ['--metrics-bind-host', '::'], ports: [METRICS] }, ':9100/metrics'],
  ['a variable', { env: ['METRICS_ADDR=localhost:9100'], ports: [METRICS] }, 'unreachable'],
  ['the same variable for every interface', { env: ['METRICS_ADDR=:9100'], ports: [METRICS] }, ':9100/metrics'],
  ['a host beside a port', { env: ['METRICS_HOST=127.0.0.1', 'METRICS_PORT=9100'] }, 'unreachable'],
  ['no host beside a port', { env: ['METRICS_PORT=9100'] }, ':9100/metrics'],
  ["another program's variable", { env: ['REDIS_ADDR=localhost:9100'], ports: [METRICS] }, ':9100/metrics'],
  [
    'a variable of the program at a port without a name',
    { env: ['SHOP_METRICS_ADDR=[::1]:9100'], ports: [{ containerPort: 9100 }] },
    'unreachable',
  ],
  [
    'the JMX agent',
    { args: ['-javaagent:/jmx_prometheus_javaagent-1.0.jar=localhost:7071:/c.yaml'], ports: [HTTP] },
    'unreachable',
  ],
  [
    'the JMX agent on every interface',
    { args: ['-javaagent:/jmx_prometheus_javaagent-1.0.jar=0.0.0.0:7071:/c.yaml'], ports: [HTTP] },
    ':7071/metrics',
  ],
  ['an exporter', { args: ['--web.listen-address=127.0.0.1:9100'], ports: [METRICS] }, 'unreachable'],
  [
    'an exporter that also listens elsewhere',
    { args: ['--web.listen-address=127.0.0.1:9101', '--web.listen-address=:9100'], ports: [METRICS] },
    ':9100/metrics',
  ],
  [
    "another program's URL",
    { args: ['--prometheus-address=http://localhost:9090'], ports: [METRICS] },
    ':9100/metrics',
  ],
  ["another program's URL alone", { args: ['--prometheus-address=http://localhost:9090'] }, 'no_candidate'],
  [
    'only what kube-state-metrics says of itself',
    { args: ['--telemetry-host=127.0.0.1', '--telemetry-port=8081'], ports: [METRICS] },
    ':9100/metrics',
  ],
  ['a host that only begins like it', { args: ['--metrics-addr=localhost.example:9100'] }, ':9100/metrics'],
]);

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

cases('what a Secret sets', [
  ['a key', { image: 'qdrant/qdrant:v1', secrets: ['QDRANT__SERVICE__API_KEY'] }, 'guarded'],
  ['another variable', { image: 'qdrant/qdrant:v1', secrets: ['QDRANT__CLUSTER__API_KEY'] }, ':6333/metrics'],
  [
    'a key, where the name of the port says metrics',
    {
      image: 'qdrant/qdrant:v1',
      secrets: ['QDRANT__SERVICE__API_KEY'],
      ports: [{ name: 'metrics', containerPort: 6333 }],
    },
    'guarded',
  ],
  [
    'a switch whose value the pod does not show',
    { image: 'quay.io/keycloak/keycloak:26', secrets: ['KC_METRICS_ENABLED'] },
    'no_candidate',
  ],
]);

cases('TLS', [
  ['8443 in an address', { args: ['--metrics-addr=:8443'] }, 'https_endpoint'],
  ['8443 beside a certificate', { args: ['--metrics-addr=:8443', '--tls-cert-file=/c'] }, 'https_endpoint'],
  ['8443 with a word that says plain', { args: ['--metrics-addr=:8443', '--metrics-secure=false'] }, ':8443/metrics'],
  ['8443 in a variable', { env: ['SHOP_METRICS_PORT=8443'] }, 'https_endpoint'],
  ['8443 in a variable, and plain', { env: ['SHOP_METRICS_PORT=8443', 'METRICS_TLS=false'] }, ':8443/metrics'],
  ['9443 at a port named metrics', { ports: [{ name: 'metrics', containerPort: 9443 }] }, 'https_endpoint'],
  [
    'the same, and plain',
    { args: ['--metrics-secure=false'], ports: [{ name: 'metrics', containerPort: 9443 }] },
    ':9443/metrics',
  ],
  ['a certificate for metrics', { args: ['--metrics-addr=:9100', '--metrics-cert-file=/c'] }, 'https_endpoint'],
  ['a certificate for a webhook', { args: ['--metrics-addr=:9100', '--webhook-cert-file=/c'] }, ':9100/metrics'],
  ['secure metrics at any port', { args: ['--metrics-bind-address=:8080', '--metrics-secure'] }, 'https_endpoint'],
  [
    "an exporter's file for TLS and passwords",
    { name: 'x-exporter', args: ['--web.config.file=/w'], ports: [{ containerPort: 9100 }] },
    'guarded',
  ],
]);

const ARGO = { ports: [{ name: 'metrics', containerPort: 9090 }] };

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

const STATSD = { name: 'statsd-metrics', containerPort: 9102 };

cases('the order of rules', [
  [
    'an undeclared port that is stated, before the only one',
    { env: ['PROMETHEUS_MULTIPROC_DIR=/tmp', 'METRICS_PORT=9200'], ports: [{ name: 'http', containerPort: 4000 }] },
    ':9200/metrics',
  ],
  [
    'the only port, where none is stated',
    { env: ['PROMETHEUS_MULTIPROC_DIR=/tmp'], ports: [{ name: 'http', containerPort: 4000 }] },
    ':4000/metrics ?',
  ],
  ['a variable of the program, undeclared', { env: ['SHOP_METRICS_PORT=9200'], ports: [HTTP] }, ':9200/metrics'],
  ['a variable of another kind', { env: ['SHOP_ADMIN_PORT=9200'], ports: [HTTP] }, 'no_candidate'],
  ['a flag of the program, undeclared', { args: ['--shop.metrics-port=9200'], ports: [HTTP] }, ':9200/metrics'],
  [
    'an exporter on a stated port, before its only declared one',
    { name: 'x-exporter', env: ['METRICS_PORT=9200'], ports: [HTTP] },
    ':9200/metrics',
  ],
  [
    'the metrics of statsd beside statsd',
    { ports: [{ name: 'statsd-udp', containerPort: 8125, protocol: 'UDP' }, STATSD] },
    ':9102/metrics',
  ],
  ['metrics that come by statsd', { ports: [STATSD, HTTP] }, 'no_candidate'],
  [
    "the collector's exporter before its own metrics",
    {
      ports: [
        { name: 'metrics', containerPort: 8888 },
        { name: 'promexporter', containerPort: 8889 },
      ],
    },
    ':8889/metrics',
  ],
  ["the collector's own metrics", { ports: [{ name: 'metrics', containerPort: 8888 }] }, ':8888/metrics'],
]);

const EXPOSED = 'MANAGEMENT_ENDPOINTS_WEB_EXPOSURE_INCLUDE=health,prometheus';
const json = (properties: unknown) => `SPRING_APPLICATION_JSON=${JSON.stringify(properties)}`;

cases('Spring Boot', [
  ['the endpoint is exposed, at the only port', { env: [EXPOSED], ports: [HTTP] }, ':8080/actuator/prometheus ?'],
  ['other endpoints are exposed', { env: [EXPOSED.replace('prometheus', 'info')], ports: [HTTP] }, 'no_candidate'],
  [
    'a context path',
    { env: [EXPOSED, 'SERVER_SERVLET_CONTEXT_PATH=/shop'], ports: [HTTP] },
    ':8080/shop/actuator/prometheus ?',
  ],
  [
    'a context path in the canonical spelling',
    { env: [EXPOSED, 'SERVER_SERVLET_CONTEXTPATH=/shop/'], ports: [HTTP] },
    ':8080/shop/actuator/prometheus ?',
  ],
  [
    'a base path of WebFlux',
    { env: [EXPOSED, 'SPRING_WEBFLUX_BASE_PATH=/api'], ports: [HTTP] },
    ':8080/api/actuator/prometheus ?',
  ],
  [
    'a management port, which has no context path',
    { env: [EXPOSED, 'MANAGEMENT_SERVER_PORT=9001', 'SERVER_SERVLET_CONTEXT_PATH=/shop'], ports: [HTTP] },
    ':9001/actuator/prometheus',
  ],
  [
    'a management port with a base path and names of its own',
    {
      env: [
        EXPOSED,
        'MANAGEMENT_SERVER_PORT=9001',
        'MANAGEMENT_SERVER_BASE_PATH=/manage',
        'MANAGEMENT_ENDPOINTS_WEB_BASE_PATH=/',
        'MANAGEMENT_ENDPOINTS_WEB_PATH_MAPPING_PROMETHEUS=metrics',
      ],
      ports: [HTTP, { containerPort: 9001 }],
    },
    ':9001/manage/metrics',
  ],
  ['a management port only', { env: ['MANAGEMENT_SERVER_PORT=9001'], ports: [HTTP] }, ':9001/actuator/prometheus ?'],
  ['no management port', { env: [EXPOSED, 'MANAGEMENT_SERVER_PORT=-1'], ports: [HTTP] }, 'switched_off'],
  [
    'the exporter is off',
    { env: [EXPOSED, 'MANAGEMENT_PROMETHEUS_METRICS_EXPORT_ENABLED=false'], ports: [HTTP] },
    'switched_off',
  ],
  [
    'a management address on loopback',
    { env: [EXPOSED, 'MANAGEMENT_SERVER_PORT=9001', 'MANAGEMENT_SERVER_ADDRESS=127.0.0.1'], ports: [HTTP] },
    'unreachable',
  ],
  ['TLS', { env: [EXPOSED, 'SERVER_SSL_KEY_STORE=/k', 'SERVER_PORT=8443'] }, 'https_endpoint'],
  [
    'TLS, but not on the management port',
    {
      env: [EXPOSED, 'SERVER_SSL_ENABLED=true', 'MANAGEMENT_SERVER_PORT=9001', 'MANAGEMENT_SERVER_SSL_ENABLED=false'],
    },
    ':9001/actuator/prometheus',
  ],
  [
    'arguments',
    {
      args: ['--management.server.port=9001', '--management.endpoints.web.exposure.include=prometheus'],
      ports: [HTTP],
    },
    ':9001/actuator/prometheus',
  ],
  [
    'system properties in any variable, below the arguments',
    {
      env: ['SHOP_FLAGS=-Xmx1g -Dmanagement.server.port=9001 -Dmanagement.endpoints.web.exposure.include=prometheus'],
      args: ['--management.server.port=9002'],
      ports: [HTTP],
    },
    ':9002/actuator/prometheus',
  ],
  [
    'JSON, above the variables',
    {
      env: [
        'MANAGEMENT_SERVER_PORT=9002',
        json({
          management: { server: { port: 9001 }, 'endpoints.web.exposure': { include: ['health', 'prometheus'] } },
        }),
      ],
      ports: [HTTP],
    },
    ':9001/actuator/prometheus',
  ],
  [
    'JSON of more than 16 KiB',
    {
      env: [EXPOSED, json({ management: { server: { port: 9001 } }, filler: 'x'.repeat(16 * 1024) })],
      ports: [HTTP],
    },
    ':8080/actuator/prometheus ?',
  ],
  [
    'JSON of 15 KiB',
    {
      env: [EXPOSED, json({ management: { server: { port: 9001 } }, filler: 'x'.repeat(15 * 1024) })],
      ports: [HTTP],
    },
    ':9001/actuator/prometheus',
  ],
  [
    'JSON of nine levels',
    {
      env: [
        EXPOSED,
        json({ management: { server: { port: 9001 } }, a: { b: { c: { d: { e: { f: { g: { h: { i: 1 } } } } } } } } }),
      ],
      ports: [HTTP],
    },
    ':8080/actuator/prometheus ?',
  ],
  [
    'JSON that is none',
    { env: [EXPOSED, 'SPRING_APPLICATION_JSON={"a":'], ports: [HTTP] },
    ':8080/actuator/prometheus ?',
  ],
  [
    'a port named metrics, with a path of the framework',
    { env: [EXPOSED], ports: [HTTP, { name: 'metrics', containerPort: 9001 }] },
    ':9001/actuator/prometheus',
  ],
  [
    'a probe below a context path, with the endpoint exposed',
    {
      args: ['--management.endpoints.web.exposure.include=prometheus'],
      ports: [HTTP],
      probe: { path: '/x/actuator/health', port: 8080 },
    },
    ':8080/x/actuator/prometheus',
  ],
]);

const MICRONAUT = 'MICRONAUT_METRICS_EXPORT_PROMETHEUS_ENABLED=true';

cases('Micronaut', [
  ['the exporter is on', { env: [MICRONAUT], ports: [HTTP] }, ':8080/prometheus ?'],
  ['the exporter is off', { env: [MICRONAUT.replace('true', 'false')], ports: [HTTP] }, 'switched_off'],
  [
    'a port and a path for all endpoints',
    { env: [MICRONAUT, 'ENDPOINTS_ALL_PORT=8085', 'ENDPOINTS_ALL_PATH=/ops'], ports: [HTTP] },
    ':8085/ops/prometheus',
  ],
  [
    'a context path',
    { env: [MICRONAUT, 'MICRONAUT_SERVER_CONTEXT_PATH=/shop'], ports: [HTTP] },
    ':8080/shop/prometheus ?',
  ],
  ['security', { env: [MICRONAUT, 'MICRONAUT_SECURITY_ENABLED=true'], ports: [HTTP] }, 'guarded'],
  [
    'security, with the endpoint open',
    { env: [MICRONAUT, 'MICRONAUT_SECURITY_ENABLED=true', 'ENDPOINTS_PROMETHEUS_SENSITIVE=false'], ports: [HTTP] },
    ':8080/prometheus ?',
  ],
]);

const QUARKUS = 'QUARKUS_MICROMETER_EXPORT_PROMETHEUS_ENABLED=true';

cases('Quarkus', [
  ['the exporter is on', { env: [QUARKUS], ports: [HTTP] }, ':8080/q/metrics ?'],
  ['a setting of another exporter', { env: ['QUARKUS_HTTP_PORT=8080'], ports: [HTTP] }, 'no_candidate'],
  ['a path of its own', { env: ['QUARKUS_MICROMETER_EXPORT_PROMETHEUS_PATH=/m'], ports: [HTTP] }, ':8080/m ?'],
  [
    'roots',
    { env: [QUARKUS, 'QUARKUS_HTTP_ROOT_PATH=/shop', 'QUARKUS_HTTP_NON_APPLICATION_ROOT_PATH=ops'], ports: [HTTP] },
    ':8080/shop/ops/metrics ?',
  ],
  ['the management interface', { env: [QUARKUS, 'QUARKUS_MANAGEMENT_ENABLED=true'], ports: [HTTP] }, ':9000/q/metrics'],
  [
    'the management interface at another port',
    { env: [QUARKUS, 'QUARKUS_MANAGEMENT_ENABLED=true', 'QUARKUS_MANAGEMENT_PORT=9010'], ports: [HTTP] },
    ':9010/q/metrics',
  ],
  ['the exporter is off', { env: [QUARKUS.replace('true', 'false')], ports: [HTTP] }, 'switched_off'],
]);

const OTEL = 'OTEL_METRICS_EXPORTER=prometheus';

cases('OpenTelemetry', [
  [
    'every interface, undeclared',
    { env: [OTEL, 'OTEL_EXPORTER_PROMETHEUS_HOST=0.0.0.0'], ports: [HTTP] },
    ':9464/metrics',
  ],
  ['no host, undeclared: some of the SDKs listen on localhost', { env: [OTEL], ports: [HTTP] }, ':9464/metrics ?'],
  ['no host, declared', { env: [OTEL], ports: [HTTP, { containerPort: 9464 }] }, ':9464/metrics'],
  ['localhost', { env: [OTEL, 'OTEL_EXPORTER_PROMETHEUS_HOST=localhost'], ports: [HTTP] }, 'unreachable'],
  [
    'another port, by a property of the agent',
    {
      env: [
        'JAVA_TOOL_OPTIONS=-Dotel.metrics.exporter=prometheus,otlp -Dotel.exporter.prometheus.port=9500 -Dotel.exporter.prometheus.host=0.0.0.0',
      ],
    },
    ':9500/metrics',
  ],
  ['another exporter', { env: ['OTEL_METRICS_EXPORTER=otlp'], ports: [HTTP] }, 'no_candidate'],
]);

cases('an HTTP server for Prometheus in a JVM', [
  ['Kamon', { env: ['JAVA_OPTS=-Xmx1g -Dkamon.prometheus.embedded-server.port=9095'], ports: [HTTP] }, ':9095/metrics'],
  ['Lightbend Telemetry', { args: ['-Dcinnamon.prometheus.http-server.port=9001'], ports: [HTTP] }, ':9001/metrics'],
  ["another server's port", { args: ['-Dkamon.status-page.listen.port=5266'], ports: [HTTP] }, 'no_candidate'],
]);

cases('the words of an address', [
  ['export-port', { args: ['--metrics-export-port=8080'], ports: [HTTP] }, ':8080/metrics'],
  ['an exporter elsewhere', { args: ['--metrics-exporter-address=otel:4317'], ports: [HTTP] }, 'no_candidate'],
  ['listener', { args: ['--prometheus-listener-addr=0.0.0.0:1222'], ports: [HTTP] }, ':1222/metrics'],
  ['a listener on loopback', { args: ['--prometheus-listener-addr=127.0.0.1:1222'], ports: [HTTP] }, 'unreachable'],
  ['a listener on TLS', { args: ['--metrics-listener-port=8443'], ports: [HTTP] }, 'https_endpoint'],
]);

cases("Ruby's exporters", [
  ['a port and a path', { env: ['PROMETHEUS_EXPORTER_PORT=9394', 'PROMETHEUS_EXPORTER_PATH=/m'] }, ':9394/m'],
  ['loopback', { env: ['PROMETHEUS_EXPORTER_PORT=9394', 'PROMETHEUS_EXPORTER_BIND=127.0.0.1'] }, 'unreachable'],
  ['every interface', { env: ['PROMETHEUS_EXPORTER_PORT=9394', 'PROMETHEUS_EXPORTER_BIND=0.0.0.0'] }, ':9394/metrics'],
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

cases('the JMX agent', [
  [
    'a variable of any name',
    {
      env: ['KAFKA_JMX_OPTS=-Dx=y -javaagent:/jmx_prometheus_javaagent.jar=7071:/c.yaml'],
      ports: [{ name: 'client', containerPort: 9092 }],
    },
    ':7071/metrics',
  ],
  ["Red Hat's images", { env: ['AB_PROMETHEUS_ENABLE=true'], ports: [HTTP] }, ':9799/metrics'],
  [
    "Red Hat's images with a port",
    { env: ['AB_PROMETHEUS_ENABLE=true', 'AB_PROMETHEUS_JMX_EXPORTER_PORT=9779'], ports: [HTTP] },
    ':9779/metrics',
  ],
  [
    "Red Hat's images with the port only",
    { env: ['AB_PROMETHEUS_JMX_EXPORTER_PORT=9779'], ports: [HTTP] },
    'no_candidate',
  ],
  [
    'another agent',
    {
      env: ['KAFKA_JMX_OPTS=-javaagent:/other-agent.jar=7071:/c.yaml'],
      ports: [{ name: 'client', containerPort: 9092 }],
    },
    'no_candidate',
  ],
]);

cases('MLflow', [
  ['metrics are exposed', { args: ['--expose-prometheus=/tmp/m'], ports: [HTTP] }, ':8080/metrics ?'],
  [
    'behind a password',
    { args: ['--expose-prometheus', '/tmp/m', '--app-name', 'basic-auth'], ports: [HTTP] },
    'guarded',
  ],
  ['a password, and no metrics', { args: ['--app-name=basic-auth'], ports: [HTTP] }, 'no_candidate'],
]);

import { cases, HTTP } from './cases.ts';

// What the settings of frameworks say of metrics: each case beside its opposite.

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

cases("Ruby's exporters", [
  ['a port and a path', { env: ['PROMETHEUS_EXPORTER_PORT=9394', 'PROMETHEUS_EXPORTER_PATH=/m'] }, ':9394/m'],
  ['loopback', { env: ['PROMETHEUS_EXPORTER_PORT=9394', 'PROMETHEUS_EXPORTER_BIND=127.0.0.1'] }, 'unreachable'],
  ['every interface', { env: ['PROMETHEUS_EXPORTER_PORT=9394', 'PROMETHEUS_EXPORTER_BIND=0.0.0.0'] }, ':9394/metrics'],
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

import { cases, METRICS } from './cases.ts';

// Servers whose own settings give them TLS or ask for a password, in other words than "metrics": each beside its opposite.

cases('flags and variables that say TLS', [
  ['a secure server', { args: ['--metrics-bind-address=:8080', '--secure-metrics-server'] }, 'https_endpoint'],
  ['the same, off', { args: ['--metrics-bind-address=:8080', '--secure-metrics-server=false'] }, ':8080/metrics'],
  ['secure serving', { args: ['--metrics-secure-serving'], ports: [METRICS] }, 'https_endpoint'],
  ['secure serving, off', { args: ['--metrics-secure-serving=false'], ports: [METRICS] }, ':9100/metrics'],
  ['a mode', { args: ['--metrics-mode=httptls', '--metrics-port=2112'] }, 'https_endpoint'],
  ['a mode of TLS', { args: ['--metrics-tls-mode=mtls'], ports: [METRICS] }, 'https_endpoint'],
  ['no TLS', { args: ['--metrics-tls-mode=off'], ports: [METRICS] }, ':9100/metrics'],
  ['HTTPS in a variable', { env: ['SHOP_METRICS_ENABLE_HTTPS=true'], ports: [METRICS] }, 'https_endpoint'],
  ['HTTPS in a variable, off', { env: ['SHOP_METRICS_ENABLE_HTTPS=false'], ports: [METRICS] }, ':9100/metrics'],
  ['another mode', { args: ['--metrics-mode=http', '--metrics-port=2112'] }, ':2112/metrics'],
  ['a Secret', { args: ['-prometheus-tls-secret=shop/tls'], ports: [METRICS] }, 'https_endpoint'],
  ['no Secret', { args: ['-prometheus-tls-secret='], ports: [METRICS] }, ':9100/metrics'],
  ['a variable of Knative', { env: ['METRICS_PROMETHEUS_TLS_CERT=/tls/tls.crt'], ports: [METRICS] }, 'https_endpoint'],
  ['another one', { env: ['METRICS_PROMETHEUS_TLS_MIN_VERSION=1.3'], ports: [METRICS] }, ':9100/metrics'],
]);

const METRICS_2381 = { name: 'metrics', containerPort: 2381 };
const PROXY = ['etcd', 'grpc-proxy', 'start', '--cert-file=/tls/tls.crt'];

cases('the certificate of a server', [
  ['of an exporter', { args: ['--tls-server-cert-file=/c'], ports: [METRICS] }, 'https_endpoint'],
  ['of its client', { args: ['--tls-client-cert-file=/c'], ports: [METRICS] }, ':9100/metrics'],
  ['a switch', { args: ['--server.tls.enabled'], ports: [METRICS] }, 'https_endpoint'],
  ['a switch, off', { args: ['--server.tls.enabled=false'], ports: [METRICS] }, ':9100/metrics'],
  ['the switch of its client', { args: ['--tls.enabled'], ports: [METRICS] }, ':9100/metrics'],
  ['for what is internal', { args: ['--tls.internal.server.cert-file=/c'], ports: [METRICS] }, 'https_endpoint'],
  ['for what is public', { args: ['--tls.server.cert-file=/c'], ports: [METRICS] }, ':9100/metrics'],
  ['for all', { args: ['--listen=:9100', '--serving-cert-file=/c'], ports: [METRICS] }, 'https_endpoint'],
  [
    'of an exporter whose port is called exporter',
    { args: ['--web.config.file=/w'], ports: [{ name: 'exporter', containerPort: 9187 }] },
    'https_endpoint',
  ],
  ['without a file', { ports: [{ name: 'exporter', containerPort: 9187 }] }, ':9187/metrics'],
  ["of the Prometheus Operator's", { args: ['--web.enable-tls=true', '--web.listen-address=:9100'] }, 'no_candidate'],
  ['the same, off', { args: ['--web.enable-tls=false', '--web.listen-address=:9100'] }, ':9100/metrics'],
  ["of etcd's proxy", { args: PROXY, ports: [METRICS_2381] }, 'https_endpoint'],
  ['in a script', { args: ['-c', PROXY.join(' ')], ports: [METRICS_2381] }, 'https_endpoint'],
  [
    'of which the metrics make no use',
    { args: [...PROXY, '--metrics-addr=http://0.0.0.0:2381'], ports: [METRICS_2381] },
    ':2381/metrics',
  ],
  ["of etcd's proxy, without one", { args: ['etcd', 'grpc-proxy', 'start'], ports: [METRICS_2381] }, ':2381/metrics'],
]);

cases('the port of a listener with TLS', [
  ["of Kubernetes' components", { args: ['--secure-port=9100'], ports: [METRICS] }, 'https_endpoint'],
  ['beside plain metrics', { args: ['--secure-port=6443'], ports: [METRICS] }, ':9100/metrics'],
  ['by their default', { ports: [{ name: 'metrics', containerPort: 10258 }] }, 'https_endpoint'],
  ['by a number near it', { ports: [{ name: 'metrics', containerPort: 10256 }] }, ':10256/metrics'],
  ["of OpenShift's OAuth proxy", { args: ['-https-address=:9100'], ports: [METRICS] }, 'https_endpoint'],
  ['beside it', { args: ['-https-address=:9101'], ports: [METRICS] }, ':9100/metrics'],
  [
    'of kube-rbac-proxy by another name',
    { name: 'guard', args: ['--secure-listen-address=0.0.0.0:9100'], ports: [METRICS] },
    'https_endpoint',
  ],
]);

const MINIO = { image: 'minio/minio:2025', ports: [{ containerPort: 9000 }] };
const PUBLIC = 'MINIO_PROMETHEUS_AUTH_TYPE=public';
const MONGO = 'docker.io/mongodb/mongodb-community-server:8.0.4-ubi8';
const LOG_FILES = {
  image: 'quay.io/openshift-logging/log-file-metric-exporter:6.2',
  ports: [{ name: 'metrics', containerPort: 2112 }],
};
const YUGABYTE = { name: 'yb-master', image: 'yugabytedb/yugabyte:2.25.1', ports: [{ containerPort: 7000 }] };
const JAEGER = { image: 'jaegertracing/jaeger-query:1.57', ports: [{ containerPort: 16687 }] };

cases('images that have TLS or a password by a setting of their own', [
  ['MinIO by a variable', { ...MINIO, env: [PUBLIC, 'MINIO_SCHEME=https'] }, 'https_endpoint'],
  ['MinIO by its directory', { ...MINIO, env: [PUBLIC], args: ['server', '-S', '/certs'] }, 'https_endpoint'],
  ['MinIO without', { ...MINIO, env: [PUBLIC, 'MINIO_SCHEME=http'] }, ':9000/minio/v2/metrics/cluster'],
  [
    "Harbor's exporter",
    { image: 'goharbor/harbor-exporter:v2.13.0', env: ['HARBOR_EXPORTER_TLS_ENABLED=true'] },
    'https_endpoint',
  ],
  [
    "Harbor's exporter without",
    { image: 'goharbor/harbor-exporter:v2.13.0', env: ['HARBOR_EXPORTER_TLS_ENABLED=false'] },
    ':8001/metrics',
  ],
  ['Jaeger', { ...JAEGER, args: ['--admin.http.tls.enabled=true'] }, 'https_endpoint'],
  ['Jaeger, whose queries have TLS', { ...JAEGER, args: ['--query.http.tls.enabled=true'] }, ':16687/metrics'],
  ['the exporter of log files', { ...LOG_FILES, args: ['-http=:2112', '-crtFile=/c'] }, 'https_endpoint'],
  ['the exporter of log files without', { ...LOG_FILES, args: ['-http=:2112'] }, ':2112/metrics'],
  [
    "the collector of OpenShift's logging",
    {
      image: 'registry.example/openshift-logging/vector-rhel9@sha256:0',
      ports: [{ name: 'metrics', containerPort: 24231 }],
    },
    'https_endpoint',
  ],
  [
    'another Vector',
    { image: 'timberio/vector:0.46.1', ports: [{ name: 'metrics', containerPort: 24231 }] },
    ':24231/metrics',
  ],
  ['Falcosidekick', { image: 'falcosecurity/falcosidekick:2.31', env: ['TLSSERVER_DEPLOY=true'] }, 'https_endpoint'],
  ['Falcosidekick without', { image: 'falcosecurity/falcosidekick:2.31' }, ':2801/metrics'],
  ['YugabyteDB', { ...YUGABYTE, args: ['--webserver_certificate_file=/c'] }, 'https_endpoint'],
  ['YugabyteDB without', { ...YUGABYTE, args: ['--webserver_certificate_file='] }, ':7000/prometheus-metrics'],
  ['EMQX', { image: 'emqx/emqx:5.8.6', env: ['EMQX_DASHBOARD__LISTENERS__HTTP__BIND=0'] }, 'https_endpoint'],
  ['EMQX without', { image: 'emqx/emqx:5.8.6' }, ':18083/api/v5/prometheus/stats'],
  ['MongoDB', { image: MONGO, ports: [{ name: 'prometheus', containerPort: 9216 }] }, 'guarded'],
  [
    'an exporter at the same port',
    { image: 'percona/mongodb_exporter:0.44', ports: [{ name: 'prometheus', containerPort: 9216 }] },
    ':9216/metrics',
  ],
  ['Grafana on loopback', { image: 'grafana/grafana:12.0.0', env: ['GF_SERVER_HTTP_ADDR=127.0.0.1'] }, 'unreachable'],
  ['Grafana', { image: 'grafana/grafana:12.0.0', env: ['GF_SERVER_HTTP_ADDR=0.0.0.0'] }, ':3000/metrics'],
]);

const QUARKUS = ['QUARKUS_MICROMETER_EXPORT_PROMETHEUS_PATH=/metrics', 'QUARKUS_MANAGEMENT_ENABLED=true'];
const MICRONAUT = 'MICRONAUT_METRICS_EXPORT_PROMETHEUS_ENABLED=true';

cases('frameworks whose settings ask for credentials', [
  ['Quarkus', { env: [...QUARKUS, 'QUARKUS_MANAGEMENT_AUTH_ENABLED=true'] }, 'guarded'],
  ['Quarkus without', { env: [...QUARKUS, 'QUARKUS_MANAGEMENT_AUTH_ENABLED=false'] }, ':9000/metrics'],
  ['Micronaut', { env: [MICRONAUT, 'MICRONAUT_SERVER_PORT=8080', 'ENDPOINTS_PROMETHEUS_SENSITIVE=true'] }, 'guarded'],
  [
    'Micronaut without',
    { env: [MICRONAUT, 'MICRONAUT_SERVER_PORT=8080', 'ENDPOINTS_PROMETHEUS_SENSITIVE=false'] },
    ':8080/prometheus',
  ],
]);

cases('credentials in other words', [
  ['a kind of authentication', { args: ['--metrics-auth=kube-rbac'], ports: [METRICS] }, 'guarded'],
  ['no kind', { args: ['--metrics-auth=none'], ports: [METRICS] }, ':9100/metrics'],
  ['a user and a password', { args: ['--metrics-auth=shop:secret'], ports: [METRICS] }, 'guarded'],
  ['a mode', { args: ['--metrics-auth-mode=mtls-or-bearer'], ports: [METRICS] }, 'guarded'],
  ['no mode', { args: ['--metrics-auth-mode=off'], ports: [METRICS] }, ':9100/metrics'],
  ['a bearer token', { args: ['--metrics-auth-bearer-token=x'], ports: [METRICS] }, 'guarded'],
  ['a switch', { args: ['--metrics-require-auth'], ports: [METRICS] }, 'guarded'],
  ['a switch, off', { args: ['--metrics-require-auth=false'], ports: [METRICS] }, ':9100/metrics'],
  ['a variable', { env: ['SHOP_METRICS_REQUIRE_AUTH=true'], ports: [METRICS] }, 'guarded'],
  ['a variable, off', { env: ['SHOP_METRICS_REQUIRE_AUTH=false'], ports: [METRICS] }, ':9100/metrics'],
  ['a bearer token from a Secret', { secrets: ['SHOP_METRICS_BEARER_TOKEN'], ports: [METRICS] }, 'guarded'],
  ['a bearer from a Secret', { secrets: ['SHOP_METRICS_BEARER'], ports: [METRICS] }, 'guarded'],
  ['a user and a password from a Secret', { secrets: ['METRICS_BASIC_AUTH'], ports: [METRICS] }, 'guarded'],
  ['neither', { env: ['METRICS_BASIC_AUTH=false'], ports: [METRICS] }, ':9100/metrics'],
  ['basic authentication', { env: ['METRICS_BASIC_AUTH_ENABLED=true'], ports: [METRICS] }, 'guarded'],
  ['a key for the metrics', { secrets: ['METRICS_API_KEY'], ports: [METRICS] }, 'guarded'],
  ['a key of a service', { secrets: ['CLOUD_METRICS_API_KEY'], ports: [METRICS] }, ':9100/metrics'],
]);

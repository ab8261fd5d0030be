import { cases, HTTP, METRICS } from './cases.ts';

// Settings that put TLS or a password before the metrics: each beside its opposite.

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

cases('TLS by a flag or variable of the program', [
  ['a flag for the port', { args: ['--metrics-port-tls'], ports: [METRICS] }, 'https_endpoint'],
  ['the same, off', { args: ['--metrics-port-tls=false'], ports: [METRICS] }, ':9100/metrics'],
  ['a flag for another port', { args: ['--status-port-tls'], ports: [METRICS] }, ':9100/metrics'],
  ['another flag', { args: ['--enable-metrics-tls-termination=true'], ports: [METRICS] }, 'https_endpoint'],
  ['a flag beside an address', { args: ['--metrics-addr=:9100', '--metrics-https-enabled'] }, 'https_endpoint'],
  ['a variable', { env: ['METRICS_PORT_TLS=true'], ports: [METRICS] }, 'https_endpoint'],
  ['the same, off', { env: ['METRICS_PORT_TLS=false'], ports: [METRICS] }, ':9100/metrics'],
  ['a variable beside an address', { env: ['METRICS_TLS=true', 'METRICS_PORT=9100'] }, 'https_endpoint'],
]);

const PROMETHEUS = {
  image: 'quay.io/prometheus/prometheus:v3.4.0',
  ports: [{ name: 'http-web', containerPort: 9090 }],
};

cases('a file for TLS and passwords', [
  ['of Prometheus', { ...PROMETHEUS, args: ['--web.config.file=/etc/web.yaml'] }, 'guarded'],
  [
    'that the Prometheus Operator always writes',
    { ...PROMETHEUS, args: ['--web.config.file=/etc/prometheus/web_config/web-config.yaml'] },
    ':9090/metrics',
  ],
  [
    'that the Prometheus Operator writes, with TLS',
    {
      ...PROMETHEUS,
      args: ['--web.config.file=/etc/prometheus/web_config/web-config.yaml'],
      probe: { path: '/-/ready', port: 'http-web', scheme: 'HTTPS' },
    },
    'https_endpoint',
  ],
  [
    'of an exporter, by its other name',
    { name: 'x-exporter', args: ['--web.config=/w'], ports: [{ containerPort: 9100 }] },
    'guarded',
  ],
  [
    'of Thanos',
    {
      image: 'thanosio/thanos:v0.38.0',
      args: ['query', '--http.config=/w'],
      ports: [{ name: 'http', containerPort: 10902 }],
    },
    'guarded',
  ],
]);

cases('a port whose name says TLS', [
  [
    'of an image that is plain by default',
    {
      image: 'minio/minio:2025',
      env: ['MINIO_PROMETHEUS_AUTH_TYPE=public'],
      ports: [{ name: 'https', containerPort: 9000 }],
    },
    'https_endpoint',
  ],
  [
    'the same, and another name',
    {
      image: 'minio/minio:2025',
      env: ['MINIO_PROMETHEUS_AUTH_TYPE=public'],
      ports: [{ name: 'http', containerPort: 9000 }],
    },
    ':9000/minio/v2/metrics/cluster',
  ],
  [
    'of an application',
    { args: ['--enable-metrics'], ports: [{ name: 'https-web', containerPort: 8080 }] },
    'https_endpoint',
  ],
  [
    'which the kubelet probes without TLS',
    { args: ['--enable-metrics'], ports: [{ name: 'https', containerPort: 8080 }], probe: { path: '/', port: 8080 } },
    ':8080/metrics ?',
  ],
  [
    'that only ends in the letters',
    { args: ['--enable-metrics'], ports: [{ name: 'nettls', containerPort: 8080 }] },
    ':8080/metrics ?',
  ],
]);

const TRAEFIK = {
  image: 'traefik:v3.4.1',
  args: ['--metrics.prometheus=true', '--entryPoints.metrics.address=:9200/tcp'],
  ports: [HTTP],
};

cases('the entry point of Traefik', [
  ['with the protocol behind the port', TRAEFIK, ':9200/metrics'],
  [
    'for UDP',
    { ...TRAEFIK, args: ['--metrics.prometheus=true', '--entryPoints.metrics.address=:9200/udp'] },
    'no_candidate',
  ],
  ['with TLS', { ...TRAEFIK, args: [...TRAEFIK.args, '--entryPoints.metrics.http.tls=true'] }, 'https_endpoint'],
  [
    'with TLS, found by its name',
    {
      ...TRAEFIK,
      args: [...TRAEFIK.args, '--entryPoints.metrics.http.tls.certResolver=le'],
      ports: [{ name: 'metrics', containerPort: 9200 }],
    },
    'https_endpoint',
  ],
  ['with TLS of another', { ...TRAEFIK, args: [...TRAEFIK.args, '--entryPoints.web.http.tls=true'] }, ':9200/metrics'],
]);

const LOKI = { name: 'http-metrics', containerPort: 3100 };
const TLS_FLAG = '-server.http-tls-cert-path=/tls/tls.crt';

cases('a program with one port, and TLS for all of it', [
  ['Loki', { image: 'grafana/loki:3.5.0', args: [TLS_FLAG], ports: [LOKI] }, 'https_endpoint'],
  ['Loki without', { image: 'grafana/loki:3.5.0', ports: [LOKI] }, ':3100/metrics'],
  [
    'Loki at a port called http',
    { image: 'grafana/loki:3.5.0', args: [TLS_FLAG], ports: [{ ...LOKI, name: 'http' }] },
    'https_endpoint',
  ],
  ['a mirror of it', { image: 'registry.example/logs:1', args: [TLS_FLAG], ports: [LOKI] }, 'https_endpoint'],
  [
    'TLS of its gRPC port',
    { image: 'grafana/loki:3.5.0', args: ['-server.grpc-tls-cert-path=/c'], ports: [LOKI] },
    ':3100/metrics',
  ],
]);

const ETCD = { image: 'registry.k8s.io/etcd:3.5.21-0', ports: [{ name: 'metrics', containerPort: 2381 }] };

cases('the URL of the metrics of etcd', [
  ['plain', { ...ETCD, args: ['etcd', '--listen-metrics-urls=http://0.0.0.0:2381'] }, ':2381/metrics'],
  ['with TLS', { ...ETCD, args: ['etcd', '--listen-metrics-urls=https://0.0.0.0:2381'] }, 'https_endpoint'],
  [
    'on loopback',
    { ...ETCD, ports: [HTTP], args: ['etcd', '--listen-metrics-urls=http://127.0.0.1:2381'] },
    'unreachable',
  ],
]);

cases('credentials that the program asks for', [
  ['a flag', { args: ['--metrics-auth-enabled'], ports: [METRICS] }, 'guarded'],
  ['the same, off', { args: ['--metrics-auth-enabled=false'], ports: [METRICS] }, ':9100/metrics'],
  ['a user', { args: ['--metrics-auth-username=shop'], ports: [METRICS] }, 'guarded'],
  [
    'the authentication of something else',
    { args: ['--auth-enabled', '--db-username=shop'], ports: [METRICS] },
    ':9100/metrics',
  ],
  ['a variable', { env: ['METRICS_USERNAME=shop', 'METRICS_PORT=9100'] }, 'guarded'],
  ['a variable of the program', { env: ['SHOP_METRICS_AUTH_TOKEN=x'], ports: [METRICS] }, 'guarded'],
  ['a variable from a Secret', { secrets: ['SHOP_METRICS_PASSWORD'], ports: [METRICS] }, 'guarded'],
  ['an empty one', { env: ['METRICS_TOKEN='], ports: [METRICS] }, ':9100/metrics'],
  [
    'another variable from a Secret',
    { secrets: ['SHOP_DB_PASSWORD', 'METRICS_PORT'], ports: [METRICS] },
    ':9100/metrics',
  ],
]);

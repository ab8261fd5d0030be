import { cases, HTTP, METRICS } from './cases.ts';

// What a container's settings say of its metrics, whatever the program: each case beside its opposite.

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

cases('the words of an address', [
  ['export-port', { args: ['--metrics-export-port=8080'], ports: [HTTP] }, ':8080/metrics'],
  ['an exporter elsewhere', { args: ['--metrics-exporter-address=otel:4317'], ports: [HTTP] }, 'no_candidate'],
  ['listener', { args: ['--prometheus-listener-addr=0.0.0.0:1222'], ports: [HTTP] }, ':1222/metrics'],
  ['a listener on loopback', { args: ['--prometheus-listener-addr=127.0.0.1:1222'], ports: [HTTP] }, 'unreachable'],
  ['a listener on TLS', { args: ['--metrics-listener-port=8443'], ports: [HTTP] }, 'https_endpoint'],
]);

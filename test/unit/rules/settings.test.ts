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

cases('quotation marks in a script', [
  ['around an address on loopback', { args: ['-c', 'exec app --metrics-addr "127.0.0.1:9100"'] }, 'unreachable'],
  ['around another address', { args: ['-c', `exec app --metrics-addr=':9100'`] }, ':9100/metrics'],
  ['around a switch', { args: ['-c', 'exec app --metrics-secure="true"'], ports: [METRICS] }, 'https_endpoint'],
  ['around a switch, off', { args: ['-c', 'exec app --metrics-secure="false"'], ports: [METRICS] }, ':9100/metrics'],
]);

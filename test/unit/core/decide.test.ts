import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decide } from '../../../src/core/decide.ts';
import type { Surroundings } from '../../../src/core/decide.ts';
import { rulesOf } from './rules/rules-of.ts';

const RULES = rulesOf('');
const HTTPS = rulesOf('https: true');
const HINTS = rulesOf(`
https: true
rules:
  - { name: hint, when: { portName: hint }, confirm: true }
  - { name: tls-hint, when: { portName: tls-hint }, scrape: { scheme: https }, confirm: true }
  - { name: quiet, when: { container: quiet }, unless: { portName: loud }, exclude: true }
  - { name: in-shop, when: { namespace: 'shop(-.*)?', portName: shop } }
  - { name: not-in-test, when: { portName: app }, unless: { namespace: test } }
`);
const NOES = rulesOf(`
rules:
  - { name: here, when: { portName: here }, scrape: { path: /here } }
  - { name: away, when: { container: away }, exclude: served_elsewhere }
images:
  - images: [example/kinds]
    port: 9090
    portFrom: [--metrics-listen]
    unless: METRICS=off
    https: METRICS_TLS=on
    guarded: METRICS_PASSWORD=.+
    servedElsewhere: METRICS=otlp
    unreachable: METRICS_HOST=localhost
`);
const KINDS: Readonly<Record<string, string>> = {
  'METRICS=off': 'skip switched_off',
  'METRICS_TLS=on': 'skip https_endpoint',
  'METRICS_PASSWORD=secret': 'skip guarded',
  'METRICS=otlp': 'skip served_elsewhere',
  'METRICS_HOST=localhost': 'skip unreachable',
};
const HINT = { name: 'hint', containerPort: 7000 };

const METRICS = { name: 'metrics', containerPort: 9090 };
const HTTP = { name: 'http', containerPort: 8080 };

interface Words {
  readonly labels?: Record<string, string>;
  readonly annotations?: Record<string, string>;
  readonly ports?: readonly object[];
  readonly container?: object;
  readonly containers?: readonly object[];
  readonly initContainers?: readonly object[];
}

function pod({ labels, annotations, ports = [METRICS], container, containers, initContainers }: Words = {}): unknown {
  return {
    metadata: { ...(labels && { labels }), ...(annotations && { annotations }) },
    spec: {
      containers: containers ?? [{ name: 'app', image: 'registry.example/app:1', ports, ...container }],
      ...(initContainers && { initContainers }),
    },
  };
}

const S = 'prometheus.io/scrape';
const P = 'prometheus.io/port';
const A = 'prometheus.io/path';
const C = 'prometheus.io/scheme';

/** `want` is `skip REASON` or `RULE PORT PATH [SCHEME]`; `adds` are the annotations without the marker. */
interface Row {
  readonly row: string;
  readonly says: string;
  readonly pod: unknown;
  readonly surroundings?: Surroundings;
  readonly rules?: typeof RULES;
  readonly want: string;
  readonly adds?: Readonly<Record<string, string>>;
  readonly warns?: boolean;
}

const injected = (added: Record<string, string>) => ({
  'autoscrape.io/injected': JSON.stringify({ rule: 'metrics-port', added }),
});

// The rows of the table above `decide`, in its order.
const ROWS: readonly Row[] = [
  { row: '1', says: 'null', pod: null, want: 'skip unreadable' },
  { row: '1', says: 'an array', pod: [], want: 'skip unreadable' },
  { row: '1', says: 'a pod without metadata', pod: { spec: { containers: [{}] } }, want: 'skip unreadable' },
  {
    row: '1',
    says: 'a pod without containers',
    pod: { metadata: {}, spec: { containers: [] } },
    want: 'skip unreadable',
  },
  {
    row: '1',
    says: 'a pod whose annotations are a list',
    pod: { metadata: { annotations: [] }, spec: { containers: [{ name: 'a' }] } },
    want: 'skip unreadable',
  },
  {
    row: '1',
    says: 'a pod with an annotation that is a number',
    pod: { metadata: { annotations: { [P]: 80 } }, spec: { containers: [{ name: 'a' }] } },
    want: 'skip unreadable',
  },
  {
    row: '1',
    says: 'a pod with a container that is a string',
    pod: { metadata: {}, spec: { containers: ['app'] } },
    want: 'skip unreadable',
  },
  {
    row: '2',
    says: 'the mirror of a static pod',
    pod: pod({ annotations: { 'kubernetes.io/config.mirror': 'x' } }),
    want: 'skip mirror_pod',
  },
  {
    row: '3',
    says: 'a pod that opts out',
    pod: pod({ labels: { 'autoscrape.io/inject': 'disabled' } }),
    want: 'skip opted_out',
  },
  {
    row: '3',
    says: 'a pod that opts out with "false"',
    pod: pod({ labels: { 'autoscrape.io/inject': 'false' } }),
    want: 'skip opted_out',
  },
  ...['no', 'off', 'True', 'Enabled', 'yes', ''].map((value): Row => ({
    row: '3',
    says: `an opt-in label with the unknown value ${JSON.stringify(value)}`,
    pod: pod({ labels: { 'autoscrape.io/inject': value } }),
    want: 'skip opted_out',
    warns: true,
  })),
  ...['enabled', 'true'].map((value): Row => ({
    row: '3',
    says: `a pod that opts in with ${value}`,
    pod: pod({ labels: { 'autoscrape.io/inject': value } }),
    want: 'metrics-port 9090 /metrics',
  })),
  {
    row: '4',
    says: 'a pod that we annotated',
    pod: pod({ annotations: { [S]: 'true', [P]: '9090', ...injected({ [S]: 'true', [P]: '9090' }) } }),
    want: 'skip already_injected',
  },
  {
    row: '4',
    says: 'a pod that we annotated, with a value that was changed later',
    pod: pod({ annotations: { [S]: 'true', [P]: '9091', ...injected({ [S]: 'true', [P]: '9090' }) } }),
    want: 'skip already_annotated',
    warns: true,
  },
  {
    row: '4',
    says: 'a pod with a marker that is not JSON',
    pod: pod({ annotations: { 'autoscrape.io/injected': 'yes' } }),
    want: 'metrics-port 9090 /metrics',
    adds: { [S]: 'true', [P]: '9090', [A]: '/metrics' },
  },
  {
    row: '4',
    says: 'a copied marker without any annotation that it lists',
    pod: pod({ annotations: { [A]: '/mine', ...injected({ [S]: 'true', [P]: '9090', [A]: '/metrics' }) } }),
    want: 'metrics-port 9090 /mine',
    adds: { [S]: 'true', [P]: '9090' },
  },
  {
    row: '4',
    says: 'a copied marker that lists the path that the user wrote',
    pod: pod({ annotations: { [A]: '/metrics', ...injected({ [S]: 'true', [P]: '9090', [A]: '/metrics' }) } }),
    want: 'skip changed_since',
    warns: true,
  },
  {
    row: '4',
    says: 'a copied marker that lists the port that the user wrote',
    pod: pod({ annotations: { [P]: '9090', ...injected({ [S]: 'true', [P]: '9090' }) } }),
    want: 'skip changed_since',
    warns: true,
  },
  { row: '5', says: 'scrape false', pod: pod({ annotations: { [S]: 'false' } }), want: 'skip declined' },
  { row: '5', says: 'scrape True', pod: pod({ annotations: { [S]: 'True' } }), want: 'skip declined', warns: true },
  { row: '5', says: 'scrape empty', pod: pod({ annotations: { [S]: '' } }), want: 'skip declined' },
  {
    row: '5',
    says: 'two spellings of scrape, one of them "false"',
    pod: pod({ annotations: { [S]: 'true', 'prometheus-io/scrape': 'false' } }),
    want: 'skip declined',
  },
  {
    row: '6',
    says: 'two spellings of path with different values',
    pod: pod({ annotations: { [A]: '/a', 'prometheus.io.path': '/b' } }),
    want: 'skip conflicting_keys',
    warns: true,
  },
  {
    row: '6',
    says: 'two spellings of path with the same value',
    pod: pod({ annotations: { [A]: '/a', 'prometheus.io.path': '/a' } }),
    want: 'metrics-port 9090 /a',
    adds: { [S]: 'true', [P]: '9090' },
  },
  {
    row: '7a',
    says: 'a pod whose metrics Istio merges',
    pod: pod({ annotations: { [S]: 'true', [P]: '15020' } }),
    want: 'skip istio_merged',
  },
  {
    row: '7b',
    says: 'a pod that the user annotated',
    pod: pod({ annotations: { [S]: 'true', [P]: '9090' } }),
    want: 'skip already_annotated',
  },
  {
    row: '7b',
    says: 'a pod that the user annotated with the name of a port',
    pod: pod({ annotations: { [S]: 'true', [P]: 'metrics' } }),
    want: 'skip already_annotated',
    warns: true,
  },
  {
    row: '7b',
    says: 'scrape-slow with a port',
    pod: pod({ annotations: { [`${S}-slow`]: 'true', [P]: '9090' } }),
    want: 'skip already_annotated',
  },
  {
    row: '8',
    says: 'scrape without a port, one candidate',
    pod: pod({ annotations: { [S]: 'true' }, ports: [HTTP] }),
    want: 'annotation 8080 /metrics',
    adds: { [P]: '8080', [A]: '/metrics' },
  },
  {
    row: '8',
    says: 'scrape without a port, one candidate that a rule finds',
    pod: pod({ annotations: { [S]: 'true' }, ports: [{ name: 'actuator', containerPort: 8081 }] }),
    want: 'actuator-port 8081 /actuator/prometheus',
    adds: { [P]: '8081', [A]: '/actuator/prometheus' },
  },
  {
    row: '8',
    says: 'scrape-slow without a port, which gets no scrape',
    pod: pod({ annotations: { [`${S}-slow`]: 'true' } }),
    want: 'metrics-port 9090 /metrics',
    adds: { [P]: '9090', [A]: '/metrics' },
  },
  {
    row: '9',
    says: 'scrape without a port, several candidates',
    pod: pod({ annotations: { [S]: 'true' }, ports: [HTTP, METRICS] }),
    want: 'skip already_annotated',
    warns: true,
  },
  {
    row: '9',
    says: 'scrape without a port, no declared port',
    pod: pod({ annotations: { [S]: 'true' }, ports: [] }),
    want: 'skip already_annotated',
    warns: true,
  },
  {
    row: '10',
    says: 'a port that is a list',
    pod: pod({ annotations: { [P]: '9090,9091' } }),
    want: 'skip bad_port_annotation',
    warns: true,
  },
  {
    row: '10',
    says: 'a port that Istio reserves',
    pod: pod({ annotations: { [P]: '15090' } }),
    want: 'skip bad_port_annotation',
    warns: true,
  },
  {
    row: '10',
    says: 'a port with a leading zero',
    pod: pod({ annotations: { [P]: '09090' } }),
    want: 'skip bad_port_annotation',
    warns: true,
  },
  {
    row: '10',
    says: 'a port that is declared for UDP',
    pod: pod({ annotations: { [P]: '53' }, ports: [{ containerPort: 53, protocol: 'UDP' }] }),
    want: 'skip bad_port_annotation',
    warns: true,
  },
  {
    row: '11',
    says: 'a port without scrape',
    pod: pod({ annotations: { [P]: '8080' }, ports: [HTTP, METRICS] }),
    want: 'annotation 8080 /metrics',
    adds: { [S]: 'true', [A]: '/metrics' },
  },
  {
    row: '11',
    says: 'a port and a path without scrape',
    pod: pod({ annotations: { [P]: '8080', [A]: '/prom' }, ports: [HTTP] }),
    want: 'annotation 8080 /prom',
    adds: { [S]: 'true' },
  },
  {
    row: '11',
    says: 'a port that no container declares',
    pod: pod({ annotations: { [P]: '7000' } }),
    want: 'annotation 7000 /metrics',
    adds: { [S]: 'true', [A]: '/metrics' },
    warns: true,
  },
  {
    row: '11',
    says: "the user's own https",
    pod: pod({ annotations: { [P]: '9090', [C]: 'https' } }),
    want: 'metrics-port 9090 /metrics https',
    adds: { [S]: 'true', [A]: '/metrics' },
    warns: true,
  },
  {
    row: '12',
    says: 'a label with the name of an unknown rule',
    pod: pod({ labels: { 'autoscrape.io/rule': 'nope' } }),
    want: 'skip bad_rule_label',
    warns: true,
  },
  {
    row: '12',
    says: 'a label with the name of an exclude rule',
    pod: pod({ labels: { 'autoscrape.io/rule': 'metrics-off' } }),
    want: 'skip bad_rule_label',
    warns: true,
  },
  {
    row: '12',
    says: 'a label with an unknown port name',
    pod: pod({ labels: { 'autoscrape.io/port': 'nope' } }),
    want: 'skip bad_port_label',
    warns: true,
  },
  {
    row: '12',
    says: 'a label with a port that is out of range',
    pod: pod({ labels: { 'autoscrape.io/port': '70000' } }),
    want: 'skip bad_port_label',
    warns: true,
  },
  {
    row: '12',
    says: 'an empty label, which does not name the ports without a name',
    pod: pod({ labels: { 'autoscrape.io/port': '' }, ports: [{ containerPort: 8080 }, { containerPort: 9090 }] }),
    want: 'skip bad_port_label',
    warns: true,
  },
  {
    row: '13',
    says: 'a label with a port number',
    pod: pod({ labels: { 'autoscrape.io/port': '8080' }, ports: [METRICS, HTTP] }),
    want: 'label 8080 /metrics',
  },
  {
    row: '13',
    says: 'a label with a port name',
    pod: pod({ labels: { 'autoscrape.io/port': 'http' }, ports: [METRICS, HTTP] }),
    want: 'label 8080 /metrics',
  },
  {
    row: '13',
    says: 'a label with a port whose container sets a path',
    pod: pod({
      labels: { 'autoscrape.io/port': '8080' },
      ports: [HTTP],
      container: { args: ['--metrics-path=/internal'] },
    }),
    want: 'label 8080 /internal',
  },
  {
    row: '13',
    says: 'a label with a rule that takes its path from a probe, which the pod lacks',
    pod: pod({ labels: { 'autoscrape.io/rule': 'metrics-probe' }, ports: [HTTP] }),
    want: 'metrics-probe 8080 /metrics',
  },
  {
    row: '13',
    says: 'a label with a rule, in a pod with one port',
    pod: pod({ labels: { 'autoscrape.io/rule': 'spring-boot' }, ports: [HTTP] }),
    want: 'spring-boot 8080 /actuator/prometheus',
  },
  {
    row: '13',
    says: 'a label with a rule whose conditions find the port',
    pod: pod({ labels: { 'autoscrape.io/rule': 'metrics-port' }, ports: [HTTP, METRICS] }),
    want: 'metrics-port 9090 /metrics',
  },
  {
    row: '13',
    says: 'a label with a rule that names no port, in a pod with several',
    pod: pod({ labels: { 'autoscrape.io/rule': 'spring-boot' }, ports: [HTTP, METRICS] }),
    want: 'skip bad_rule_label',
    warns: true,
  },
  {
    row: '13',
    says: 'labels with a rule and a port',
    pod: pod({ labels: { 'autoscrape.io/rule': 'spring-boot', 'autoscrape.io/port': 'http' }, ports: [HTTP, METRICS] }),
    want: 'spring-boot 8080 /actuator/prometheus',
  },
  {
    row: '14',
    says: 'a port called metrics',
    pod: pod({ ports: [HTTP, METRICS] }),
    want: 'metrics-port 9090 /metrics',
  },
  {
    row: '14',
    says: 'a path argument with an unresolved variable, which is ignored',
    pod: pod({ container: { args: ['--web.telemetry-path=/$(PREFIX)/metrics'] } }),
    want: 'metrics-port 9090 /metrics',
  },
  {
    row: '14',
    says: 'a flag that is given twice, of which the last is used',
    pod: pod({ container: { args: ['--web.telemetry-path=/first', '--web.telemetry-path', '/last'] } }),
    want: 'metrics-port 9090 /last',
  },
  {
    row: '14',
    says: 'several ports that match one rule, of which the first declared is used',
    pod: pod({ ports: [{ name: 'prometheus', containerPort: 1234 }, METRICS] }),
    want: 'metrics-port 1234 /metrics',
    warns: true,
  },
  {
    row: '14',
    says: 'metrics only in a native sidecar',
    pod: pod({ ports: [HTTP], initContainers: [{ name: 'agent', restartPolicy: 'Always', ports: [METRICS] }] }),
    want: 'metrics-port 9090 /metrics',
    warns: true,
  },
  {
    row: '14',
    says: 'a regular container, before a native sidecar that an earlier rule matches',
    pod: pod({
      ports: [{ name: 'actuator', containerPort: 8081 }],
      initContainers: [{ name: 'agent', restartPolicy: 'Always', ports: [METRICS] }],
    }),
    want: 'actuator-port 8081 /actuator/prometheus',
  },
  {
    row: '14',
    says: 'metrics only in an init container that is not a sidecar',
    pod: pod({ ports: [HTTP], initContainers: [{ name: 'migrate', ports: [METRICS] }] }),
    want: 'skip no_candidate',
  },
  {
    row: '14',
    says: 'metrics only in the container of a mesh',
    pod: pod({
      containers: [
        { name: 'app', ports: [HTTP] },
        { name: 'linkerd-proxy', ports: [METRICS] },
      ],
    }),
    want: 'skip no_candidate',
  },
  {
    row: '15',
    says: 'https that is not switched on',
    pod: pod({ ports: [{ name: 'https-metrics', containerPort: 8443 }] }),
    want: 'skip https_endpoint',
  },
  {
    row: '15',
    says: 'https that is switched on',
    rules: HTTPS,
    pod: pod({ ports: [{ name: 'https-metrics', containerPort: 8443 }] }),
    want: 'https-metrics-port 8443 /metrics https',
    warns: true,
  },
  {
    row: '15',
    says: 'https in a mesh',
    rules: HTTPS,
    surroundings: { mesh: true },
    pod: pod({ ports: [{ name: 'https-metrics', containerPort: 8443 }] }),
    want: 'skip mesh_https',
  },
  {
    row: '15',
    says: 'https in a pod that opts out of the mesh',
    rules: HTTPS,
    surroundings: { mesh: true },
    pod: pod({
      labels: { 'sidecar.istio.io/inject': 'false' },
      ports: [{ name: 'https-metrics', containerPort: 8443 }],
    }),
    want: 'https-metrics-port 8443 /metrics https',
    warns: true,
  },
  {
    row: '15',
    says: 'https in a pod that opts in to the mesh',
    rules: HTTPS,
    pod: pod({
      labels: { 'sidecar.istio.io/inject': 'true' },
      ports: [{ name: 'https-metrics', containerPort: 8443 }],
    }),
    want: 'skip mesh_https',
  },
  {
    row: '15',
    says: 'https in a pod with a label for a revision of Istio',
    rules: HTTPS,
    pod: pod({ labels: { 'istio.io/rev': 'default' }, ports: [{ name: 'https-metrics', containerPort: 8443 }] }),
    want: 'skip mesh_https',
  },
  {
    row: '15',
    says: "the user's own https in a mesh",
    surroundings: { mesh: true },
    pod: pod({ annotations: { [P]: '9090', [C]: 'https' } }),
    want: 'skip mesh_https',
  },
  {
    row: '16',
    says: 'metrics switched off by an argument',
    pod: pod({ container: { args: ['--metrics-bind-address=0'] } }),
    want: 'skip switched_off',
  },
  {
    row: '16',
    says: 'metrics on loopback',
    pod: pod({ container: { args: ['--metrics-addr', '127.0.0.1:9090'] } }),
    want: 'skip unreachable',
  },
  ...['disabled', 'false'].flatMap((value): Row[] => [
    {
      row: '14',
      says: `a hint in a pod whose ask label is ${value}, where asking is on: nobody will ask`,
      rules: HINTS,
      surroundings: { ask: true },
      pod: pod({ ports: [HINT], labels: { 'autoscrape.io/ask': value } }),
      want: 'hint 7000 /metrics',
    },
  ]),
  {
    row: '14',
    says: 'a hint in a pod whose ask label means neither yes nor no, where asking is on',
    rules: HINTS,
    surroundings: { ask: true },
    pod: pod({ ports: [HINT], labels: { 'autoscrape.io/ask': 'on' } }),
    want: 'hint 7000 /metrics',
    warns: true,
  },
  {
    row: '14',
    says: 'a hint in a mesh, where asking is on: the injector writes its port at once',
    rules: HINTS,
    surroundings: { ask: true, mesh: true },
    pod: pod({ ports: [HINT] }),
    want: 'hint 7000 /metrics',
  },
  {
    row: '14',
    says: 'a hint at an https endpoint, where asking is on: only http is asked',
    rules: HINTS,
    surroundings: { ask: true },
    pod: pod({ ports: [{ ...HINT, name: 'tls-hint' }] }),
    want: 'tls-hint 7000 /metrics https',
    warns: true,
  },
  {
    row: '14',
    says: 'a rule that does not only hint, where asking is on',
    rules: HINTS,
    surroundings: { ask: true },
    pod: pod(),
    want: 'metrics-port 9090 /metrics',
  },
  {
    row: '14',
    says: 'a rule for a namespace, in a namespace that it matches',
    rules: HINTS,
    surroundings: { namespace: 'shop-staging' },
    pod: pod({ ports: [{ name: 'shop', containerPort: 7000 }] }),
    want: 'in-shop 7000 /metrics',
  },
  {
    row: '14',
    says: 'a rule with a namespace as its exception, in another one',
    rules: HINTS,
    surroundings: { namespace: 'shop' },
    pod: pod({ ports: [{ name: 'app', containerPort: 7000 }] }),
    want: 'not-in-test 7000 /metrics',
  },
  {
    row: '14a',
    says: 'a hint',
    rules: HINTS,
    surroundings: { ask: true },
    pod: pod({ ports: [HINT] }),
    want: 'skip to_be_asked',
  },
  {
    row: '14a',
    says: 'a hint in a pod whose ask label is enabled',
    rules: HINTS,
    surroundings: { ask: true },
    pod: pod({ ports: [HINT], labels: { 'autoscrape.io/ask': 'enabled' } }),
    want: 'skip to_be_asked',
  },
  {
    row: '13',
    says: 'a rule that only hints, where the user names it',
    rules: HINTS,
    surroundings: { ask: true },
    pod: pod({ ports: [HINT], labels: { 'autoscrape.io/rule': 'hint' } }),
    want: 'hint 7000 /metrics',
  },
  {
    row: '11',
    says: 'a port that the user names and a hint finds, where asking is on',
    rules: HINTS,
    surroundings: { ask: true },
    pod: pod({ ports: [HINT], annotations: { [P]: '7000' } }),
    want: 'hint 7000 /metrics',
  },
  {
    row: '17',
    says: 'a rule for a namespace, in a namespace whose name only begins like it',
    rules: HINTS,
    surroundings: { namespace: 'shopping' },
    pod: pod({ ports: [{ name: 'shop', containerPort: 7000 }] }),
    want: 'skip no_candidate',
  },
  {
    row: '17',
    says: 'a rule for a namespace, where the namespace is unknown',
    rules: HINTS,
    pod: pod({ ports: [{ name: 'shop', containerPort: 7000 }] }),
    want: 'skip no_candidate',
  },
  {
    row: '17',
    says: 'a rule with a namespace as its exception, in that namespace',
    rules: HINTS,
    surroundings: { namespace: 'test' },
    pod: pod({ ports: [{ name: 'app', containerPort: 7000 }] }),
    want: 'skip no_candidate',
  },
  {
    row: '17',
    says: 'a pod without a sign of metrics, and an ask label that means neither yes nor no',
    pod: pod({ ports: [HTTP], labels: { 'autoscrape.io/ask': 'on' } }),
    want: 'skip no_candidate',
    warns: true,
  },
  {
    row: '14',
    says: 'Actuator by its probe, with a setting that exposes the metrics, where asking is on: no question is left',
    surroundings: { ask: true },
    pod: pod({
      ports: [HTTP],
      container: {
        livenessProbe: { httpGet: { path: '/shop/actuator/health', port: 'http' } },
        env: [{ name: 'MANAGEMENT_ENDPOINTS_WEB_EXPOSURE_INCLUDE', value: 'health,prometheus' }],
      },
    }),
    want: 'spring-boot-probed 8080 /shop/actuator/prometheus',
  },
  ...Object.entries({
    'Actuator by its probe': { livenessProbe: { httpGet: { path: '/actuator/health', port: 'http' } } },
    'Actuator by its probe, with every endpoint exposed': {
      livenessProbe: { httpGet: { path: '/actuator/health', port: 'http' } },
      env: [{ name: 'MANAGEMENT_ENDPOINTS_WEB_EXPOSURE_INCLUDE', value: '*' }],
    },
    'Quarkus by its probe': { livenessProbe: { httpGet: { path: '/q/health/live', port: 'http' } } },
    'a port for actuator': { ports: [{ name: 'actuator', containerPort: 8080 }] },
    'metrics that are switched on, without a port': { args: ['--enable-metrics'] },
    'a directory of the Python client': { env: [{ name: 'PROMETHEUS_MULTIPROC_DIR', value: '/tmp' }] },
  }).map(([says, container]): Row => ({
    row: '14a',
    says,
    surroundings: { ask: true },
    pod: pod({ ports: [HTTP], container }),
    want: 'skip to_be_asked',
  })),
  ...Object.entries(KINDS).flatMap(([setting, want]): Row[] => {
    const [name, value] = setting.split('=');
    const container = { image: 'example/kinds:1', env: [{ name, value }] };
    return [
      {
        row: '16',
        says: `an image of the catalogue with ${setting}`,
        rules: NOES,
        pod: pod({ ports: [], container }),
        want,
      },
      {
        row: '16',
        says: `the same with ${setting}, where the port's name says metrics`,
        rules: NOES,
        pod: pod({ container }),
        want,
      },
      {
        row: '14',
        says: `the same with ${setting}, where a rule says what to scrape`,
        rules: NOES,
        pod: pod({ ports: [{ name: 'here', containerPort: 9090 }], container }),
        want: setting.includes('TLS') ? 'skip https_endpoint' : 'here 9090 /here',
      },
    ];
  }),
  {
    row: '16',
    says: 'an image of the catalogue with its metrics on loopback',
    rules: NOES,
    pod: pod({ ports: [], container: { image: 'example/kinds:1', args: ['--metrics-listen=[::1]:9090'] } }),
    want: 'skip unreachable',
  },
  {
    row: '16',
    says: 'an image of the catalogue without an address for its metrics',
    rules: NOES,
    pod: pod({ ports: [], container: { image: 'example/kinds:1', args: ['--metrics-listen=0'] } }),
    want: 'skip switched_off',
  },
  {
    row: '16',
    says: 'a pod whose metrics a rule knows to be elsewhere',
    rules: NOES,
    pod: pod({ container: { name: 'away' } }),
    want: 'skip served_elsewhere',
  },
  {
    row: '16',
    says: 'a pod that a rule excludes',
    rules: HINTS,
    pod: pod({ ports: [METRICS], container: { name: 'quiet' } }),
    want: 'skip switched_off',
  },
  {
    row: '14',
    says: 'a pod that a rule excludes unless it has such a port, and it has one beside others',
    rules: HINTS,
    pod: pod({ ports: [METRICS, { name: 'loud', containerPort: 7000 }], container: { name: 'quiet' } }),
    want: 'metrics-port 9090 /metrics',
  },
  { row: '17', says: 'a pod without a sign of metrics', pod: pod({ ports: [HTTP] }), want: 'skip no_candidate' },
  { row: '17', says: 'a pod without ports', pod: pod({ ports: [] }), want: 'skip no_candidate' },
];

for (const { row, says, pod, surroundings, rules = RULES, want, adds, warns = false } of ROWS) {
  test(`decide returns ${want} for ${says} (row ${row})`, () => {
    const decision = decide(pod, rules, surroundings);
    if (decision.outcome === 'skip') {
      assert.equal(`skip ${decision.reason}`, want);
    } else {
      const [{ port, path, scheme }] = decision.endpoints;
      assert.equal(`${decision.rule} ${port} ${path}${scheme === 'https' ? ' https' : ''}`, want);
      const { 'autoscrape.io/injected': marker, ...annotations } = decision.annotations;
      if (adds !== undefined) assert.deepEqual(annotations, adds);
      if (marker !== undefined) assert.deepEqual(JSON.parse(marker), { rule: decision.rule, added: annotations });
    }
    assert.equal(decision.warnings.length > 0, warns, decision.warnings.join('\n'));
  });
}

test('decide says which annotations rest on a hint, whether asking is on or not', () => {
  const confirms = (object: unknown, surroundings: Surroundings = {}) => {
    const decision = decide(object, HINTS, surroundings);
    assert.ok(decision.outcome === 'annotate');
    return decision.confirm;
  };
  assert.equal(confirms(pod({ ports: [HINT] })), true);
  assert.equal(confirms(pod({ ports: [HINT] }), { mesh: true }), false);
  assert.equal(confirms(pod({ ports: [HINT], labels: { 'autoscrape.io/ask': 'disabled' } })), false);
  assert.equal(confirms(pod({ ports: [HINT], labels: { 'autoscrape.io/rule': 'hint' } })), false);
  assert.equal(confirms(pod()), false);
  const asked = decide(pod({ ports: [HINT] }), HINTS, { ask: true });
  assert.deepEqual(asked, { outcome: 'skip', reason: 'to_be_asked', rule: 'hint', warnings: [] });
});

test('decide takes the namespace of the request, and else that of the pod', () => {
  const inNamespace = {
    ...(pod({ ports: [{ name: 'shop', containerPort: 7000 }] }) as object),
    metadata: { namespace: 'shop' },
  };
  assert.equal(decide(inNamespace, HINTS).rule, 'in-shop');
  assert.equal(decide(inNamespace, HINTS, { namespace: 'other' }).rule, undefined);
});

test('decide adds nothing where the annotations would come within 4 KiB of 256 KiB', () => {
  const sized = (bytes: number) =>
    decide(pod({ annotations: { note: 'é'.repeat((bytes - 'note'.length) / 2) } }), RULES);
  // 174 bytes are ours: three keys and values, the marker and its key.
  const decision = decide(pod(), RULES);
  assert.ok(decision.outcome === 'annotate');
  const ours = Object.entries(decision.annotations).reduce((sum, pair) => sum + Buffer.byteLength(pair.join('')), 0);
  const limit = 256 * 1024 - 4 * 1024;
  assert.equal(sized(limit - ours - (ours % 2)).outcome, 'annotate');
  const over = sized(limit - ours - (ours % 2) + 2);
  assert.ok(over.outcome === 'skip');
  assert.equal(over.reason, 'too_large');
});

test('a warning is one line of at most 256 characters for any pod', () => {
  const labels = { 'autoscrape.io/rule': `${'x'.repeat(300)}\n` };
  for (const candidate of [pod({ labels }), pod({ annotations: { [S]: ' TRUE\n' } })]) {
    const { warnings } = decide(candidate, RULES);
    assert.equal(warnings.length, 1);
    for (const warning of warnings) {
      assert.ok(warning.length <= 256);
      assert.ok(warning.split('').every((character) => character >= ' '));
    }
  }
});

import * as fc from 'fast-check';
import { decide } from '../../../src/core/decide.ts';
import type { Surroundings } from '../../../src/core/decide.ts';
import { isObject } from '../../../src/core/json.ts';
import { REASONS } from '../../../src/core/skip-reason.ts';
import type { Rules } from '../../../src/core/rules/parse.ts';
import { unusablePort } from '../../../src/core/warning.ts';
import { defaultRules } from '../../../src/rules/shipped.ts';
import { anyCharacter } from './any-character.ts';

// Pods for the promises that hold for every pod. Each shape aims at one row of the decision table, with noise around it.

const S = 'prometheus.io/scrape';
const P = 'prometheus.io/port';
const A = 'prometheus.io/path';

/** A pod as it is sent to the API server. */
export interface GeneratedPod {
  readonly apiVersion: 'v1';
  readonly kind: 'Pod';
  readonly metadata: { readonly [key: string]: unknown; readonly annotations?: Readonly<Record<string, string>> };
  readonly spec: { readonly [key: string]: unknown };
}

type Annotations = Record<string, string>;

const dnsLabel = fc.stringMatching(/^[a-z]([a-z0-9-]{0,12}[a-z0-9])?$/);
// At least one letter, no double dash: a port name that the API server accepts (IsValidPortName).
const portName = fc.constantFrom('http', 'web', 'grpc', 'admin', 'api', 'p2p', 'raft', 'health', 'x-y1');
const portNumber = fc.oneof(fc.integer({ min: 1, max: 65535 }), fc.constantFrom(80, 443, 8080, 9090, 15020, 15090));
const value = fc.oneof(fc.string({ maxLength: 40 }), fc.string({ unit: anyCharacter, maxLength: 20 }));
const metricsName = fc.constantFrom('metrics', 'http-metrics', 'prometheus', 'prom-http', 'app-metrics');

const noise: fc.Arbitrary<Annotations> = fc.dictionary(
  fc.oneof(
    dnsLabel,
    fc.tuple(dnsLabel, dnsLabel).map(([prefix, name]) => `${prefix}.example/${name}`),
    fc.constantFrom('constructor', 'toString', 'prometheus.io/param_format', 'linkerd.io/inject', 'a_b.c-d'),
  ),
  value,
  { maxKeys: 4 },
);

interface Words {
  readonly annotations?: Annotations;
  readonly labels?: Record<string, string>;
  readonly ports?: readonly object[];
  readonly args?: readonly string[];
  readonly image?: string;
  readonly container?: string;
  readonly probe?: string;
  readonly node?: string;
  readonly sidecar?: readonly object[];
  /** Further containers. */
  readonly others?: readonly object[];
}

const metricsPort = fc.record({ name: metricsName, containerPort: fc.integer({ min: 1024, max: 14999 }) });
const plainPort = fc.record({ name: portName, containerPort: fc.integer({ min: 16000, max: 65535 }) });
const udpPort = fc.record({
  name: fc.constant('udp-metrics'),
  containerPort: fc.constant(700),
  protocol: fc.constantFrom('UDP', 'SCTP'),
});
const ruleName = fc.constantFrom(
  ...defaultRules()
    .rules.filter(({ exclude }) => !exclude)
    .map(({ name }) => name),
);
const spelling = fc.constantFrom(
  'prometheus-io/scrape',
  'prometheus.io/scrape',
  'prometheus.io_scrape'.replace('_', '.'),
);

/** Containers that have metrics, with names of every length. */
const others = fc
  .uniqueArray(
    fc.record({
      name: fc.oneof(
        dnsLabel.filter((name) => name !== 'app' && name !== 'helper'),
        fc.integer({ min: 1, max: 63 }).map((length) => 'n'.repeat(length)),
        fc.integer({ min: 55, max: 59 }).map((length) => 'm'.repeat(length)),
      ),
      port: fc.oneof(metricsPort, fc.constant({ name: 'https-metrics', containerPort: 8443 })),
      args: fc.constantFrom([], ['--metrics-path=/a'], ['--metrics-path=/a,b'], [`--metrics-path=/${'p'.repeat(400)}`]),
    }),
    { minLength: 1, maxLength: 12, selector: ({ name }) => name },
  )
  .map((containers) =>
    containers.map(({ name, port, args }) => ({ name, image: 'registry.example/other:1', args, ports: [port] })),
  );
/** Numbered keys that somebody has written. */
const numbered = fc.dictionary(
  fc.constantFrom(
    'prometheus.io/port-2',
    'prometheus-io/path-3',
    'prometheus.io/scheme_4',
    `${P}-9`,
    'prometheus.istio.io/scrape-targets',
  ),
  fc.constantFrom('9100', '/metrics', 'x'),
  { maxKeys: 2 },
);

/** What somebody has written in other dialects. */
const otherDialects = fc.dictionary(
  fc.constantFrom(
    'k8s.grafana.com/scrape',
    'k8s.grafana.com/metrics.container',
    'k8s-grafana-com/metrics.portName',
    'ad.datadoghq.com/app.checks',
    'ad.datadoghq.com/app.logs',
    'ad.datadoghq.com/exclude',
    'service-discovery.datadoghq.com/app.check_names',
    'metrics.dynatrace.com/port',
    'metrics.dynatrace.com/filter',
    'io.opentelemetry.discovery.metrics/enabled',
    'io.opentelemetry.discovery.metrics.9464/scraper',
    'prometheus.io/param_format',
  ),
  fc.constantFrom('true', 'false', 'app', '[]', '{"mode":"include","names":[]}'),
  { minKeys: 1, maxKeys: 3 },
);
/** A pod whose author has written where its metrics are, and is right. */
const annotatedWell = metricsPort.map((port) => ({
  annotations: { [S]: 'true', [P]: String(port.containerPort), [A]: '/metrics' },
  ports: [port],
}));

/** One shape a row of the table, weighted alike, so that each row gets its share of the pods. */
const shapes: readonly fc.Arbitrary<Words>[] = [
  fc.record({
    annotations: fc.constant({ 'kubernetes.io/config.mirror': 'hash' }),
    ports: fc.tuple(metricsPort),
    node: fc.constant('node-1'),
  }),
  fc.record({
    labels: fc.record({ 'autoscrape.io/inject': fc.constantFrom('disabled', 'false', 'no', 'on', '') }),
    ports: fc.tuple(metricsPort),
  }),
  metricsPort.map((port) => {
    const added = { [S]: 'true', [P]: String(port.containerPort), [A]: '/metrics' };
    return {
      annotations: { ...added, 'autoscrape.io/injected': JSON.stringify({ rule: 'metrics-port', added }) },
      ports: [port],
    };
  }),
  fc.tuple(metricsPort, fc.constantFrom(S, P, A)).map(([port, key]) => {
    const added = { [S]: 'true', [P]: String(port.containerPort), [A]: '/metrics' };
    const marker = JSON.stringify({ rule: 'metrics-port', added });
    return { annotations: { [key]: added[key] ?? '', 'autoscrape.io/injected': marker }, ports: [port] };
  }),
  fc.record({
    annotations: fc
      .tuple(spelling, fc.constantFrom('false', 'True', 'yes', '1', '', '0'))
      .map(([key, text]) => ({ [key]: text })),
    ports: fc.tuple(metricsPort),
  }),
  fc.record({ annotations: fc.constant({ [P]: '8080', 'prometheus-io/port': '9090' }), ports: fc.tuple(metricsPort) }),
  fc.record({
    annotations: fc.constant({ [S]: 'true', [P]: '15020', [A]: '/stats/prometheus' }),
    ports: fc.tuple(metricsPort),
  }),
  fc.record({
    annotations: fc.record({
      [S]: fc.constant('true'),
      [P]: portNumber.map(String),
    }),
    ports: fc.tuple(metricsPort),
  }),
  fc.record({
    annotations: fc.record({ [S]: fc.constant('true'), [P]: fc.constantFrom('metrics', '8080,9090', ' 80') }),
    ports: fc.tuple(metricsPort),
  }),
  fc.record({ annotations: fc.constantFrom({ [S]: 'true' }, { [`${S}-slow`]: 'true' }), ports: fc.tuple(plainPort) }),
  fc.record({
    annotations: fc.constant({ [S]: 'true' }),
    ports: fc.oneof(fc.constant([]), fc.tuple(metricsPort, plainPort)),
  }),
  fc.record({
    annotations: fc.record({ [P]: fc.constantFrom('metrics', '0', '65536', '9090x', '15090', '-1', '1e3', '') }),
    ports: fc.tuple(metricsPort),
  }),
  fc.record({
    annotations: fc.record({ [P]: fc.integer({ min: 1, max: 14999 }).map(String) }),
    ports: fc.tuple(metricsPort, plainPort),
  }),
  fc.record({ annotations: fc.record({ [A]: fc.constantFrom('/a', '/b c', '') }), ports: fc.tuple(metricsPort) }),
  fc.record({ labels: fc.constant({ 'autoscrape.io/rule': 'no-such-rule' }), ports: fc.tuple(metricsPort) }),
  fc.record({
    labels: fc.record({ 'autoscrape.io/port': fc.constantFrom('nope', '0', '99999', '15001') }),
    ports: fc.tuple(metricsPort),
  }),
  fc.record({
    labels: fc.record({ 'autoscrape.io/port': fc.integer({ min: 1, max: 14999 }).map(String) }),
    ports: fc.tuple(plainPort),
  }),
  fc.record({ labels: fc.record({ 'autoscrape.io/rule': ruleName }), ports: fc.tuple(plainPort) }),
  fc.record({
    labels: fc.record({ 'autoscrape.io/rule': ruleName }),
    ports: fc.uniqueArray(plainPort, { minLength: 2, maxLength: 2, selector: ({ name }) => name }),
  }),
  fc.record({ ports: fc.tuple(plainPort, metricsPort) }),
  fc.record({ ports: fc.tuple(metricsPort), others }),
  fc.record({ ports: fc.tuple(metricsPort), others, annotations: otherDialects }),
  annotatedWell,
  fc.record({ ports: fc.tuple(metricsPort), others, annotations: numbered, sidecar: fc.tuple(metricsPort) }),
  fc.record({
    ports: fc.tuple(metricsPort),
    others,
    annotations: fc.integer({ min: 250_000, max: 258_000 }).map((size) => ({ note: 'x'.repeat(size) })),
  }),
  fc.record({ ports: fc.tuple(plainPort), sidecar: fc.tuple(metricsPort) }),
  fc.record({ ports: fc.tuple(plainPort), probe: fc.constantFrom('/actuator/health', '/metrics', '/q/health/live') }),
  fc.record({
    ports: fc.tuple(fc.record({ name: fc.constant('http'), containerPort: fc.constant(3000) })),
    image: fc.constantFrom('grafana/grafana:12', 'docker.io/grafana/grafana'),
  }),
  fc.record({ ports: fc.tuple(fc.record({ name: fc.constant('https-metrics'), containerPort: fc.constant(8443) })) }),
  fc.record({
    ports: fc.tuple(metricsPort),
    args: fc.constantFrom(['--metrics-bind-address=0'], ['--metrics-addr', '127.0.0.1:8080']),
  }),
  fc.record({
    image: fc.constant('openpolicyagent/opa:1'),
    args: fc.constantFrom(['run', '--authorization=basic']),
  }),
  fc.record({
    image: fc.constant('openpolicyagent/gatekeeper:v3'),
    args: fc.constant(['--metrics-backend', 'opentelemetry']),
  }),
  fc.record({
    ports: fc.oneof(fc.constant([]), fc.tuple(plainPort), fc.tuple(udpPort)),
    args: fc.array(
      value.filter((text) => !text.includes('metrics')),
      { maxLength: 3 },
    ),
  }),
  fc.record({
    ports: fc.tuple(metricsPort),
    annotations: fc.integer({ min: 258_100, max: 261_500 }).map((size) => ({ note: 'x'.repeat(size) })),
  }),
];

function assemble(
  { annotations, labels, ports = [], args, image, container, probe, node, sidecar, others = [] }: Words,
  around: Annotations,
): GeneratedPod {
  const all = { ...around, ...annotations };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      generateName: 'generated-',
      ...(labels && { labels }),
      ...(Object.keys(all).length > 0 && { annotations: all }),
    },
    spec: {
      ...(node !== undefined && { nodeName: node }),
      ...(sidecar && {
        initContainers: [
          { name: 'helper', image: 'registry.example/helper:1', restartPolicy: 'Always', ports: sidecar },
        ],
      }),
      containers: [
        {
          name: container ?? 'app',
          image: image ?? 'registry.example/app:1',
          ...(ports.length > 0 && { ports }),
          ...(args && { args }),
          ...(probe !== undefined && {
            livenessProbe: { httpGet: { path: probe, port: (ports[0] as { containerPort: number }).containerPort } },
          }),
        },
        ...others,
      ],
    },
  };
}

/** Pods that an API server accepts, reaching every row of the decision table that such pods can reach. */
export const validPods: fc.Arbitrary<GeneratedPod> = fc
  .tuple(fc.oneof(...shapes), noise)
  .map(([words, around]) => assemble(words, around));

const junk = fc.oneof(
  fc.jsonValue(),
  fc.constantFrom(null, true, 0, -1, 65536, '80', [], {}, [null], [[]], { toString: 1 }, '\uD800', '\u0000'),
);
const hostileKey = fc.oneof(
  fc.constantFrom(
    '__proto__',
    'constructor',
    'prototype',
    'toString',
    'a/b',
    'a~b',
    '~1',
    '',
    S,
    P,
    A,
    'prometheus.io/scheme',
    'prometheus-io/port',
    'autoscrape.io/injected',
  ),
  fc.string({ unit: anyCharacter, maxLength: 8 }),
);

/** An object with the keys as own properties, `__proto__` too, as `JSON.parse` makes them. */
function ownObject(entries: readonly (readonly [string, unknown])[]): unknown {
  return JSON.parse(
    `{${entries.map(([key, text]) => `${JSON.stringify(key)}:${JSON.stringify(text) ?? 'null'}`).join(',')}}`,
  );
}

const hostileMap = fc
  .array(
    fc.tuple(hostileKey, fc.oneof({ weight: 4, arbitrary: fc.string({ unit: anyCharacter, maxLength: 12 }) }, junk)),
    {
      maxLength: 6,
    },
  )
  .map(ownObject);
const hostilePorts = fc.array(
  fc.oneof(
    junk,
    fc.record(
      {
        name: fc.oneof(metricsName, junk),
        containerPort: fc.oneof(portNumber, junk),
        protocol: fc.oneof(fc.constant('TCP'), junk),
      },
      { requiredKeys: [] },
    ),
  ),
  { maxLength: 4 },
);
const hostileContainer = fc.record(
  {
    name: fc.oneof(fc.constantFrom('app', '__proto__', 'kube-rbac-proxy'), junk),
    image: fc.oneof(fc.constantFrom('grafana/grafana', ':', '@', '///', 'a@b:c/d'), junk),
    ports: fc.oneof(hostilePorts, junk),
    args: fc.oneof(fc.array(fc.oneof(fc.string(), junk)), junk),
    command: junk,
    env: fc.oneof(fc.array(fc.oneof(junk, fc.record({ name: junk, value: junk }))), junk),
    livenessProbe: fc.oneof(junk, fc.record({ httpGet: fc.oneof(junk, fc.record({ port: junk, path: junk })) })),
    restartPolicy: fc.oneof(fc.constant('Always'), junk),
  },
  { requiredKeys: [] },
);

/** JSON values that look more or less like pods: whatever could be sent before anybody has validated it. */
export const hostilePods: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 1, arbitrary: junk },
  {
    weight: 8,
    arbitrary: fc.record(
      {
        metadata: fc.oneof(
          {
            weight: 8,
            arbitrary: fc.record(
              {
                labels: fc.oneof(hostileMap, junk),
                annotations: fc.oneof({ weight: 4, arbitrary: hostileMap }, junk),
                name: junk,
              },
              { requiredKeys: [] },
            ),
          },
          junk,
        ),
        spec: fc.oneof(
          {
            weight: 8,
            arbitrary: fc.record(
              {
                containers: fc.oneof({ weight: 8, arbitrary: fc.array(hostileContainer, { maxLength: 3 }) }, junk),
                initContainers: fc.oneof(fc.array(hostileContainer), junk),
              },
              { requiredKeys: [] },
            ),
          },
          junk,
        ),
      },
      { requiredKeys: [] },
    ),
  },
);

/** The rows that share a reason, or that annotate, each by a name of its own: a row that no pod is in must show. */
const TOLD_APART = {
  already_annotated: ['at a port', 'at no usable port', 'without a port'],
  bad_rule_label: ['no rule', 'no port'],
  annotate: ['the missing port', 'at the stated port', 'by the label of a port', 'by the label of a rule', 'by a rule'],
} as const;

/** The rows of the decision table that a valid pod can be in, as {@link rowOf} names them. */
export const ROWS: readonly string[] = [
  // What can't be read doesn't pass the API server's decoder, and what is too complex is for
  // test/unit/core/limits.test.ts: it takes megabytes, and nothing is written into it. Without
  // asking, nothing is left to be asked.
  ...Object.keys(REASONS).filter(
    (reason) => !['unreadable', 'too_complex', 'to_be_asked'].includes(reason) && !Object.hasOwn(TOLD_APART, reason),
  ),
  ...Object.entries(TOLD_APART).flatMap(([outcome, rows]) => rows.map((row) => `${outcome}: ${row}`)),
];

/** Returns the row of the decision table that an object falls into: the reason or `annotate`, and what led there. */
export function rowOf(object: unknown, rules: Rules, surroundings: Surroundings = {}): string {
  const decision = decide(object, rules, surroundings);
  if (decision.outcome === 'annotate') {
    const added = Object.keys(decision.annotations);
    if (!added.includes(P)) return named('annotate', 'at the stated port');
    if (!added.includes(S)) return named('annotate', 'the missing port');
    const labels = labelsOf(object);
    if (labels.includes('autoscrape.io/rule')) return named('annotate', 'by the label of a rule');
    return named('annotate', labels.includes('autoscrape.io/port') ? 'by the label of a port' : 'by a rule');
  }
  const { reason, warnings } = decision;
  if (reason === 'already_annotated') {
    if (warnings.some((text) => /(?:without|and) \S+\/port/.test(text))) return named(reason, 'without a port');
    return named(reason, warnings.includes(unusablePort(P)) ? 'at no usable port' : 'at a port');
  }
  if (reason === 'bad_rule_label')
    return named(reason, warnings.some((text) => text.includes('names an unknown rule')) ? 'no rule' : 'no port');
  return reason;
}

function named<Outcome extends keyof typeof TOLD_APART>(
  outcome: Outcome,
  row: (typeof TOLD_APART)[Outcome][number],
): string {
  return `${outcome}: ${row}`;
}

function labelsOf(object: unknown): readonly string[] {
  const metadata = isObject(object) ? object['metadata'] : undefined;
  const labels = isObject(metadata) ? metadata['labels'] : undefined;
  return isObject(labels) ? Object.keys(labels) : [];
}

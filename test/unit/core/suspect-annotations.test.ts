import assert from 'node:assert/strict';
import test from 'node:test';
import * as fc from 'fast-check';
import { misspeltAnnotations } from '../../../src/core/misspelt-annotations.ts';
import { DEFAULT_KEYS } from '../../../src/core/annotations/scrape-keys.ts';
import { readPod } from '../../../src/core/pod/pod.ts';
import { SUSPECTS, suspectAnnotations } from '../../../src/core/suspect-annotations.ts';
import type { Suspect } from '../../../src/core/suspect-annotations.ts';
import { defaultRules } from '../../../src/rules/shipped.ts';

const rules = defaultRules();
const http = { name: 'http', containerPort: 8080 };
const metrics = { name: 'metrics', containerPort: 9114 };
const app = { name: 'app', image: 'registry.example/app:1' };

function suspects(annotations: Readonly<Record<string, string>>, ...containers: readonly object[]): readonly Suspect[] {
  const pod = readPod({
    metadata: { annotations: { 'prometheus.io/scrape': 'true', ...annotations } },
    spec: { containers },
  });
  assert.ok(pod !== undefined);
  return suspectAnnotations(pod, rules);
}

const P = 'prometheus.io/port';

for (const [what, annotations, container, want] of [
  [
    "a Service's port in place of the container's",
    { [P]: '80' },
    { ...app, ports: [{ name: 'proxy', containerPort: 8000 }] },
    ['undeclared_port', /no container declares port 80: declared is 8000$/],
  ],
  [
    'a port beside the one that a rule finds',
    { [P]: '8080' },
    { ...app, args: ['--web.listen-address=:9114'], ports: [metrics] },
    ['undeclared_port', /no container declares port 8080; rule metrics-port finds port 9114$/],
  ],
  [
    'a declared port beside the one that a rule finds',
    { [P]: '8080' },
    { ...app, ports: [http, metrics] },
    ['other_port', /prometheus\.io\/port is 8080; rule metrics-port finds port 9114$/],
  ],
  [
    'the path of another framework',
    { [P]: '8080', 'prometheus.io/path': '/metrics' },
    { ...app, ports: [http], livenessProbe: { httpGet: { path: '/q/health/live', port: 8080 } } },
    ['other_path', /rule quarkus hints at port 8080 at \/q\/metrics, and prometheus\.io\/path is another path$/],
  ],
  [
    'no path where a rule knows one',
    { [P]: '8080' },
    { ...app, ports: [http], livenessProbe: { httpGet: { path: '/q/health/live', port: 8080 } } },
    ['other_path', /at \/q\/metrics, and prometheus\.io\/path is missing$/],
  ],
  [
    'a query in the path',
    { [P]: '8500', 'prometheus.io/path': '/v1/agent/metrics?format=prometheus' },
    { ...app, ports: [{ name: 'http', containerPort: 8500 }] },
    ['query_in_path', /prometheus\.io\/param_format: "prometheus"$/],
  ],
  [
    'a scheme that is none',
    { [P]: '8080', 'prometheus.io/scheme': 'grpc' },
    { ...app, ports: [http] },
    ['bad_scheme', /prometheus\.io\/scheme must be http or https$/],
  ],
  [
    'no scheme where a rule finds https',
    { [P]: '8443' },
    { ...app, ports: [{ name: 'https-metrics', containerPort: 8443 }] },
    ['other_scheme', /finds https at port 8443, and prometheus\.io\/scheme is not https$/],
  ],
  [
    "a port's name in place of its number",
    { [P]: 'http-metrics' },
    {
      ...app,
      ports: [
        { name: 'http-metrics', containerPort: 3100 },
        { name: 'grpc', containerPort: 9095 },
      ],
    },
    ['port_name', /the port called http-metrics is "3100"$/],
  ],
  ['a list of ports', { [P]: '9100,9101' }, { ...app, ports: [metrics] }, ['several_ports', /PodMonitor/]],
  ['a port that Istio reserves', { [P]: '15090' }, { ...app, ports: [http] }, ['bad_port', /not a TCP port/]],
  [
    'no port beside several',
    {},
    { ...app, ports: [http, metrics] },
    ['no_port', /set it to "9114", which rule metrics-port/],
  ],
  ['no port and none declared', {}, app, ['no_port', /declares no TCP port/]],
] as const) {
  test(`annotations written by hand: ${what}`, () => {
    const [first, ...more] = suspects(annotations, container);
    assert.equal(first?.kind, want[0]);
    assert.match(first.warning, want[1]);
    assert.deepEqual(more, []);
  });
}

test('annotations that nothing speaks against are not suspect', () => {
  for (const [annotations, container] of [
    [{ [P]: '9114' }, { ...app, ports: [metrics] }],
    [
      { [P]: '9114', 'prometheus.io/path': '/mine' },
      { ...app, ports: [metrics] },
    ],
    [{ [P]: '8080' }, { ...app, ports: [http] }],
    [{ [P]: '8080' }, app],
    [{}, { ...app, ports: [http] }],
    [
      { [P]: '1', 'prometheus.io/scrape': 'false' },
      { ...app, ports: [metrics] },
    ],
  ] as const)
    assert.deepEqual(suspects({ ...annotations }, container), [], JSON.stringify(annotations));
});

test('whatever the annotations hold, a warning is one line of at most 256 characters, without control characters', () => {
  const value = fc.oneof(fc.string({ maxLength: 300 }), fc.constantFrom('80', 'http', '80,81', '/a?b=c\nd', 'https'));
  const port = fc.record({ containerPort: fc.integer({ min: 1, max: 70_000 }), name: fc.string({ maxLength: 400 }) });
  fc.assert(
    fc.property(fc.array(value, { minLength: 3, maxLength: 3 }), fc.array(port, { maxLength: 3 }), (values, ports) => {
      const [number = '', path = '', scheme = ''] = values;
      for (const { kind, warning } of suspects(
        { [P]: number, 'prometheus.io/path': path, 'prometheus.io/scheme': scheme },
        { ...app, ports },
      )) {
        assert.ok(SUSPECTS.includes(kind));
        // oxlint-disable-next-line no-control-regex -- that is what must not be in it
        assert.ok(warning.length <= 256 && !/[\u0000-\u001F\u007F]/.test(warning), JSON.stringify(warning));
      }
    }),
  );
});

test('a key that nobody reads has the key that was probably meant', () => {
  for (const [written, meant] of [
    ['prometheus.io/scrap', 'prometheus.io/scrape'],
    ['prometheus/scrape', 'prometheus.io/scrape'],
    ['prometheus.com/port', 'prometheus.io/port'],
    ['promethues.io/port', 'prometheus.io/port'],
    ['prometheus.io/metrics-port', 'prometheus.io/port'],
    ['prometheus.io/scrape_path', 'prometheus.io/path'],
    ['autoscrape.io/prot', 'autoscrape.io/port'],
    ['autoscrape/inject', 'autoscrape.io/inject'],
  ] as const) {
    const [found] = misspeltAnnotations({ labels: new Map(), annotations: new Map([[written, 'x']]) }, DEFAULT_KEYS);
    assert.equal(found, `The annotation ${written} is read by nobody, did you mean "${meant}"?`);
  }
});

test("keys that are spelt right, or are another tool's, are none of it", () => {
  const annotations = [
    ...Object.values(DEFAULT_KEYS),
    'prometheus.io/scrape-slow',
    'prometheus-io/scrape',
    'prometheus.io/param_format',
    'prometheus.io/interval',
    'prometheus.io/port_1',
    'prometheus.io/probe',
    'prometheus.istio.io/merge-metrics',
    'k8s.grafana.com/scrape',
    'metrics.example.com/port',
    'autoscrape.io/injected',
    'checksum/config',
    'port',
    'x'.repeat(10_000),
  ];
  const labels = ['autoscrape.io/inject', 'autoscrape.io/port', 'app.kubernetes.io/part-of', 'app', 'path'];
  assert.deepEqual(
    misspeltAnnotations(
      { labels: new Map(labels.map((key) => [key, ''])), annotations: new Map(annotations.map((key) => [key, ''])) },
      DEFAULT_KEYS,
    ),
    [],
  );
});

test('a label among the annotations is named, and so is an annotation among the labels', () => {
  assert.deepEqual(
    misspeltAnnotations(
      {
        labels: new Map([['prometheus.io/scrape', 'true']]),
        annotations: new Map([['autoscrape.io/port', '9464']]),
      },
      DEFAULT_KEYS,
    ),
    [
      'autoscrape.io/port is an annotation here, and is read as a label only.',
      'prometheus.io/scrape is a label here, and is read as an annotation only.',
    ],
  );
});

import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { MARKER_KEY, readMarker } from '../../../src/core/annotations/marker.ts';
import { decide, decideByAnswer } from '../../../src/core/decide.ts';
import type { Surroundings } from '../../../src/core/decide.ts';
import { explain } from '../../../src/core/explain.ts';
import { MAX_ADDITIONAL_PATH, MAX_MARKER } from '../../../src/core/limits.ts';
import type { Rules } from '../../../src/core/rules/parse.ts';
import { longestRules } from './longest-marker.ts';
import { rulesOf } from './rules/rules-of.ts';

const NAMES = ['grafana', 'datadog', 'dynatrace', 'opentelemetry'] as const;
const only = Object.fromEntries(NAMES.map((name) => [name, rulesOf(`dialects: [${name}]`)]));
const ALL = rulesOf(`{ endpoints: all, https: true, dialects: [${NAMES.join(', ')}] }`);

type Annotations = Readonly<Record<string, string>>;

const metrics = (containerPort: number, name = 'metrics') => ({ name, containerPort });
const container = (name: string, ...ports: readonly object[]) => ({ name, image: 'registry.example/app:1', ports });

interface PodWords {
  readonly annotations?: Annotations;
  readonly initContainers?: readonly object[];
}

function podOf(containers: readonly object[], { annotations = {}, initContainers }: PodWords = {}): object {
  return { metadata: { annotations }, spec: { containers, ...(initContainers !== undefined && { initContainers }) } };
}

/** Returns what is added besides prometheus.io/* and the marker, which lists all of it. */
function others(pod: object, rules: Rules, around: Surroundings = {}): Annotations {
  const decision = decide(pod, rules, around);
  if (decision.outcome === 'skip') return {};
  const { [MARKER_KEY]: marker, ...added } = decision.annotations;
  assert.deepEqual(readMarker(marker), { rule: decision.rule, added });
  return Object.fromEntries(Object.entries(added).filter(([key]) => !key.startsWith('prometheus.io/')));
}

function notes(pod: object, rules: Rules, around: Surroundings = {}): readonly string[] {
  return explain(pod, rules, around).notes;
}

const ONE = podOf([container('shop', metrics(9464))]);
const TWO = podOf([container('shop', metrics(9464)), container('worker', metrics(9121, 'http-metrics'))]);
const TLS = podOf([container('shop', metrics(8443, 'https-metrics'))]);
const G = 'k8s.grafana.com/';
const D = 'metrics.dynatrace.com/';
const O = 'io.opentelemetry.discovery.metrics';

function checks(...urls: readonly string[]): string {
  const instances = urls.map((url) => `{"openmetrics_endpoint":"${url}","namespace":"","metrics":[".*"]}`);
  return `{"openmetrics":{"init_config":{},"instances":[${instances.join(',')}]}}`;
}

const GRAFANA = {
  [`${G}scrape`]: 'true',
  [`${G}metrics.portNumber`]: '9464',
  [`${G}metrics.path`]: '/metrics',
  [`${G}metrics.container`]: 'shop',
};
const DATADOG = { 'ad.datadoghq.com/shop.checks': checks('http://%%host%%:9464/metrics') };
const DYNATRACE = { [`${D}scrape`]: 'true', [`${D}port`]: '9464', [`${D}path`]: '/metrics' };
const OPENTELEMETRY = {
  [`${O}.9464/enabled`]: 'true',
  [`${O}.9464/scraper`]: 'prometheus_simple',
  [`${O}.9464/config`]: '{"metrics_path":"/metrics"}',
};
const EACH = { grafana: GRAFANA, datadog: DATADOG, dynatrace: DYNATRACE, opentelemetry: OPENTELEMETRY };

suite('an endpoint is written in the dialects of the rules', () => {
  for (const name of NAMES) {
    test(`${name} alone`, () => {
      const rules = only[name];
      assert.ok(rules !== undefined);
      assert.deepEqual(others(ONE, rules), EACH[name]);
    });
  }

  test('none by default, and each once where it is named twice', () => {
    assert.deepEqual(others(ONE, rulesOf('')), {});
    assert.deepEqual(others(ONE, rulesOf('dialects: [dynatrace, dynatrace]')), DYNATRACE);
  });

  test('https', () => {
    assert.deepEqual(others(TLS, ALL), {
      ...GRAFANA,
      [`${G}metrics.portNumber`]: '8443',
      [`${G}metrics.scheme`]: 'https',
      'ad.datadoghq.com/shop.checks': checks('https://%%host%%:8443/metrics'),
      ...DYNATRACE,
      [`${D}port`]: '8443',
      [`${D}secure`]: 'true',
      [`${O}.8443/enabled`]: 'true',
      [`${O}.8443/scraper`]: 'prometheus_simple',
      [`${O}.8443/config`]: '{"metrics_path":"/metrics","tls":{"insecure":false}}',
    });
  });

  test('several in those that can: Datadog by container, OpenTelemetry by port; the others say the first', () => {
    assert.deepEqual(others(TWO, ALL), {
      ...GRAFANA,
      ...DATADOG,
      'ad.datadoghq.com/worker.checks': checks('http://%%host%%:9121/metrics'),
      ...DYNATRACE,
      ...OPENTELEMETRY,
      [`${O}.9121/enabled`]: 'true',
      [`${O}.9121/scraper`]: 'prometheus_simple',
      [`${O}.9121/config`]: '{"metrics_path":"/metrics"}',
    });
    const first = notes(TWO, ALL).filter((note) => note.includes('reads one endpoint'));
    assert.equal(first.length, 2);
    const inOne = podOf([container('shop', metrics(9464), metrics(9465, 'http-metrics'))]);
    assert.equal(
      others(inOne, ALL)['ad.datadoghq.com/shop.checks'],
      checks('http://%%host%%:9464/metrics', 'http://%%host%%:9465/metrics'),
    );
  });

  test('only those endpoints that the rules annotate', () => {
    assert.deepEqual(others(TWO, rulesOf(`dialects: [${NAMES.join(', ')}]`)), {
      ...GRAFANA,
      ...DATADOG,
      ...DYNATRACE,
      ...OPENTELEMETRY,
    });
  });

  test('alike on a pod that exists already, and after an answer', () => {
    assert.deepEqual(others(ONE, ALL, { live: true }), others(ONE, ALL));
    const decision = decide(ONE, ALL);
    assert.ok(decision.outcome === 'annotate');
    assert.deepEqual(decideByAnswer(ONE, ALL, { live: true }, decision.endpoints[0]), decision);
  });
});

suite('the container', () => {
  test('Datadog has no key of more than 63 characters behind the "/", and a note says so', () => {
    for (let length = 1; length <= 63; length += 1) {
      const name = 'n'.repeat(length);
      const pod = podOf([container(name, metrics(9464))]);
      const key = `ad.datadoghq.com/${name}.checks`;
      assert.equal(Object.hasOwn(others(pod, ALL), key), length <= 56, name);
      assert.equal(
        notes(pod, ALL).some((note) => note.includes(key)),
        length > 56,
        name,
      );
    }
  });

  test('a native sidecar has a key of Datadog; Grafana drops its targets, and takes another container at the same address', () => {
    const sidecar = { ...container('helper', metrics(9464)), restartPolicy: 'Always' };
    const pod = podOf([container('shop')], { initContainers: [sidecar] });
    const added = others(pod, ALL);
    assert.equal(added[`${G}metrics.container`], 'shop');
    assert.equal(added['ad.datadoghq.com/helper.checks'], checks('http://%%host%%:9464/metrics'));
    assert.equal(added[`${O}.9464/enabled`], undefined);
    assert.ok(notes(pod, ALL).some((note) => note.includes('finds no port 9464')));
  });

  test('a port that no container declares is carried by the first one', () => {
    const pod = podOf([container('shop'), container('other')], { annotations: { 'prometheus.io/port': '7000' } });
    const added = others(pod, ALL);
    assert.equal(added[`${G}metrics.container`], 'shop');
    assert.equal(added['ad.datadoghq.com/shop.checks'], checks('http://%%host%%:7000/metrics'));
    assert.equal(added[`${D}port`], '7000');
  });

  test('OpenTelemetry would scrape a port as often as it is declared, so that one declared twice is left out', () => {
    const udp = { name: 'udp-metrics', containerPort: 9464, protocol: 'UDP' };
    for (const pod of [
      podOf([container('shop', metrics(9464), udp)]),
      podOf([container('shop', metrics(9464)), container('other', metrics(9464, 'x'))]),
    ]) {
      assert.ok(!Object.keys(others(pod, ALL)).some((key) => key.startsWith(O)));
      assert.ok(notes(pod, ALL).some((note) => note.includes('2 times')));
    }
  });
});

/** Words of an author, and the dialects in which nothing is added then. */
const STATEMENTS: readonly (readonly [annotations: Annotations, silent: readonly (keyof typeof EACH)[]])[] = [
  [{ [`${G}scrape`]: 'false' }, ['grafana']],
  [{ [`${G}scrape`]: 'true' }, ['grafana']],
  [{ 'k8s-grafana-com/metrics_portName': 'http' }, ['grafana']],
  [{ [`${G}metrics.path`]: '/a' }, ['grafana']],
  [{ [`${G}metrics.scrapeInterval`]: '5m', [`${G}job`]: 'x' }, []],
  [{ 'ad.datadoghq.com/shop.checks': '{}' }, ['datadog']],
  [{ 'ad.datadoghq.com/other.check_names': '["redisdb"]' }, ['datadog']],
  [{ 'ad.datadoghq.com/shop.instances': '[]' }, ['datadog']],
  [{ 'ad.datadoghq.com/shop.check.id': 'x' }, ['datadog']],
  [{ 'ad.datadoghq.com/exclude': 'true' }, ['datadog']],
  [{ 'ad.datadoghq.com/shop.metrics_exclude': 'true' }, ['datadog']],
  [{ 'service-discovery.datadoghq.com/shop.logs': '[]' }, ['datadog']],
  [{ 'ad.datadoghq.com/shop.logs': '[]', 'ad.datadoghq.com/tags': '{}' }, []],
  [{ [`${D}scrape`]: 'false' }, ['dynatrace']],
  [{ [`${D}port`]: '80' }, ['dynatrace']],
  [{ [`${D}filter`]: '{}', [`${D}http.auth`]: 'x' }, []],
  [{ [`${O}/enabled`]: 'false' }, ['opentelemetry']],
  [{ [`${O}.6379/scraper`]: 'redis' }, ['opentelemetry']],
  [{ 'io.opentelemetry.discovery.logs/enabled': 'true' }, []],
];

suite("where the pod says itself what a consumer scrapes, nothing is added in that consumer's dialect", () => {
  for (const [annotations, silent] of STATEMENTS) {
    test(JSON.stringify(annotations), () => {
      const pod = podOf([container('shop', metrics(9464))], { annotations });
      const want = Object.assign({}, ...NAMES.filter((name) => !silent.includes(name)).map((name) => EACH[name]));
      assert.deepEqual(others(pod, ALL), want);
      const silenced = notes(pod, ALL).filter((note) => note.includes('says itself what'));
      assert.equal(silenced.length, silent.length);
      for (const note of silenced) assert.ok(Object.keys(annotations).some((key) => note.includes(`with ${key},`)));
    });
  }

  test("Grafana's container is the author's, in any spelling, and the rest is added", () => {
    for (const key of [`${G}metrics.container`, 'k8s.grafana.com/metrics-container']) {
      const pod = podOf([container('shop', metrics(9464))], { annotations: { [key]: 'other' } });
      const { [`${G}metrics.container`]: _, ...rest } = GRAFANA;
      assert.deepEqual(others(pod, ALL), { ...rest, ...DATADOG, ...DYNATRACE, ...OPENTELEMETRY });
    }
  });
});

suite('nothing is written in other dialects', () => {
  const rows: readonly (readonly [why: string, pod: object, note: RegExp, around?: Surroundings])[] = [
    ['in an Istio mesh', ONE, /Istio's proxy/, { mesh: true }],
    [
      'where the author wants slow scrapes',
      podOf([container('shop', metrics(9464))], { annotations: { 'prometheus.io/scrape-slow': 'true' } }),
      /slow scrapes/,
    ],
    [
      'where the author gives parameters of the scrape',
      podOf([container('shop', metrics(9464))], { annotations: { 'prometheus.io/param_format': 'x' } }),
      /parameters/,
    ],
    ...[
      '/a?b=c',
      '/%%host%%',
      '/`endpoint`',
      '/a"b',
      '/a b',
      `/${'a'.repeat(MAX_ADDITIONAL_PATH)}`,
      '/${env:X}',
      '/é',
    ].map(
      (path) =>
        [
          `of a path that is too long or means something else there: ${path.slice(0, 20)}`,
          podOf([container('shop', metrics(9464))], { annotations: { 'prometheus.io/path': path } }),
          /the path/,
        ] as const,
    ),
  ];
  for (const [why, pod, note, around] of rows) {
    test(why, () => {
      assert.deepEqual(others(pod, ALL, around), {});
      assert.equal(decide(pod, ALL, around).outcome, 'annotate');
      assert.ok(notes(pod, ALL, around).some((each) => note.test(each)));
    });
  }

  test('of an additional endpoint with such a path, while the others are written', () => {
    const odd = '{ name: odd, when: { container: worker, portName: .* }, scrape: { path: "/a$b" } }';
    const rules = rulesOf(`{ endpoints: all, rules: [${odd}], dialects: [${NAMES.join(', ')}] }`);
    assert.deepEqual(others(TWO, rules), { ...GRAFANA, ...DATADOG, ...DYNATRACE, ...OPENTELEMETRY });
    assert.ok(notes(TWO, rules).some((note) => note.startsWith('Port 9121 is in prometheus.io/* alone')));
  });

  test('where they would come too close to 256 KiB: the pod is annotated without them, and a warning says so', () => {
    const sizes = Array.from({ length: 20 }, (_, i) => 258_000 - 200 * i);
    const seen = sizes.map((size) => {
      const pod = podOf([container('shop', metrics(9464))], { annotations: { note: 'x'.repeat(size) } });
      const decision = decide(pod, ALL);
      const isAlone = decision.outcome === 'annotate' && Object.keys(others(pod, ALL)).length === 0;
      assert.equal(
        isAlone,
        decision.warnings.some((text) => text.includes('prometheus.io/* alone')),
      );
      return decision.outcome === 'skip' ? 'skip' : isAlone ? 'alone' : 'all';
    });
    assert.deepEqual([...new Set(seen)], ['skip', 'alone', 'all']);
  });
});

suite('what an author has written for Prometheus is repeated in the dialects', () => {
  const written = { 'prometheus.io/scrape': 'true', 'prometheus.io/port': '9464' };
  const annotated = (annotations: Annotations) => podOf([container('shop', metrics(9464))], { annotations });

  test('with the path and scheme that scrapers read, and nothing else is added', () => {
    const pod = annotated({ ...written, 'prometheus.io/path': '/metrics' });
    assert.equal(decide(pod, rulesOf('')).outcome, 'skip');
    const decision = decide(pod, ALL);
    assert.ok(decision.outcome === 'annotate');
    assert.equal(decision.rule, 'annotation');
    const { [MARKER_KEY]: marker, ...added } = decision.annotations;
    assert.deepEqual(added, { ...GRAFANA, ...DATADOG, ...DYNATRACE, ...OPENTELEMETRY });
    assert.deepEqual(readMarker(marker)?.added, added);
    assert.deepEqual(others(annotated(written), ALL), added);
    const https = others(annotated({ ...written, 'prometheus.io/scheme': 'https' }), ALL);
    assert.equal(https[`${D}secure`], 'true');
  });

  test('once', () => {
    const decision = decide(annotated(written), ALL);
    assert.ok(decision.outcome === 'annotate');
    const again = decide(annotated({ ...written, ...decision.annotations }), ALL);
    assert.ok(again.outcome === 'skip' && again.reason === 'already_injected');
    const { [MARKER_KEY]: _, ...unmarked } = decision.annotations;
    const withoutMarker = decide(annotated({ ...written, ...unmarked }), ALL);
    assert.ok(withoutMarker.outcome === 'skip' && withoutMarker.reason === 'already_annotated');
  });

  const LEFT_ALONE: readonly (readonly [why: string, annotations: Annotations, around?: Surroundings])[] = [
    ['in a mesh', written, { mesh: true }],
    ['where something about it is suspect', { ...written, 'prometheus.io/port': '9999' }],
    ['without a port', { 'prometheus.io/scrape': 'true', 'prometheus.io/port': 'metrics' }],
    ['where the author declines', { ...written, 'prometheus.io/scrape': 'false' }],
    ['beside a marker of another pod', { ...written, [MARKER_KEY]: '{"rule":"x","added":{"a":"b"}}' }],
    [
      'where the author has said it in all of them',
      { ...written, ...GRAFANA, ...DATADOG, ...DYNATRACE, ...OPENTELEMETRY },
    ],
  ];
  for (const [why, annotations, around] of LEFT_ALONE) {
    test(`but not ${why}`, () => {
      assert.equal(decide(annotated(annotations), ALL, around).outcome, 'skip');
      assert.deepEqual(
        decide(annotated(annotations), ALL, around),
        decide(annotated(annotations), rulesOf(''), around),
      );
    });
  }
});

/** Returns what is said of a pod with such annotations, but for what scrape-slow itself means. */
function said(annotations: Annotations, { name = 'shop', rules = ALL, around = {} } = {}): readonly string[] {
  const pod = podOf([container(name, metrics(9464))], { annotations });
  return notes(pod, rules, around).filter((note) => !note.startsWith("Only Prometheus' community chart"));
}

suite('it is said why an endpoint that the author has written is not in the dialects', () => {
  const written = { 'prometheus.io/scrape': 'true', 'prometheus.io/port': '9464' };
  const stranger = { [MARKER_KEY]: '{"rule":"x","added":{"a":"b"}}' };
  const rows: readonly (readonly [why: string, found: readonly string[], note: RegExp])[] = [
    ['the mesh', said(written, { around: { mesh: true } }), /other dialects: Istio's proxy/],
    ['slow scrapes', said({ 'prometheus.io/scrape-slow': 'true', 'prometheus.io/port': '9464' }), /slow scrapes/],
    ['parameters', said({ ...written, 'prometheus.io/param_a': 'b' }), /parameters/],
    ['its path', said({ ...written, 'prometheus.io/path': '/a$b' }), /the path/],
    ['a word of its own', said({ ...written, ...GRAFANA }, { rules: rulesOf('dialects: [grafana]') }), /says itself/],
    [
      'the name of its container',
      said(written, { name: 'n'.repeat(57), rules: rulesOf('dialects: [datadog]') }),
      /56 characters/,
    ],
    ['a marker that the pod came with', said({ ...written, ...stranger }), /came with autoscrape.io\/injected/],
    ['a mistake', said({ ...written, 'prometheus.io/scheme': 'ftp' }), /Once what is suspect is corrected/],
  ];
  for (const [why, found, note] of rows) {
    test(`because of ${why}`, () => {
      assert.equal(found.length, 1, JSON.stringify(found));
      assert.match(found[0] ?? '', note);
    });
  }

  test('and nothing where the rules ask for none, or the author declines', () => {
    assert.deepEqual(said({ ...written, 'prometheus.io/param_a': 'b' }, { rules: rulesOf('') }), []);
    assert.deepEqual(said({ ...written, 'prometheus.io/scrape': 'false' }), []);
  });

  test('a pod that was annotated before a dialect was switched on keeps what it has, and its successor gets it', () => {
    const decision = decide(ONE, rulesOf('dialects: [grafana]'));
    assert.ok(decision.outcome === 'annotate');
    const annotations = { ...decision.annotations };
    assert.deepEqual(said(annotations, { rules: rulesOf('dialects: [grafana]') }), []);
    assert.deepEqual(said(annotations, { rules: rulesOf('') }), []);
    const now = said(annotations);
    assert.equal(now.length, 1);
    assert.match(now[0] ?? '', /annotated before .* its successor gets them/);
    const all = decide(ONE, ALL);
    assert.ok(all.outcome === 'annotate');
    assert.deepEqual(said({ ...all.annotations }), []);
  });

  test('and that what is added repeats what the author has written, which stays', () => {
    assert.equal(said(written).filter((note) => note.includes('stay as they are')).length, 1);
    assert.ok(!said({}).some((note) => note.includes('stay as they are')));
    assert.ok(!said({ 'prometheus.io/scrape': 'true' }).some((note) => note.includes('stay as they are')));
  });
});

test('dialects of a copied marker that claims what the author has written are not completed', () => {
  const marker = JSON.stringify({ rule: 'x', added: { [`${G}scrape`]: 'true', [`${D}port`]: '1' } });
  const pod = podOf([container('shop', metrics(9464))], {
    annotations: { [`${G}scrape`]: 'true', [MARKER_KEY]: marker },
  });
  const decision = decide(pod, ALL);
  assert.ok(decision.outcome === 'skip' && decision.reason === 'changed_since');
});

test('the longest marker of eight endpoints in all dialects is read again', () => {
  const rules = longestRules({ dialects: NAMES });
  const containers = Array.from({ length: 8 }, (_, i) => ({
    name: `${'c'.repeat(55)}${i}`,
    args: [`--p=/${'a'.repeat(MAX_ADDITIONAL_PATH - 1)}`],
    ports: [{ name: 'm', containerPort: 60_000 + i }],
  }));
  const decision = decide({ metadata: {}, spec: { containers } }, rules);
  assert.ok(decision.outcome === 'annotate');
  const { [MARKER_KEY]: marker = '', ...added } = decision.annotations;
  // Eight of Datadog's, three times eight of OpenTelemetry's, five of Grafana's and four of Dynatrace's, and those of Prometheus.
  assert.equal(Object.keys(added).length, 8 + 24 + 5 + 4 + 4 + 21);
  assert.equal(Object.keys(readMarker(marker)?.added ?? {}).length, Object.keys(added).length);
  const inDialects = Object.entries(added).filter(([key]) => !key.startsWith('aaa'));
  const size = JSON.stringify(Object.fromEntries(inDialects)).length;
  assert.ok(size < 10_000, `${size}`);
  // Beside the longest first path, which is written in no dialect, they would still have room.
  assert.ok(size + 20_300 < MAX_MARKER);
});

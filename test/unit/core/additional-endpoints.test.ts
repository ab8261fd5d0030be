import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { decide } from '../../../src/core/decide.ts';
import type { Surroundings } from '../../../src/core/decide.ts';
import type { Decision } from '../../../src/core/decision.ts';
import { MARKER_KEY, readMarker } from '../../../src/core/annotations/marker.ts';
import { MAX_ADDITIONAL_PATH, MAX_TEXT } from '../../../src/core/limits.ts';
import { renderPatch } from '../../../src/core/patch.ts';
import { readFixtures } from '../../harness/pods/fixtures.ts';
import { validPods } from '../../harness/pods/generated-pods.ts';
import { longestRules } from './longest-marker.ts';
import { rulesOf } from './rules/rules-of.ts';

const FIRST = rulesOf('');
const ALL = rulesOf('endpoints: all');
const HTTPS = rulesOf('{ endpoints: all, https: true }');

/** A container for each port; a second word is its path, and `https` or `undeclared` what it is. */
function podOf(containers: readonly string[], annotations: Readonly<Record<string, string>> = {}): object {
  return {
    metadata: { annotations },
    spec: {
      containers: containers.map((words, i) => {
        const [port = '', ...others] = words.split(' ');
        const path = others.find((word) => word.startsWith('/'));
        const isUndeclared = others.includes('undeclared');
        const args = [
          ...(path === undefined ? [] : [`--metrics-path=${path}`]),
          ...(isUndeclared ? [`--metrics-port=${port}`] : []),
        ];
        const name = others.includes('https') ? 'https-metrics' : 'metrics';
        return { name: `c${i}`, args, ...(!isUndeclared && { ports: [{ name, containerPort: Number(port) }] }) };
      }),
    },
  };
}

function added(decision: Decision): Readonly<Record<string, string>> {
  assert.ok(decision.outcome === 'annotate', JSON.stringify(decision));
  const { [MARKER_KEY]: marker, ...others } = decision.annotations;
  assert.deepEqual(readMarker(marker), { rule: decision.rule, added: others });
  return Object.fromEntries(Object.entries(others).map(([key, value]) => [key.replace('prometheus.io/', ''), value]));
}

function left(decision: Decision): readonly (string | undefined)[] {
  return decision.outcome === 'annotate' ? decision.endpoints.map((endpoint) => endpoint.left) : [];
}

const TWO = ['9090', '9121 /worker'];
const PLAIN = { scrape: 'true', port: '9090', path: '/metrics' };
const SECOND = { 'port-2': '9121', 'path-2': '/worker' };
const ISTIO = 'prometheus.istio.io/scrape-targets';

test('the patch of a pod with one endpoint is the same, byte for byte, whether all are annotated or not', () => {
  let annotated = 0;
  const compare = (pod: object, mesh: boolean): void => {
    const first = decide(pod, FIRST, { mesh });
    if (first.outcome === 'annotate' && first.endpoints.length > 1) return;
    const all = decide(pod, ALL, { mesh });
    assert.deepEqual(all, first);
    assert.equal(JSON.stringify(renderPatch(pod, all)), JSON.stringify(renderPatch(pod, first)));
    if (first.outcome === 'annotate') annotated++;
  };
  for (const containers of [['9090'], ['9090 /a'], ['9090 undeclared']])
    for (const mesh of [false, true]) compare(podOf(containers), mesh);
  for (const { pod, mesh } of readFixtures()) compare(pod, mesh);
  assert.ok(annotated > 20, `${annotated} of these pods are annotated`);
  fc.assert(fc.property(validPods, fc.boolean(), compare), { numRuns: 300 });
});

test('additional endpoints get numbered keys beside those of the first, which stay as they are', () => {
  assert.deepEqual(added(decide(podOf(TWO), FIRST)), PLAIN);
  const decision = decide(podOf(TWO), ALL);
  assert.deepEqual(added(decision), { ...PLAIN, ...SECOND });
  assert.deepEqual(decision.warnings, []);
  const three = added(decide(podOf([...TWO, '9300']), ALL));
  assert.deepEqual(three, { ...PLAIN, ...SECOND, 'port-3': '9300', 'path-3': '/metrics' });
});

test('the scheme is written only for https, and only where https is on', () => {
  const pod = podOf(['9090', '9121 https']);
  assert.deepEqual(added(decide(pod, HTTPS)), {
    ...PLAIN,
    'port-2': '9121',
    'path-2': '/metrics',
    'scheme-2': 'https',
  });
  assert.deepEqual(added(decide(pod, ALL)), PLAIN);
  assert.deepEqual(left(decide(pod, ALL)), [undefined, 'https']);
});

const LEFT: readonly (readonly [says: string, containers: readonly string[], want: readonly (string | undefined)[]])[] =
  [
    ['no container declares', ['9090', '9121 undeclared'], [undefined, 'undeclared']],
    ['has a very long path', ['9090', `9121 /${'a'.repeat(MAX_ADDITIONAL_PATH)}`], [undefined, 'bad_path']],
    [
      'is the ninth',
      Array.from({ length: 9 }, (_, i) => String(9001 + i)),
      [...Array.from({ length: 8 }, () => undefined), 'too_many'],
    ],
  ];

for (const [says, containers, want] of LEFT) {
  test(`an endpoint that ${says} is left out, and a warning names it`, () => {
    const decision = decide(podOf(containers), ALL);
    assert.deepEqual(left(decision), want);
    assert.match(decision.warnings.at(-1) ?? '', /^autoscrape: port \d+ \(c\d\) is not scraped, because .*: /);
  });
}

test('numbered keys of the author stay, in any spelling, and ours take the next number', () => {
  for (const key of ['prometheus.io/port-2', 'prometheus-io/path_2', 'prometheus.io.scheme.2']) {
    const decision = decide(podOf(TWO, { [key]: 'x' }), ALL);
    assert.deepEqual(added(decision), { ...PLAIN, 'port-3': '9121', 'path-3': '/worker' }, key);
  }
  const stated = decide(podOf(TWO, { 'prometheus.io/port-5': '9121' }), ALL);
  assert.deepEqual(added(stated), PLAIN);
  assert.deepEqual(left(stated), [undefined, undefined]);
  const annotations = Object.fromEntries([2, 3, 4, 5, 6, 7, 8].map((slot) => [`prometheus.io/port-${slot}`, '1']));
  assert.deepEqual(left(decide(podOf(TWO, annotations), ALL)), [undefined, 'too_many']);
});

test('the keys of the rules file are numbered, too', () => {
  const rules = rulesOf('{ endpoints: all, annotations: { port: example.com/port } }');
  const decision = decide(podOf(TWO), rules);
  assert.ok(decision.outcome === 'annotate');
  assert.equal(decision.annotations['example.com/port-2'], '9121');
  assert.equal(decision.annotations['prometheus.io/path-2'], '/worker');
});

function podWithNote(size: number): object {
  return podOf(TWO, { note: 'x'.repeat(size) });
}

test('a pod that has no room for additional endpoints gets the first', () => {
  const room = [258_000, 257_800, 257_700].find((size) => left(decide(podWithNote(size), ALL)).includes('too_large'));
  assert.ok(room !== undefined);
  assert.deepEqual(added(decide(podWithNote(room), ALL)), PLAIN);
});

test('what a rule only hints at is not written', () => {
  const rules = rulesOf('{ endpoints: all, rules: [{ name: hint, when: { portName: metrics }, confirm: true }] }');
  const decision = decide(podOf(TWO), rules);
  assert.deepEqual([added(decision), left(decision)], [PLAIN, [undefined, 'hint']]);
});

const MESH: readonly (readonly [
  says: string,
  pod: object,
  value: string | undefined,
  left: readonly (string | undefined)[],
  around?: Surroundings,
])[] = [
  ['two endpoints', podOf(TWO), '9090:/metrics,9121:/worker', [undefined, undefined]],
  ['one endpoint', podOf(['9090']), undefined, [undefined]],
  ['a pod that exists already', podOf(TWO), undefined, [undefined, 'mesh'], { live: true }],
  [
    'merging that is switched off',
    podOf(TWO, { 'prometheus.istio.io/merge-metrics': 'false' }),
    undefined,
    [undefined, 'mesh'],
  ],
  [
    'targets that the author has written',
    podOf(TWO, { 'prometheus-istio-io/scrape_targets': '1:/' }),
    undefined,
    [undefined, 'mesh'],
  ],
  [
    'an https endpoint, and one that no container declares',
    podOf(['9090', '9121 https', '9300 undeclared']),
    '9090:/metrics,9300:/metrics',
    [undefined, 'https', undefined],
  ],
  [
    "the author's path with a comma in it",
    podOf(TWO, { 'prometheus.io/path': '/a,b' }),
    undefined,
    [undefined, 'bad_path'],
  ],
  [
    "the author's path with a blank in it",
    podOf(TWO, { 'prometheus.io/path': '/a b' }),
    undefined,
    [undefined, 'bad_path'],
  ],
  [
    'nine endpoints',
    podOf(Array.from({ length: 9 }, (_, i) => String(9001 + i))),
    Array.from({ length: 8 }, (_, i) => `${9001 + i}:/metrics`).join(),
    [...Array.from({ length: 8 }, () => undefined), 'too_many'],
  ],
];

for (const [says, pod, value, want, around] of MESH) {
  test(`in an Istio mesh an annotation lists all endpoints for the agent, and no key is numbered: ${says}`, () => {
    const decision = decide(pod, HTTPS, { mesh: true, ...around });
    const annotations = added(decision);
    assert.equal(annotations[ISTIO], value);
    assert.deepEqual(
      Object.keys(annotations).filter((key) => /\d$/.test(key)),
      [],
    );
    assert.deepEqual(left(decision), want);
    assert.equal(annotations['port'], String(decision.outcome === 'annotate' && decision.endpoints[0].port));
  });
}

test('in an Istio mesh nothing is written for the agent where it does not read the other keys either', () => {
  const rules = rulesOf('{ endpoints: all, annotations: { port: example.com/port } }');
  const decision = decide(podOf(TWO), rules, { mesh: true });
  assert.equal(added(decision)[ISTIO], undefined);
  assert.deepEqual(left(decision), [undefined, 'mesh']);
});

test('in an Istio mesh a path of a rule with a comma in it is left out', () => {
  const rules = rulesOf(
    '{ endpoints: all, rules: [{ name: comma, when: { container: c1 }, scrape: { path: "/a,b" } }] }',
  );
  const decision = decide(podOf(['9090', '9121', '9300']), rules, { mesh: true });
  assert.equal(added(decision)[ISTIO], '9090:/metrics,9300:/metrics');
  assert.deepEqual(left(decision), [undefined, 'bad_path', undefined]);
});

test('the longest marker of eight endpoints is read again', () => {
  const rules = longestRules();
  const containers = Array.from({ length: 8 }, (_, i) => ({
    name: `c${i}`,
    args: [`--p=/${'"'.repeat((i === 0 ? MAX_TEXT : MAX_ADDITIONAL_PATH) - 5)}`],
    ports: [{ name: 'm', containerPort: 60_000 + i }],
  }));
  const decision = decide({ metadata: {}, spec: { containers } }, rules);
  assert.deepEqual(
    left(decision),
    Array.from({ length: 8 }, () => undefined),
  );
  const marker = decision.outcome === 'annotate' ? decision.annotations[MARKER_KEY] : undefined;
  assert.ok((marker?.length ?? 0) > 19_000, `${marker?.length}`);
  assert.notEqual(readMarker(marker), undefined);
});

// A process of its own: it measures CPU time.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  MAX_CONTAINERS,
  MAX_ENDPOINTS,
  MAX_MARKER,
  MAX_RULES_FILE,
  MAX_TCP_PORTS,
  MAX_TEXT,
  MAX_ARGUMENTS,
} from '../../../src/core/limits.ts';
import { decide } from '../../../src/core/decide.ts';
import { explain } from '../../../src/core/explain.ts';
import { MARKER_KEY, readMarker, renderMarker } from '../../../src/core/annotations/marker.ts';
import { readPod } from '../../../src/core/pod/pod.ts';
import { parseRules } from '../../../src/core/rules/parse.ts';
import { didYouMean } from '../../../src/core/did-you-mean.ts';
import { startWork } from '../../../src/core/step-budget.ts';
import { annotatePlanner } from '../../../src/reconcile/plan-annotate.ts';
import { defaultRules, readShipped } from '../../../src/rules/shipped.ts';

const rules = defaultRules();

function podOf(...containers: readonly object[]) {
  return { metadata: {}, spec: { containers } };
}

function reasonOf(pod: unknown): string {
  const decision = decide(pod, rules);
  return decision.outcome === 'skip' ? decision.reason : decision.rule;
}

function times<T>(count: number, make: (index: number) => T): T[] {
  return Array.from({ length: count }, (_, index) => make(index));
}

test('decide does not read a pod with too many containers or TCP ports, and does not limit UDP ports', () => {
  const ports = (count: number, protocol: string) =>
    podOf({ name: 'a', ports: times(count, (i) => ({ containerPort: 20_000 + i, protocol })) });
  assert.equal(reasonOf(podOf(...times(MAX_CONTAINERS, () => ({ name: 'a' })))), 'no_candidate');
  assert.equal(reasonOf(podOf(...times(MAX_CONTAINERS + 1, () => ({ name: 'a' })))), 'unreadable');
  assert.equal(reasonOf(ports(MAX_TCP_PORTS, 'TCP')), 'no_candidate');
  assert.equal(reasonOf(ports(MAX_TCP_PORTS + 1, 'TCP')), 'unreadable');
  assert.equal(reasonOf(ports(20_000, 'UDP')), 'no_candidate');
});

// Without limits, each of these took seconds, gigabytes or both, or threw.
const HEAVY: Readonly<Record<string, object>> = {
  'a thousand references to a long variable': {
    env: [{ name: 'A', value: 'x'.repeat(100_000) }],
    args: times(1000, () => '$(A)'),
  },
  'references to variables of the maximum length in every argument': {
    env: times(100, (i) => ({ name: `A${i}`, value: 'x'.repeat(MAX_TEXT) })),
    args: times(100_000, () => '$(A1)$(A2)$(A3)$(A4)'),
  },
  'an argument of 700,000 references': {
    env: [{ name: 'A', value: 'x'.repeat(4000) }],
    args: ['$(A)'.repeat(700_000)],
  },
  'references that are not closed': { args: ['$('.repeat(2_000_000)] },
  'a script of two million arguments': { args: ['a '.repeat(2_000_000)] },
  'a hundred thousand arguments': { args: times(100_000, (i) => `-a${i}`) },
  'an image of two million segments': { image: 'a/'.repeat(2_000_000) },
  'a port name of 3.5 MB': { ports: [{ containerPort: 1, name: 'metrics'.repeat(500_000) }] },
};

for (const [title, container] of Object.entries(HEAVY)) {
  test(`readPod limits the arguments and characters of ${title}`, () => {
    const pod = podOf({ name: 'a', image: 'a', ...container });
    assert.equal(reasonOf(pod), 'no_candidate');
    const words = readPod(pod)?.containers[0]?.commandLine() ?? [];
    assert.ok(words.length <= 3 * MAX_ARGUMENTS);
    assert.ok(words.join('').length <= 64e6, `${words.join('').length} characters`);
  });
}

const CONTAINER = { name: 'a', image: 'a' };

/** More steps than any pod within the webhook's limits needs, so that all of them are counted. */
const COUNTED = 1e9;

/** Pods whose cost would be quadratic if each item were compared with each other; some took minutes. */
const PRODUCTS: Readonly<Record<string, (count: number) => object>> = {
  'ports in flags, with arguments that could set a path': (count) =>
    podOf({ ...CONTAINER, args: times(count, (i) => `--metrics-port=${i + 1}`) }),
  'named ports and invalid paths, with a port annotation': (count) => ({
    metadata: { annotations: { 'prometheus.io/port': '7' } },
    spec: {
      containers: [
        {
          ...CONTAINER,
          ports: times(Math.ceil(count / 5), (i) => ({ name: 'metrics', containerPort: 20_000 + i })),
          args: times(count, (i) => `--web.telemetry-path=/;${i}`),
        },
      ],
    },
  }),
  'properties in JSON': (count) =>
    podOf(
      ...times(20, (i) => ({
        ...CONTAINER,
        env: [
          {
            name: 'SPRING_APPLICATION_JSON',
            value: JSON.stringify(Object.fromEntries(times(Math.ceil(count / 20), (j) => [`management.a${i}${j}`, 1]))),
          },
        ],
      })),
    ),
  'ports in variables': (count) =>
    podOf({ ...CONTAINER, env: times(count, (i) => ({ name: `A${i}_METRICS_PORT`, value: String(i + 1) })) }),
  'ports in variables, with UDP ports': (count) =>
    podOf({
      ...CONTAINER,
      ports: times(count, (i) => ({ containerPort: i + 1, protocol: 'UDP' })),
      env: times(count, (i) => ({ name: `A${i}_METRICS_PORT`, value: String(i + 1) })),
    }),
  'probes with a port name, with UDP ports': (count) =>
    podOf(
      ...times(MAX_CONTAINERS, () => ({
        ...CONTAINER,
        ports: times(Math.ceil(count / 256), () => ({ containerPort: 1, protocol: 'UDP' })),
        livenessProbe: { httpGet: { path: '/actuator/health', port: 'none' } },
      })),
    ),
  'spellings of a key': (count) => ({
    metadata: { annotations: Object.fromEntries(times(count, (i) => [`prometheus.io/s${i}`, ''])) },
    spec: { containers: [CONTAINER] },
  }),
};

/** Returns the CPU time of a decision without a limit on steps, in milliseconds. */
function cpuTimeFor(pod: object): number {
  const before = process.threadCpuUsage();
  decide(pod, rules, {}, startWork(COUNTED));
  const { user, system } = process.threadCpuUsage(before);
  return (user + system) / 1000;
}

/** A shorter time is too short to compare. */
const SHORT_MS = 8;

function stepsFor(pod: object): number {
  const work = startWork(COUNTED);
  decide(pod, rules, {}, work);
  return COUNTED - work.left;
}

for (const [title, make] of Object.entries(PRODUCTS)) {
  test(`steps grow linearly with the pod: ${title}`, () => {
    const [some, twice, fourfold] = [stepsFor(make(1000)), stepsFor(make(2000)), stepsFor(make(4000))];
    assert.ok(twice < 2.2 * some && fourfold < 2.2 * twice, `${some}, ${twice}, ${fourfold}`);
  });

  // The test above cannot see work that spends no steps. A pod of eight times the size takes eight times
  // as long, or twenty times where memory is short; quadratic work takes 64 times as long.
  test(`CPU time grows linearly with the pod: ${title}`, () => {
    const [small, large] = [make(3000), make(24_000)];
    // Other processes affect the minimum of three least. Where the first of the large pod is short enough, its minimum is too.
    const some = Math.min(...times(3, () => cpuTimeFor(small)));
    const isShort = (time: number): boolean => time < 24 * Math.max(some, SHORT_MS);
    const eightfold: number[] = [];
    while (eightfold.length < 3 && !eightfold.some(isShort)) eightfold.push(cpuTimeFor(large));
    assert.ok(eightfold.some(isShort), `${some} and ${eightfold.join()} ms`);
  });

  test(`decide skips a pod as too_complex exactly where its steps run out: ${title}`, () => {
    const work = startWork();
    const decision = decide(make(25_000), rules, {}, work);
    assert.equal(work.left < 0, decision.outcome === 'skip' && decision.reason === 'too_complex');
  });
}

test('decide, explain and the reconciler skip a pod that needs too many steps, with a warning', () => {
  const variables = times(25_000, (i) => ({ name: `A${i}_METRICS_PORT`, value: String(20_000 + i) }));
  const metadata = { namespace: 'a', name: 'a', uid: 'a', resourceVersion: '1' };
  const pod = { metadata, spec: { containers: [{ ...CONTAINER, env: variables }] } };
  const decision = decide(pod, rules);
  assert.ok(decision.outcome === 'skip' && decision.reason === 'too_complex');
  assert.match(decision.warnings[0] ?? '', /too complex to be read/);
  const plan = annotatePlanner(rules, false)(pod);
  assert.ok(plan?.action === 'skip' && plan.reason === 'too_complex');
  assert.deepEqual(explain(pod, rules), { decision, candidates: [], notes: [] });
});

test('explain leaves out the candidates where they need too many steps, and keeps the decision', () => {
  const ports = times(4000, (i) => ({ containerPort: i + 1, protocol: 'UDP' }));
  const pod = podOf({ ...CONTAINER, ports: [{ name: 'metrics', containerPort: 9090 }, ...ports] });
  const { decision, candidates, notes } = explain(pod, rules);
  assert.equal(decision.outcome, 'annotate');
  assert.deepEqual(candidates, []);
  assert.match(notes.join(), /too complex to show/);
});

test('a namespace costs steps with each of its characters, and one that is too long is ignored', () => {
  const parsed = parseRules('rules: [{ name: a, when: { namespace: "[a-y]+(z[a-y]+)*" } }]', readShipped());
  assert.ok(parsed.ok);
  const set = parsed.value.rules;
  const steps = (length: number): number => {
    const work = startWork(COUNTED);
    decide(podOf(CONTAINER), set, { namespace: 'a'.repeat(length) }, work);
    return COUNTED - work.left;
  };
  assert.ok(steps(4000) >= steps(1000) + 3000, `${steps(1000)}, ${steps(4000)}`);
  const pod = {
    ...podOf({ ...CONTAINER, ports: [{ containerPort: 1 }] }),
    metadata: { namespace: 'a'.repeat(MAX_TEXT + 1) },
  };
  assert.equal(decide(pod, set).rule, undefined);
  assert.equal(decide({ ...pod, metadata: { namespace: 'a' } }, set).rule, 'a');
});

test('decide lists only the first endpoints of a pod with thousands', () => {
  const pod = podOf({ ...CONTAINER, args: times(1000, (i) => `--metrics-port=${20_000 + i}`) });
  const decision = decide(pod, rules);
  assert.ok(decision.outcome === 'annotate');
  assert.deepEqual(
    decision.endpoints.map(({ port }) => port),
    times(MAX_ENDPOINTS, (i) => 20_000 + i),
  );
  // The rule finds the port that the user names behind any number of others.
  const named = decide({ ...pod, metadata: { annotations: { 'prometheus.io/port': '20900' } } }, rules);
  assert.ok(named.outcome === 'annotate' && named.endpoints[0].port === 20_900);
  assert.equal(named.rule, decision.rule);
});

test('readPod reads a valid argument next to one that is too long', () => {
  const pod = podOf({
    name: 'a',
    image: 'a',
    env: [{ name: 'HOST', value: '0.0.0.0' }],
    args: ['x'.repeat(100_000), '--metrics-bind-address=$(HOST):8081'],
  });
  assert.ok(readPod(pod)?.containers[0]?.commandLine().includes('--metrics-bind-address=0.0.0.0:8081'));
});

/** Returns an annotation key of the maximum length. */
function key(name: string): string {
  return `${'a'.repeat(63)}.${'b'.repeat(63)}.${'c'.repeat(63)}.${'d'.repeat(61)}/${name.repeat(63)}`;
}

test('readMarker rejects a marker that is too long, and reads the longest that decide writes', () => {
  // Padded JSON is valid, so only the length can be the reason.
  const marker = renderMarker({ rule: 'x', added: { 'prometheus.io/scrape': 'true' } });
  assert.ok(readMarker(marker.padEnd(MAX_MARKER)) !== undefined);
  assert.equal(readMarker(marker.padEnd(MAX_MARKER + 1)), undefined);

  const parsed = parseRules(
    JSON.stringify({
      https: true,
      annotations: { scrape: key('s'), port: key('p'), path: key('a'), scheme: key('h') },
      rules: [
        {
          name: 'r'.repeat(63),
          when: { argument: 'path=(?P<path>.*)' },
          scrape: { path: '/${path}', scheme: 'https' },
        },
      ],
    }),
    readShipped(),
  );
  assert.ok(parsed.ok);
  const path = '"'.repeat(MAX_TEXT - 'path='.length);
  const pod = podOf({ name: 'a', args: [`path=${path}`], ports: [{ containerPort: 65_535 }] });
  const decision = decide(pod, parsed.value.rules);
  assert.ok(decision.outcome === 'annotate');
  assert.equal(decision.annotations[key('a')], `/${path}`);
  const text = decision.annotations[MARKER_KEY] ?? '';
  assert.ok(text.length > 9_000);
  assert.deepEqual(Object.keys(readMarker(text)?.added ?? {}).length, 4);
});

test('decide ignores a path that is too long after its groups are inserted', () => {
  const parsed = parseRules(
    "rules: [{ name: long, when: { argument: '--a=(?P<a>.*)' }, scrape: { path: '/${a}${a}${a}${a}' } }]",
    readShipped(),
  );
  assert.ok(parsed.ok);
  const pod = podOf({ name: 'a', args: [`--a=${'x'.repeat(2000)}`], ports: [{ containerPort: 80 }] });
  const decision = decide(pod, parsed.value.rules);
  assert.ok(decision.outcome === 'annotate');
  assert.equal(decision.endpoints[0].path, '/metrics');
});

test('parseRules rejects a rules file that is too long before it parses the YAML', () => {
  const rule = '- { name: a, when: { portName: a } } #';
  const parsed = parseRules(`rules:\n${rule.padEnd(MAX_RULES_FILE - 'rules:\n'.length, '#')}`, readShipped());
  assert.ok(parsed.ok);
  const refused = parseRules(`{ not YAML: [${'#'.repeat(MAX_RULES_FILE)}`, readShipped());
  assert.ok(!refused.ok);
  assert.deepEqual(
    refused.error.map(({ line, message }) => [line, message.slice(0, 58)]),
    [[1, 'the file has 65 KiB, and more than 64 KiB may need more me']],
  );
});

const LARGE: Readonly<Record<string, string>> = {
  'a large repetition': 'x{1000}',
  'nested repetitions': '(((x{10}){10}){10})',
  'an optional repetition': '.{0,1000}',
  'repeated groups': '(?:a|b|c|d|e){200}',
  'a repetition after flags': 'x{30}(?i){30}',
  'many Unicode classes': String.raw`\pL\pM\pN`.repeat(6),
};

function fileOf(pattern: string, count: number): string {
  const rules = times(count, (i) => `- { name: r${i}, when: { argument: '${i}${pattern}' } }\n`);
  return `rules:\n${rules.join('')}`;
}

for (const [title, pattern] of Object.entries(LARGE)) {
  test(`parseRules rejects a file full of patterns with ${title}, and names the largest, before it compiles any`, () => {
    assert.ok(parseRules(fileOf(pattern, 2), readShipped()).ok);
    // Compiling would report the last pattern, which is invalid.
    const refused = parseRules(`${fileOf(pattern, 500)}- { name: invalid, when: { argument: '[' } }`, readShipped());
    assert.ok(!refused.ok);
    const [{ line, path, message } = assert.fail(), ...others] = refused.error;
    assert.deepEqual([line, path, others], [102, 'rules[100].when.argument', []]);
    assert.match(
      message,
      /^the file's patterns compile to about \d{5,} instructions, \d+ of them for this one, and more than /,
    );
  });
}

test('didYouMean compares only words that are no longer than a label', () => {
  const known = 'x'.repeat(63);
  assert.equal(didYouMean(`${'x'.repeat(62)}y`, [known]), `, did you mean "${known}"?`);
  assert.equal(didYouMean('x'.repeat(64), [known]), '');
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseRules, renderProblems } from '../../../../src/core/rules/parse.ts';
import { startWork } from '../../../../src/core/step-budget.ts';
import { readShipped } from '../../../../src/rules/shipped.ts';

const shipped = readShipped();

function problemsOf(text: string): string[] {
  const parsed = parseRules(text, shipped);
  const problems = parsed.ok ? parsed.value.warnings : parsed.error;
  return problems.length === 0 ? [] : renderProblems('rules.yaml', problems).split('\n');
}

function names(text: string): readonly string[] {
  const parsed = parseRules(text, shipped);
  assert.ok(parsed.ok);
  return parsed.value.rules.names;
}

const RULE = (body: string) => `rules:\n  - name: mine\n${body.replaceAll(/^/gm, '    ')}\n`;

const WRONG: readonly (readonly [says: string, text: string, ...problems: RegExp[]])[] = [
  ['not YAML', 'rules: [', /^rules\.yaml:\d+:\d+: not YAML/],
  ['a list at the top', '- a', /^rules\.yaml:1:1: must be a mapping/],
  ['an unknown field', 'rulez: []', /^rules\.yaml:1:1: rulez: unknown field "rulez", did you mean "rules"\?$/],
  [
    'an unknown condition',
    RULE('when: { portNmae: metrics }'),
    /^rules\.yaml:3:13: rules\[0\]\.when\.portNmae: unknown field "portNmae", did you mean "portName"\?$/,
  ],
  [
    'two unknown fields',
    'a: 1\nhttsp: true',
    /:1:1: a: unknown field "a"; known fields: /,
    /:2:1: httsp: unknown field "httsp", did you mean "https"\?/,
  ],
  [
    'an invalid RE2',
    RULE("when: { portName: '[a-' }"),
    /rules\[0\]\.when\.portName: not an RE2 pattern: missing closing \]/,
  ],
  ['a look-ahead', RULE("when: { portName: '(?!x).*' }"), /RE2 has no look-around/],
  [
    'an impossible selector',
    RULE(
      'when: { podLabels: { matchLabels: { a: b }, matchExpressions: [{ key: a, operator: NotIn, values: [b] }] } }',
    ),
    /podLabels: can never match: no value of the label a satisfies all of it/,
  ],
  [
    'In without values',
    RULE('when: { podLabels: { matchExpressions: [{ key: a, operator: In }] } }'),
    /In needs at least one value/,
  ],
  [
    'Exists with values',
    RULE('when: { podLabels: { matchExpressions: [{ key: a, operator: Exists, values: [b] }] } }'),
    /Exists takes no values/,
  ],
  [
    'an operator that does not exist',
    RULE('when: { podLabels: { matchExpressions: [{ key: a, operator: in, values: [b] }] } }'),
    /must be In, NotIn, Exists or DoesNotExist/,
  ],
  ['no condition', RULE('when: {}'), /rules\[0\]\.when: must have at least one condition/],
  [
    'a path without a slash',
    RULE('when: { portName: x }\nscrape: { path: metrics }'),
    /rules\.yaml:4:15: rules\[0\]\.scrape\.path: must be(?:gin| a path).*"\/"/,
  ],
  [
    'a path with a query',
    RULE('when: { portName: x }\nscrape: { path: /metrics?format=x }'),
    /scrape\.path: must be a path/,
  ],
  [
    'a group that no pattern has',
    RULE("when: { probePath: '(?P<base>.*)/health' }\nscrape: { path: '${bas}/x' }"),
    /\$\{bas\} is not a named group of the rule's patterns, did you mean "base"\?/,
  ],
  [
    'a port that Istio keeps',
    RULE('when: { portName: x }\nscrape: { port: 15090 }'),
    /scrape\.port: must be a TCP port/,
  ],
  ['a port that is a string', RULE('when: { portNumber: "80" }'), /when\.portNumber: must be a port number or a list/],
  [
    'a scheme that is none',
    RULE('when: { portName: x }\nscrape: { scheme: tls }'),
    /scrape\.scheme: must be "http" or "https"/,
  ],
  [
    'exclude together with scrape',
    RULE('when: { portName: x }\nscrape: { port: 80 }\nexclude: true'),
    /exclude and scrape exclude each other/,
  ],
  [
    'a name that no label can hold',
    'rules: [{ name: My_Rule, when: { portName: x } }]',
    /rules\[0\]\.name: must have at most 63 lower-case letters/,
  ],
  ['a name that means something else', 'rules: [{ name: label, when: { portName: x } }]', /choose another name/],
  [
    'the name of what was asked',
    'rules: [{ name: asked, when: { portName: x } }]',
    /is reserved, .* choose another name/,
  ],
  [
    'a hint that excludes',
    RULE('when: { portName: x }\nexclude: true\nconfirm: true'),
    /rules\[0\]\.confirm: exclude and confirm exclude each other/,
  ],
  [
    'a rule that excludes, and continues',
    RULE('when: { portName: x }\nexclude: true\ncontinue: true'),
    /rules\[0\]\.continue: continue and exclude exclude each other/,
  ],
  [
    'a hint that continues',
    RULE('when: { portName: x }\nconfirm: true\ncontinue: true'),
    /rules\[0\]\.continue: continue and confirm exclude each other/,
  ],
  ['a confirm that is off', RULE('when: { portName: x }\nconfirm: false'), /confirm: must be true, or removed$/],
  ['a port to be left alone that is none', 'ask: { never: [70000] }', /ask\.never\[0\]: must be a TCP port/],
  [
    'one name twice',
    'rules:\n  - { name: a, when: { portName: x } }\n  - { name: a, when: { portName: y } }',
    /^rules\.yaml:3:7: rules\[1\]\.name: rules\[0\] already has this name$/,
  ],
  [
    "a shipped rule's name",
    'rules: [{ name: metrics-port, when: { portName: x } }]',
    /a shipped rule has this name: choose another, or add it to disabled/,
  ],
  [
    'a disabled rule that does not exist',
    'disabled: [spring-bot]',
    /disabled\[0\]: there is no shipped rule "spring-bot", did you mean "spring-boot"\?/,
  ],
  ['an annotation key that is none', 'annotations: { port: "my port" }', /annotations\.port: must be a qualified name/],
  [
    'an annotation key with too long a prefix',
    `annotations: { port: ${Array.from({ length: 5 }, () => 'a'.repeat(60)).join('.')}/port }`,
    /annotations\.port: must have at most 253 characters before the "\/"/,
  ],
  [
    'two keys that are one to Prometheus',
    'annotations: { port: a.b/c, path: a-b/c }',
    /Prometheus reads .* as the same key/,
  ],
  [
    "a key that is the marker's",
    'annotations: { port: autoscrape.io/injected }',
    /annotations\.port: "autoscrape\.io\/injected" is reserved, because it records what was added: choose another$/,
  ],
  [
    'a key that carries a further endpoint',
    'annotations: { path: prometheus-io/port_2 }',
    /annotations\.path: Prometheus reads "prometheus-io\/port_2" as the same key as "prometheus\.io\/port-2"/,
  ],
  [
    "a key that Istio's agent reads",
    'annotations: { port: prometheus.istio.io/scrape-targets }',
    /annotations\.port: .* is reserved, because it tells Istio's agent/,
  ],
  [
    'a key to which no number can be appended',
    `{ endpoints: all, annotations: { port: ${'a'.repeat(62)} } }`,
    /annotations\.port: must have at most 61 characters after the "\/" with endpoints: all/,
  ],
  [
    'a dialect that there is not, which is probably misspelt',
    'dialects: [dynatrace, datadogs]',
    /dialects\[1\]: must be one of grafana, datadog, dynatrace, opentelemetry, did you mean "datadog"\?$/,
  ],
  [
    'a dialect that is not even text',
    'dialects: [3]',
    /dialects\[0\]: must be one of grafana, datadog, dynatrace, opentelemetry$/,
  ],
  [
    'a key of a dialect that is written as well, in any spelling',
    '{ dialects: [datadog, grafana], annotations: { port: k8s-grafana-com/port } }',
    /annotations\.port: "k8s-grafana-com\/port" is one of the keys of grafana, which dialects writes: choose another, or remove grafana/,
  ],
  ['endpoints that are neither first nor all', 'endpoints: every', /endpoints: must be "first" or "all"/],
  [
    'one key for two',
    'annotations: { port: a/b, path: a/b }',
    /"a\/b" is reserved, because it is the key of port: choose/,
  ],
  [
    'a key that is too long for Kubernetes',
    `annotations: { port: ${'a.'.repeat(200)}a/b }`,
    /must have at most 253 characters before the "\/" and 63 after it$/,
  ],
  [
    'a list of which all items are commented out',
    'rules:\n# - name: a\nimages:\n',
    /:1:1: rules: must be a list, but is empty: write \[\], or remove the field$/,
    /:3:1: images: must be a list, but is empty/,
  ],
  ['a mapping where a list is', 'rules: { name: a }', /:1:1: rules: must be a list$/],
  [
    'a name, a condition and a port that are missing',
    'rules: [{ when: { portName: x } }, { name: b }]\nimages: [{ images: [a/b] }]',
    /rules\[0\]\.name: is missing, and must be a string$/,
    /rules\[1\]\.when: is missing, and must be a mapping with podLabels, /,
    /images\[0\]\.port: is missing, and must be a port number or a list of them$/,
  ],
  ['a number where a string is expected', 'disabled: [5]', /disabled\[0\]: must be a string: quote it$/],
  ['an empty list', 'images: [{ images: [], port: 80 }]', /images\[0\]\.images: must have at least one item$/],
  [
    'a label that is none',
    RULE('when: { podLabels: { matchLabels: { "a b": c } } }'),
    /matchLabels\.a b: must be a qualified name/,
  ],
  [
    'two documents',
    'https: true\n---\nrules: []\n',
    /:2:1: a second document begins here, but a rules file is a single one: remove this "---", or split the file in two$/,
  ],
  ['a YAML key twice', 'https: true\nhttps: false', /not YAML: Map keys must be unique/],
  [
    'an image with a tag',
    'images: [{ images: ["a:1"], port: 80 }]',
    /images\[0\]\.images\[0\]: must be the last one or two segments/,
  ],
  [
    'many things at once',
    `extends: defaults\nhttps: "yes"\n${RULE("when: { image: '(' }")}`,
    /:1:1: extends: must be "default" or "none"/,
    /:2:1: https: must be true or false/,
    /:5:\d+: rules\[0\]\.when\.image: not an RE2 pattern/,
  ],
];

for (const [says, text, ...expected] of WRONG) {
  test(`${says} is reported with its line and what to do`, () => {
    const problems = problemsOf(text);
    assert.equal(problems.length, expected.length, problems.join('\n'));
    for (const [i, pattern] of expected.entries()) assert.match(problems[i] ?? '', pattern);
  });
}

test("describes every wrong value in our own words, not the validator's", () => {
  const selector = { matchLabels: { a: 'b' }, matchExpressions: [{ key: 'a', operator: 'In', values: ['b'] }] };
  const conditions = {
    podLabels: selector,
    namespace: 'a',
    container: 'a',
    portNumber: [80],
    argument: '--a=(?P<port>.*)',
    catalogue: true,
    declared: true,
  };
  const image = {
    images: ['a/b'],
    port: 80,
    path: '/a',
    scheme: 'http',
    portFrom: ['--a'],
    needs: 'a',
    declared: true,
  };
  const right = {
    extends: 'default',
    disabled: ['spring-boot'],
    https: true,
    ignoreContainers: ['a'],
    pathFrom: ['(?P<path>/.*)'],
    rules: [
      {
        name: 'a',
        when: conditions,
        unless: conditions,
        scrape: { port: 80, path: '/a', scheme: 'http' },
        confirm: true,
      },
    ],
    images: [{ ...image, container: 'a', portName: 'a', otherPorts: [81], source: 'https://example.com' }],
    ask: { never: [9999] },
    annotations: { scrape: 'a/b', port: 'a/c', path: 'a/d', scheme: 'a/e' },
    dialects: ['grafana'],
  };
  assert.deepEqual(problemsOf(JSON.stringify(right)), []);
  const told = new Set<string>();
  for (const value of [
    undefined,
    null,
    'x y',
    '',
    'x'.repeat(400),
    0,
    1.5,
    1e300,
    -1,
    true,
    [],
    [null],
    {},
    { x: 1 },
  ]) {
    for (const wrong of eachReplaced(right, value)) {
      for (const problem of problemsOf(JSON.stringify(wrong ?? {}))) told.add(problem.replace(/^[^ ]* /, ''));
    }
  }
  assert.ok(told.size > 200, `${told.size} problems`);
  for (const problem of told) assert.doesNotMatch(problem, /expected|received|invalid|too (?:small|big)/i);
});

/** The value with each of the values in it, itself included, replaced by another in turn. */
function eachReplaced(value: unknown, by: unknown): unknown[] {
  if (typeof value !== 'object' || value === null) return [by];
  const copies = Object.keys(value).flatMap((key) =>
    eachReplaced(Reflect.get(value, key), by).map((inner) => {
      const copy = structuredClone(value);
      Reflect.set(copy, key, inner);
      return copy;
    }),
  );
  return [by, ...copies];
}

test('a duplicate name is reported beside an unknown field', () => {
  const problems = problemsOf('rules:\n  - name: metrics-port\n    when: { portNmae: x }\ndisabled: [nope]');
  assert.equal(problems.length, 3, problems.join('\n'));
  assert.match(problems[0] ?? '', /^rules\.yaml:2:5: .*a shipped rule has this name/);
  assert.match(problems[1] ?? '', /^rules\.yaml:3:13: .*did you mean "portName"/);
  assert.match(problems[2] ?? '', /^rules\.yaml:4:12: .*there is no shipped rule "nope"/);
});

test('an alias bomb is refused rather than expanded', () => {
  const bomb = Array.from(
    { length: 12 },
    (_, i) =>
      `a${i}: &a${i} [${
        i === 0
          ? 'x'
          : Array(9)
              .fill(`*a${i - 1}`)
              .join(', ')
      }]`,
  ).join('\n');
  assert.ok(problemsOf(bomb).length > 0);
});

test('the ports that must never be asked are read', () => {
  for (const [text, never] of [
    ['ask: { never: [9999, 80] }', [9999, 80]],
    ['', []],
  ] as const) {
    const parsed = parseRules(text, shipped);
    assert.ok(parsed.ok);
    assert.deepEqual(parsed.value.rules.askNever, never);
  }
});

test('an empty file means the shipped rules', () => {
  assert.deepEqual(
    names(''),
    shipped.defaults.rules.map((rule) => rule.name),
  );
  assert.deepEqual(names('# nothing\n'), names('extends: default'));
});

test("the user's rules come before the shipped ones", () => {
  assert.deepEqual(names(RULE('when: { portName: x }')).slice(0, 2), ['mine', shipped.defaults.rules[0]?.name]);
});

test('single shipped rules can be switched off, or replaced under their own name', () => {
  assert.ok(!names('disabled: [spring-boot]').includes('spring-boot'));
  const replaced = names('disabled: [spring-boot]\nrules: [{ name: spring-boot, when: { portName: x } }]');
  assert.equal(replaced.filter((name) => name === 'spring-boot').length, 1);
});

test("a rule of one's own replaces the shipped one that has come to have its name", () => {
  const parsed = parseRules('rules: [{ name: spring-boot, when: { portName: x } }]', shipped);
  assert.ok(parsed.ok);
  assert.deepEqual(
    parsed.value.warnings.map(({ path }) => path),
    ['rules[0].name'],
  );
  assert.equal(parsed.value.rules.names[0], 'spring-boot');
  assert.equal(parsed.value.rules.names.length, shipped.defaults.rules.length);
});

test('extends: none leaves the shipped rules out, and keeps the containers that others inject', () => {
  const parsed = parseRules('extends: none\nignoreContainers: [mine]', shipped);
  assert.ok(parsed.ok);
  assert.deepEqual(parsed.value.rules.names, []);
  assert.ok(parsed.value.rules.ignoreContainers.some((pattern) => pattern.matches('mine', startWork())));
  assert.ok(parsed.value.rules.ignoreContainers.some((pattern) => pattern.matches('istio-proxy', startWork())));
});

test('paths that containers state are looked for as the file says first, and as is shipped unless it extends none', () => {
  const paths = (text: string): readonly string[] => {
    const parsed = parseRules(text, shipped);
    assert.ok(parsed.ok);
    return parsed.value.rules.effective.pathFrom;
  };
  const own = "pathFrom: ['--mine=(?P<path>/.*)']";
  assert.deepEqual(paths(own), ['--mine=(?P<path>/.*)', ...shipped.defaults.pathFrom]);
  assert.deepEqual(paths(`extends: none\n${own}`), ['--mine=(?P<path>/.*)']);
  assert.match(problemsOf("pathFrom: ['--mine=/.*']").join(), /:1:12: pathFrom\[0\]: must capture the path/);
});

test('JSON is as good as YAML', () => {
  assert.deepEqual(names('{"extends":"none","rules":[{"name":"a","when":{"portName":"x"}}]}'), ['a']);
});

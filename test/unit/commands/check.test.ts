import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { isObject } from '../../../src/core/json.ts';
import { parseRules } from '../../../src/core/rules/parse.ts';
import { RulesFile } from '../../../src/core/rules/schema.ts';
import { defaultRules, readShipped } from '../../../src/rules/shipped.ts';
import { temporaryFolder } from '../../harness/autoscrape/serving.ts';
import { runAutoscrape } from '../../harness/autoscrape/run-autoscrape.ts';

const RULES = `
disabled: [spring-boot]
ignoreContainers: [my-sidecar]
images: [{ images: [acme/app], port: 9000 }]
rules:
  - { name: ours, when: { portName: acme } }
  - { name: spring-boot, when: { probePath: /health } }
`;

test('a valid file is reported as valid, with exit code 0', async () => {
  const { code, stdout, stderr } = await runAutoscrape(['check', '-'], RULES);
  const shipped = defaultRules().names.length - 1;
  assert.deepEqual([code, stderr], [0, '']);
  assert.equal(
    stdout,
    `standard input is valid. 2 of your own rules come first, then ${shipped} shipped ones; https endpoints are skipped.\n`,
  );
});

test('a valid file says in which other dialects it writes, each once', async () => {
  const { stdout } = await runAutoscrape(['check', '-'], 'dialects: [datadog, grafana, datadog]');
  assert.match(stdout, / https endpoints are skipped\. Annotations for datadog, grafana are written too\.\n$/);
});

test('what is printed decides as the file does: every field that it sets is there', async () => {
  const set = {
    https: true,
    endpoints: 'all',
    ignoreContainers: ['mine'],
    pathFrom: ['--p=(?P<path>.*)'],
    rules: [{ name: 'ours', when: { portName: 'acme' } }],
    images: [{ images: ['acme/app'], port: 9000 }],
    ask: { never: [9999] },
    annotations: { scrape: 'a/b', port: 'a/c', path: 'a/d', scheme: 'a/e' },
    dialects: ['grafana'],
  };
  // `disabled` leaves shipped rules out of what is printed.
  assert.deepEqual(
    Object.keys(RulesFile.shape).filter((field) => field !== 'extends' && field !== 'disabled'),
    Object.keys(set),
  );
  const { stdout } = await runAutoscrape(['check', '-', '--print'], JSON.stringify(set));
  const [before, after] = [JSON.stringify(set), stdout].map((text) => parseRules(text, readShipped()));
  assert.ok(before?.ok === true && after?.ok === true);
  const { effective: wanted } = before.value.rules;
  const { effective: found } = after.value.rules;
  assert.deepEqual(
    { ...found, extends: wanted.extends, rules: found.rules.length },
    {
      ...wanted,
      ignoreContainers: found.ignoreContainers,
      pathFrom: found.pathFrom,
      rules: wanted.rules.length,
    },
  );
  assert.ok(found.ignoreContainers.includes('mine') && found.pathFrom.includes('--p=(?P<path>.*)'));
});

test('all errors are listed at once, with line and advice, exit code 1', async () => {
  const wrong =
    'rulse: []\nrules:\n  - name: a\n    when: { portName: "(" }\n  - name: b\n    when: { portName: x, portNmae: x }\n';
  const [text, json] = await Promise.all([
    runAutoscrape(['check', '-'], wrong),
    runAutoscrape(['check', '-f', '-', '-o', 'json'], wrong),
  ]);
  assert.deepEqual([text.code, text.stdout, json.code, json.stderr], [1, '', 1, '']);
  const lines = text.stderr.trimEnd().split('\n');
  assert.deepEqual(
    lines.map((line) => /^standard input:(\d+):\d+: /.exec(line)?.[1]),
    ['1', '4', '6'],
  );
  assert.match(lines[0] ?? '', /did you mean "rules"/);
  assert.match(lines[2] ?? '', /rules\[1\]\.when\.portNmae: .*did you mean "portName"/);
  const answer: unknown = JSON.parse(json.stdout);
  assert.partialDeepStrictEqual(answer, { ok: false, problems: [{ line: 1 }, { line: 4 }, { line: 6 }] });
});

test('--print prints the rules in order, as a rules file with the same effective rules', async () => {
  const { code, stdout } = await runAutoscrape(['check', '-', '--print'], RULES);
  assert.equal(code, 0);
  const [before, after] = [RULES, stdout].map((text) => parseRules(text, readShipped()));
  assert.ok(before?.ok === true && after?.ok === true);
  assert.deepEqual(after.value.rules.effective.rules, before.value.rules.effective.rules);
  assert.deepEqual(after.value.rules.effective.images, before.value.rules.effective.images);
  assert.deepEqual(
    new Set(after.value.rules.effective.ignoreContainers),
    new Set(before.value.rules.effective.ignoreContainers),
  );
  assert.deepEqual(after.value.rules.annotationKeys, before.value.rules.annotationKeys);
  // Two rules of one's own, then the shipped ones.
  assert.match(stdout, /# Yours:\n *- name: ours\n[^]*- name: spring-boot\n[^#]*# Shipped:\n *- name: (?!spring-boot)/);
});

test('--print -o json prints the same as JSON', async () => {
  const { stdout } = await runAutoscrape(['check', '-', '--print', '-o', 'json'], 'extends: none');
  const file: unknown = JSON.parse(stdout);
  assert.ok(isObject(file));
  assert.deepEqual([file['extends'], file['https'], file['rules']], ['none', false, []]);
});

test('no file, two files and a missing file are errors with a message', async () => {
  const [none, two, missing] = await Promise.all([
    runAutoscrape(['check']),
    runAutoscrape(['check', 'a.yaml', '-f', 'b.yaml']),
    runAutoscrape(['check', 'missing.yaml']),
  ]);
  assert.deepEqual([none.code, two.code, missing.code], [2, 2, 1]);
  for (const { stderr } of [none, two]) assert.match(stderr, /autoscrape check rules\.yaml/);
  assert.match(missing.stderr, /missing\.yaml/);
  assert.doesNotMatch(missing.stderr, /\n\s+at /);
});

test('a Kubernetes object is recognised: one problem, with what to type', async () => {
  const configMap =
    'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: autoscrape-rules, namespace: tools }\ndata:\n  rules.yaml: |\n    https: true\n';
  const { code, stderr } = await runAutoscrape(['check', '-'], configMap);
  assert.equal(code, 1);
  assert.equal(
    stderr,
    'standard input:2:1: kind: this is a Kubernetes object (ConfigMap), not a rules file, which may be in its data: ' +
      "kubectl get configmap autoscrape-rules -n tools -o jsonpath='{.data.rules\\.yaml}' | autoscrape check -\n",
  );
  const service = await runAutoscrape(['check', '-'], 'apiVersion: v1\nkind: Service\n');
  assert.match(
    service.stderr,
    /^standard input:2:1: kind: .*\(Service\), not a rules file: `autoscrape explain -f FILE` reads/,
  );
});

test('UTF-16 is read, and a binary file is recognised', async () => {
  const utf16 = Buffer.from('\uFEFFhttps: true\n', 'utf16le');
  assert.match(
    (await runAutoscrape(['check', '-'], utf16)).stdout,
    /is valid\. .* https endpoints are annotated too\.$/m,
  );
  const { code, stderr } = await runAutoscrape(['check', '-'], Buffer.from([1, 0, 2]));
  assert.deepEqual(
    [code, stderr],
    [1, 'autoscrape: standard input is a binary file (it contains NUL bytes): give YAML or JSON\n'],
  );
});

test('--schema prints the JSON Schema of a rules file, with every field of it and no file given', async () => {
  const { code, stdout } = await runAutoscrape(['check', '--schema']);
  assert.equal(code, 0);
  const schema: unknown = JSON.parse(stdout);
  assert.partialDeepStrictEqual(schema, {
    $schema: 'http://json-schema.org/draft-07/schema#',
    additionalProperties: false,
    properties: {
      extends: { enum: ['default', 'none'] },
      ask: { properties: { never: { items: { minimum: 1, maximum: 65535 } } } },
      rules: { items: { additionalProperties: false, required: ['name', 'when'] } },
    },
  });
});

test('--diff shows which workloads the new rules change, and what', async (t) => {
  const folder = await temporaryFolder(t);
  const old = join(folder, 'old.yaml');
  await writeFile(old, 'rules: [{ name: ours, when: { portName: http }, scrape: { path: /old } }]\n');
  const rules = 'rules: [{ name: ours, when: { portName: http }, scrape: { path: /new } }]\n';
  const args = [
    'check',
    '-',
    '--diff',
    old,
    '-m',
    'examples/website.yaml',
    '-m',
    'examples/shop.yaml,examples/database.yaml',
  ];
  const [text, json, same] = await Promise.all([
    runAutoscrape(args, rules),
    runAutoscrape([...args, '-o', 'json'], 'disabled: [metrics-port, metrics-word-in-port]\n'),
    runAutoscrape(['check', old, '--diff', old, '-m', 'examples']),
  ]);
  assert.deepEqual([text.code, text.stderr], [0, '']);
  assert.equal(
    text.stdout,
    `Deployment website  examples/website.yaml:2
  - rule ours: prometheus.io/scrape=true prometheus.io/port=8080 prometheus.io/path=/old
  + rule ours: prometheus.io/scrape=true prometheus.io/port=8080 prometheus.io/path=/new
Deployment shop  examples/shop.yaml:11
  - rule ours: prometheus.io/scrape=true prometheus.io/port=8080 prometheus.io/path=/old
  + rule ours: prometheus.io/scrape=true prometheus.io/port=8080 prometheus.io/path=/new
2 of 3 workloads would change.
`,
  );
  assert.partialDeepStrictEqual(JSON.parse(json.stdout), {
    ok: true,
    workloads: 3,
    changes: [
      {
        workload: 'Deployment website',
        before: { outcome: 'annotate', rule: 'ours' },
        after: { outcome: 'skip', rule: null, reason: 'no_candidate', annotations: {} },
      },
      { workload: 'Deployment shop', after: { reason: 'no_candidate' } },
    ],
  });
  assert.match(same.stdout, /^0 of 7 workloads would change\.$/m);
});

test('--diff and --manifests belong together, and manifests that are not read are an error', async () => {
  for (const flags of [
    ['--diff', 'examples/rules/rules.yaml'],
    ['-m', 'examples'],
  ]) {
    const { code, stderr } = await runAutoscrape(['check', 'examples/rules/rules.yaml', ...flags]);
    assert.equal(code, 2);
    assert.match(stderr, /--diff and --manifests belong together/);
  }
  const rules = 'examples/rules/rules.yaml';
  const { code, stderr } = await runAutoscrape(['check', rules, '--diff', rules, '-m', 'missing.yaml']);
  assert.deepEqual([code, stderr], [1, 'missing.yaml: no such file or folder\n']);
});

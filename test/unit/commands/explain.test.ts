// A process of its own: it starts processes, and waits for them.
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import type { TestContext } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { defaultRules } from '../../../src/rules/shipped.ts';
import { OutputLine } from '../../../src/explain/record-schema.ts';
import { at } from '../../harness/chart/render.ts';
import { run, temporaryFolder } from '../../harness/autoscrape/serving.ts';
import { MAIN, runAutoscrape } from '../../harness/autoscrape/run-autoscrape.ts';

const FIELDS = [
  'type',
  'apiVersion',
  'kind',
  'namespace',
  'name',
  'template',
  'file',
  'line',
  'namespaceOptIn',
  'outcome',
  'rule',
  'reason',
  'sentence',
  'confirm',
  'endpoints',
  'because',
  'annotations',
  'warnings',
  'notes',
  'advice',
  'candidates',
];

function lines(stdout: string): Record<string, unknown>[] {
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
}

/** Returns the lines about workloads. */
function records(stdout: string): Record<string, unknown>[] {
  return lines(stdout).filter(({ type }) => type === 'workload');
}

const deployment = `
apiVersion: apps/v1
kind: Deployment
metadata: { name: shop, namespace: prod }
spec: { template: { spec: { containers: [{ name: app, ports: [{ containerPort: 9464, name: metrics }] }] } } }
`;
const nothing = 'kind: Pod\nmetadata: { name: silent }\nspec: { containers: [{ name: app }] }\n';

async function fileWith(t: TestContext, name: string, text: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'autoscrape-'));
  t.after(() => rm(folder, { recursive: true }));
  await writeFile(join(folder, name), text);
  return join(folder, name);
}

test('-o json prints one line for each workload, with all fields, then one for each object that is none, and the totals', async () => {
  const { code, stdout, stderr } = await runAutoscrape(
    ['explain', '-f', '-', '-o', 'json'],
    `${deployment}---\nkind: Service\n---\n${nothing}`,
  );
  assert.equal(stderr, '');
  assert.equal(code, 0);
  const [shop, silent, service, summary, ...more] = lines(stdout);
  assert.ok(shop !== undefined && silent !== undefined);
  assert.equal(more.length, 0);
  assert.deepEqual(service, {
    type: 'passed_over',
    apiVersion: '',
    kind: 'Service',
    namespace: '',
    name: '',
    why: 'no_pods',
    because: 'Objects of this kind create no pods.',
    owner: null,
  });
  assert.deepEqual([summary?.['type'], summary?.['workloads'], summary?.['passedOver']], ['summary', 2, 1]);
  assert.deepEqual([Object.keys(shop), Object.keys(silent)], [FIELDS, FIELDS]);
  assert.deepEqual(
    { ...shop, annotations: undefined, endpoints: undefined, candidates: undefined },
    {
      type: 'workload',
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      namespace: 'prod',
      name: 'shop',
      template: 'spec.template',
      file: 'standard input',
      line: 2,
      namespaceOptIn: null,
      outcome: 'annotate',
      rule: 'metrics-port',
      reason: null,
      sentence: null,
      confirm: false,
      endpoints: undefined,
      because: null,
      annotations: undefined,
      warnings: [],
      notes: [],
      advice: ['kubectl label namespace prod autoscrape.io/inject=enabled'],
      candidates: undefined,
    },
  );
  const added = { 'prometheus.io/scrape': 'true', 'prometheus.io/port': '9464', 'prometheus.io/path': '/metrics' };
  const marker = JSON.stringify({ rule: 'metrics-port', added });
  assert.deepEqual(shop['annotations'], { ...added, 'autoscrape.io/injected': marker });
  assert.deepEqual(
    [silent['outcome'], silent['rule'], silent['reason'], silent['annotations']],
    ['skip', null, 'no_candidate', {}],
  );
});

test('-o yaml prints the same records as -o json, one document each', async () => {
  const input = `${deployment}---\n${nothing}`;
  const [json, yaml] = await Promise.all(
    ['json', 'yaml'].map((format) => runAutoscrape(['explain', '-f', '-', '-o', format], input)),
  );
  const documents = parseAllDocuments(yaml?.stdout ?? '').map((document): unknown => document.toJS());
  assert.deepEqual(documents, lines(json?.stdout ?? ''));
});

test('every pod of a list of 400 is explained, in order', async () => {
  const items = Array.from({ length: 400 }, (_, i) => ({
    kind: 'Pod',
    metadata: { name: `pod-${i}` },
    spec: { containers: [{ name: 'app', ports: [{ containerPort: 9000 + i, name: 'metrics' }] }] },
  }));
  const input = JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
  const { code, stdout } = await runAutoscrape(['explain', '-f', '-', '-o', 'json'], input);
  assert.equal(code, 0);
  assert.deepEqual(
    records(stdout).map(({ name }) => name),
    items.map(({ metadata }) => metadata.name),
  );
  // 20,000 pods must stay below 20 MB; with the rules that don't match, it would be 190 MB.
  assert.ok(stdout.length / items.length < 1_000, String(stdout.length / items.length));
});

test('an unreadable document is reported with file and line, exit code 1, and the rest is explained', async (t) => {
  const template = await fileWith(
    t,
    'template.yaml',
    `${deployment}---\nkind: Deployment\nmetadata:\n  name: {{ .x }}\n`,
  );
  const { code, stdout, stderr } = await runAutoscrape(
    ['explain', '-f', template, '-f', 'missing.yaml', '-f', '-', '-o', 'json'],
    nothing,
  );
  assert.equal(code, 1);
  assert.deepEqual(
    records(stdout).map(({ name }) => name),
    ['shop', 'silent'],
  );
  const [first, second, ...more] = stderr.trimEnd().split('\n');
  assert.ok(first?.startsWith(`${template}:9:9: a template`), first);
  assert.equal(second, 'missing.yaml: no such file or folder');
  assert.deepEqual(more, []);
});

test('text ends with a summary, and has no escape codes when it is piped', async () => {
  const { stdout } = await runAutoscrape(['explain', '-f', '-'], `${deployment}---\nkind: Service\n`);
  assert.match(stdout, /^Deployment prod\/shop: would be annotated by rule metrics-port$/m);
  assert.match(
    stdout,
    /1 workload: 1 would be annotated, 0 skipped\.\nNot read, because they create no pods: 1 Service\.\n$/,
  );
  assert.ok(!stdout.includes('\u001B'));
});

test('a namespace with an unknown opt-in or ask label is reported on stderr, with what to write instead', async () => {
  const { code, stderr } = await runAutoscrape(
    ['explain', '-f', '-'],
    ['inject', 'ask']
      .flatMap((label) =>
        ['on', 'enabled', 'true', 'disabled', 'false'].map(
          (value) =>
            `kind: Namespace\nmetadata: { name: is-${value}, labels: { autoscrape.io/${label}: '${value}' } }\n`,
        ),
      )
      .join('---\n'),
  );
  assert.deepEqual(
    [code, stderr],
    [
      0,
      ['inject', 'ask']
        .map(
          (label) =>
            `standard input: Namespace is-on: label autoscrape.io/${label} is "on", which is read as no: write enabled or disabled\n`,
        )
        .join(''),
    ],
  );
});

test('a file that is no manifest, or is missing, is reported on stderr, exit code 1', async () => {
  const [prose, missing, empty] = await Promise.all([
    runAutoscrape(['explain', '-f', '-'], 'hello\n'),
    runAutoscrape(['explain', '-f', 'missing.yaml']),
    runAutoscrape(['explain', '-f', '-'], ''),
  ]);
  assert.deepEqual([prose.code, prose.stdout, missing.code, missing.stdout], [1, '', 1, '']);
  assert.match(
    prose.stderr,
    /^standard input:1:1: not a manifest: a manifest is a mapping with kind, metadata and spec.*\n$/,
  );
  assert.equal(missing.stderr, 'missing.yaml: no such file or folder\n');
  assert.deepEqual(
    [empty.code, empty.stdout, empty.stderr],
    [1, '', 'autoscrape: the input is empty: did the command before it fail?\n'],
  );
});

test('concatenated JSON values are explained up to the first broken one, which is reported', async () => {
  const pods = ['first', 'third'].map((name) => JSON.stringify({ kind: 'Pod', metadata: { name } }));
  const { code, stdout, stderr } = await runAutoscrape(
    ['explain', '-f', '-', '-o', 'json'],
    pods.join('\n{ "kind": "Pod",\n"metadata": {] }\n'),
  );
  assert.equal(code, 1);
  assert.deepEqual(
    records(stdout).map(({ name }) => name),
    ['first', 'third'],
  );
  assert.match(stderr, /^standard input:3:\d+: not YAML: .*\n$/);
});

test('--rules and --mesh change the decision; the errors of an invalid rules file are listed by line', async (t) => {
  const rules = await fileWith(
    t,
    'rules.yaml',
    'https: true\nrules: [{ name: mine, when: { container: app }, scrape: { scheme: https } }]\n',
  );
  const run = (...flags: readonly string[]): Promise<{ readonly stdout: string }> =>
    runAutoscrape(['explain', '-f', '-', '-o', 'json', '--rules', rules, ...flags], deployment);
  const [plain, mesh] = await Promise.all([run(), run('--mesh')]);
  assert.equal(records(plain.stdout)[0]?.['rule'], 'mine');
  assert.equal(records(mesh.stdout)[0]?.['reason'], 'mesh_https');

  const wrong = await fileWith(t, 'wrong.yaml', 'rulse: []\nhttps: maybe\n');
  const { code, stdout, stderr } = await runAutoscrape(['explain', '-f', '-', '--rules', wrong], deployment);
  assert.deepEqual([code, stdout], [1, '']);
  assert.match(stderr, /wrong\.yaml:1:\d+: rulse: unknown field.*did you mean "rules"/);
  assert.match(stderr, /wrong\.yaml:2:\d+: https: /);
});

test('confirm is true where the rule only hints, in json and yaml', async () => {
  const probe = '{ httpGet: { path: /actuator/health, port: 8080 } }';
  const pod = `kind: Pod\nmetadata: {}\nspec: { containers: [{ name: a, ports: [{ containerPort: 8080 }], livenessProbe: ${probe} }] }\n`;
  const { stdout } = await runAutoscrape(['explain', '-f', '-', '-o', 'json'], pod);
  assert.deepEqual(
    records(stdout).map(({ rule, confirm }) => [rule, confirm]),
    [['spring-boot', true]],
  );
});

test('a rule for a namespace sees that of the manifest, and that of -n where the manifest names none', async (t) => {
  const rules = await fileWith(
    t,
    'rules.yaml',
    'rules: [{ name: mine, when: { namespace: shop, portNumber: 8080 } }]\n',
  );
  const { stdout } = await runAutoscrape(
    ['explain', '-f', '-', '-o', 'json', '--rules', rules, '-n', 'shop'],
    ['{ namespace: shop }', '{ namespace: other }', '{}']
      .map(
        (metadata) =>
          `---\nkind: Deployment\nmetadata: ${metadata}\nspec: { template: { spec: { containers: [{ name: a, ports: [{ containerPort: 8080 }] }] } } }\n`,
      )
      .join(''),
  );
  assert.deepEqual(
    records(stdout).map(({ rule }) => rule),
    ['mine', null, 'mine'],
  );
});

test('files may be arguments, and what is piped in is read without any', async () => {
  const [piped, named] = await Promise.all([
    runAutoscrape(['explain', '-o', 'name'], deployment),
    runAutoscrape(['explain', '-o', 'name', 'examples/shop.yaml', 'examples/website.yaml']),
  ]);
  assert.deepEqual([piped.code, piped.stderr, piped.stdout.split('\n').length], [0, '', 2]);
  assert.deepEqual([named.code, named.stdout], [0, 'deployment.apps/shop\ndeployment.apps/website\n']);
});

test('without files, and where nothing is piped in, it is a usage error', async () => {
  const { code, stderr } = await run(['explain']);
  assert.equal(code, 2);
  assert.match(stderr, /required option '-f, --filename <file>' not specified: autoscrape explain -f deployment\.yaml/);
});

test('each candidate in a record names the rules that match, and with --details every rule once', async () => {
  const plain = await runAutoscrape(['explain', '-f', '-', '-o', 'json'], deployment);
  assert.match(plain.stdout, /"matched":\[\{"rule":"metrics-port"/);
  assert.doesNotMatch(plain.stdout, /notMatched/);
  const { stdout } = await runAutoscrape(['explain', '-f', '-', '-o', 'json', '--details'], deployment);
  const named = [...stdout.slice(stdout.indexOf('"candidates"')).matchAll(/"rule":"([^"]*)"/g)].map(
    ([, rule = '']) => rule,
  );
  assert.deepEqual(named.toSorted(), defaultRules().names.toSorted());
});

const list = `${deployment}---
${nothing}---
kind: StatefulSet
metadata: { name: wrong, namespace: prod }
spec: { template: { metadata: { annotations: { prometheus.io/scrap: 'true' } }, spec: { containers: [{ name: app }] } } }
`;

test('several workloads are a table, with what the reasons mean, and the totals by rule and reason', async () => {
  const { code, stdout } = await runAutoscrape(['explain', '-f', '-'], list);
  assert.equal(code, 0);
  assert.deepEqual(stdout.split('\n'), [
    'WORKLOAD                BECOMES THE TARGET  BY',
    'Deployment prod/shop    :9464/metrics       rule metrics-port',
    'Pod silent              none: skipped       no_candidate',
    'StatefulSet prod/wrong  none: skipped       no_candidate',
    '',
    '  no_candidate  No rule finds a metrics endpoint in this pod.',
    '',
    '1 with a warning: --only warning shows it, and -v everything.',
    '',
    '3 workloads: 1 would be annotated, 2 skipped.',
    '  annotated by  metrics-port 1',
    '  skipped       no_candidate 2',
    '',
  ]);
});

test('-o wide adds pods, opt-in, warnings and the place in the file; -o name prints what kubectl prints', async () => {
  const [wide, name] = await Promise.all(
    ['wide', 'name'].map((output) => runAutoscrape(['explain', '-f', '-', '-o', output], list)),
  );
  assert.match(wide?.stdout ?? '', /^WORKLOAD +BECOMES THE TARGET +BY +PODS +OPTED IN +WARNINGS +FILE$/m);
  assert.match(wide?.stdout ?? '', /^StatefulSet prod\/wrong .* 1 +1 +standard input:11$/m);
  assert.equal(name?.stdout, 'deployment.apps/shop\npod/silent\nstatefulset/wrong\n');
});

async function explainList(...flags: readonly string[]): Promise<string> {
  return (await runAutoscrape(['explain', '-f', '-', ...flags], list)).stdout;
}

test('--only leaves the other workloads away, in every format, and counts them all', async () => {
  const [annotate, skip, warning, json] = await Promise.all([
    explainList('-o', 'name', '--only', 'annotate'),
    explainList('-o', 'name', '--only', 'skip'),
    explainList('--only', 'warning'),
    explainList('--only', 'warning', '-o', 'json'),
  ]);
  assert.equal(annotate, 'deployment.apps/shop\n');
  assert.equal(skip, 'pod/silent\nstatefulset/wrong\n');
  assert.match(
    warning,
    /^StatefulSet prod\/wrong .*\n {4}! The annotation prometheus\.io\/scrap is read by nobody, did you mean/m,
  );
  assert.doesNotMatch(warning, /silent/);
  assert.match(warning, /^3 workloads: /m);
  assert.deepEqual(
    records(json).map(({ name }) => name),
    ['wrong'],
  );
});

test('-v explains several workloads one by one, with each port', async () => {
  const { stdout } = await runAutoscrape(['explain', '-f', '-', '-v'], list);
  assert.match(stdout, /^Pod silent: skipped \(no_candidate\)$/m);
  assert.match(stdout, /^ {2}port 9464 metrics, container app {2}matched by rule metrics-port: http, \/metrics$/m);
});

test('with several files, every answer names its file and line', async (t) => {
  const [first, second] = await Promise.all([fileWith(t, 'a.yaml', list), fileWith(t, 'b.yaml', deployment)]);
  const flags = ['explain', '-f', first, '-f', second];
  const [table, text] = await Promise.all([runAutoscrape(flags), runAutoscrape([...flags, '-o', 'text'])]);
  assert.ok(table.stdout.includes(`rule metrics-port  ${second}:2\n`), table.stdout);
  assert.ok(text.stdout.includes(`would be annotated by rule metrics-port  ${second}:2\n`), text.stdout);
});

function owner(kind: string, name: string): object {
  return { ownerReferences: [{ controller: true, kind, name }] };
}

test('500 objects of kubectl get all: each workload once, with the opt-in of its namespace', async () => {
  const spec = {
    containers: [{ name: 'app', image: 'registry.example/app:1', ports: [{ name: 'metrics', containerPort: 9464 }] }],
  };
  const items = Array.from({ length: 100 }, (_, i) => {
    const namespace = `ns-${i % 10}`;
    const [web, set] = [`web-${i}`, `web-${i}-x`];
    return [
      {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: web, namespace },
        spec: { replicas: 2, template: { spec } },
      },
      {
        apiVersion: 'apps/v1',
        kind: 'ReplicaSet',
        metadata: { name: set, namespace, ...owner('Deployment', web) },
        spec: { template: { spec } },
      },
      ...['a', 'b'].map((pod) => ({
        kind: 'Pod',
        metadata: { name: `${set}-${pod}`, namespace, ...owner('ReplicaSet', set) },
        spec,
      })),
      { apiVersion: 'v1', kind: 'Service', metadata: { name: web, namespace }, spec: {} },
    ];
  }).flat();
  const namespaces = Array.from({ length: 10 }, (_, i) => ({
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: `ns-${i}`, labels: i === 0 ? { 'autoscrape.io/inject': 'enabled' } : {} },
  }));
  const input = JSON.stringify({ kind: 'List', items: [...items, ...namespaces] });
  const { stdout } = await runAutoscrape(['explain', '-f', '-', '-o', 'json'], input);
  const found = records(stdout);
  assert.equal(found.length, 100);
  assert.deepEqual(
    found.slice(0, 3).map(({ name, namespaceOptIn }) => [name, namespaceOptIn]),
    [
      ['web-0', 'yes'],
      ['web-1', 'no'],
      ['web-2', 'no'],
    ],
  );
  const rest = lines(stdout).filter(({ type }) => type !== 'workload');
  const owned = rest.filter(({ why }) => why === 'counted_with_owner');
  assert.deepEqual([owned.length, owned[0]?.['owner']], [300, 'Deployment web-0']);
  assert.equal(rest.at(-1)?.['pods'], 200);
});

test('explain writes no control characters that a manifest or a file name brings, whatever the format', async (t) => {
  const hostile = '\u001B[31m\u009B1m\u202E\u2028';
  const container = { name: hostile, image: `x/${hostile}`, ports: [{ name: hostile, containerPort: 8080 }] };
  const metadata = { name: hostile, namespace: hostile, labels: { [hostile]: hostile } };
  const pod = { apiVersion: 'v1', kind: 'Pod', metadata, spec: { containers: [container] } };
  const other = { apiVersion: `${hostile}.example/v1`, kind: hostile, metadata };
  const label = {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { ...metadata, labels: { 'autoscrape.io/inject': 'on' } },
  };
  const text = [pod, other, label].map((object) => JSON.stringify(object)).join('\n---\n');
  const file = await fileWith(t, `a${hostile}.yaml`, `${text}\n---\nnot a manifest\n`);
  for (const output of ['text', 'table', 'wide', 'name', 'json', 'yaml', 'github', 'sarif']) {
    const { stdout, stderr } = await runAutoscrape(['explain', file, '-v', '-o', output]);
    assert.ok(stdout !== '' && stderr !== '');
    for (const line of `${stdout}${stderr}`.split('\n')) assert.doesNotMatch(line, /[\p{Cc}\p{Zl}\p{Bidi_Control}]/u);
  }
});

test('each line of -o json is what --schema says, and has no other fields', async () => {
  const { code, stdout } = await runAutoscrape(['explain', '--schema']);
  assert.equal(code, 0);
  const schema: {
    oneOf: { properties: { type: { const: string }; candidates?: { items: { properties: object } } } }[];
  } = JSON.parse(stdout);
  const [workload] = schema.oneOf;
  const odd = 'kind: Pod\nspec: { containers: [{ name: a, ports: [{ containerPort: x }] }] }\n';
  const lines = await Promise.all([
    runAutoscrape(['explain', '-o', 'json', '--details', 'examples']),
    runAutoscrape(['explain', '-o', 'json'], odd),
  ]);
  const all = lines.flatMap((ended) => ended.stdout.trimEnd().split('\n')).map((line): unknown => JSON.parse(line));
  assert.deepEqual(
    new Set(all.map((line) => OutputLine.parse(line).type)),
    new Set(['workload', 'passed_over', 'summary']),
  );
  for (const line of all) {
    const known = schema.oneOf.find(({ properties }) => properties.type.const === at(line, 'type'));
    assert.deepEqual(Object.keys(Object(line)), Object.keys(known?.properties ?? {}));
  }
  const candidate = Object.keys(Object(at(all[0], 'candidates', 0)));
  assert.deepEqual(
    candidate.toSorted(),
    Object.keys(workload?.properties.candidates?.items.properties ?? {}).toSorted(),
  );
});

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  test(`${signal} ends explain while it waits for a FIFO's writer`, async (t) => {
    const fifo = join(await temporaryFolder(t), 'fifo.yaml');
    execFileSync('mkfifo', [fifo]);
    // It reads the first file, reports it on stderr, and then waits.
    const child = spawn(process.execPath, [MAIN, 'explain', 'missing.yaml', fifo], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    await once(child.stderr, 'data');
    child.kill(signal);
    const [code, by] = await once(child, 'exit');
    assert.deepEqual([code, by], [null, signal]);
  });
}

test(
  'shows its progress on a terminal, and clears it',
  { skip: spawnSync('script', ['--version']).status !== 0 },
  async () => {
    const command = `${process.execPath} ${MAIN} explain -o name examples > /dev/null`;
    const { stdout } = spawnSync('script', ['-qec', command, '/dev/null'], { encoding: 'utf8' });
    assert.ok(stdout.startsWith('\r0 of 7 workloads\u001B[K'), JSON.stringify(stdout));
    assert.ok(stdout.endsWith('\r\u001B[K'));
  },
);

test('what is no manifest of an object is reported: a list without items, a file without kinds, an object of the cluster', async (t) => {
  const empty = await runAutoscrape(['explain', '-f', '-'], '{"apiVersion":"v1","kind":"List","items":[]}');
  assert.deepEqual(
    [empty.code, empty.stderr],
    [1, 'autoscrape: the input is a list without items: is the namespace the right one?\n'],
  );
  const values = await runAutoscrape(['explain', await fileWith(t, 'values.yaml', 'image: { tag: v1 }\n')]);
  assert.match(values.stdout, /Not read: 1 without a kind, and so no Kubernetes object/);
  const live = await runAutoscrape(['explain', '-f', 'pod/shop-1']);
  assert.equal(live.code, 1);
  assert.match(live.stderr, /no such file or folder; an object .* stands without -f: autoscrape explain pod\/shop-1/);
});

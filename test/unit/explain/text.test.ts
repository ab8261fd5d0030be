import assert from 'node:assert/strict';
import { stripVTControlCharacters } from 'node:util';
import test from 'node:test';
import { parse } from 'yaml';
import { parseRules } from '../../../src/core/rules/parse.ts';
import type { Rules } from '../../../src/core/rules/parse.ts';
import { examineInFull } from '../../../src/explain/examine.ts';
import { relate } from '../../../src/explain/related-objects.ts';
import { renderExplanation } from '../../../src/explain/text.ts';
import type { TextStyle } from '../../../src/explain/text.ts';
import type { Workload } from '../../../src/manifest/workload.ts';
import { readShipped } from '../../../src/rules/shipped.ts';

const SHIPPED = readShipped();
const RULES = readRules(`
extends: none
rules:
  - { name: off, when: { argument: --metrics=off }, exclude: true }
  - { name: sidecar, when: { container: proxy, portName: stats } }
  - { name: named, when: { portName: metrics|telemetry } }
  - { name: hint, when: { portName: hint }, confirm: true }
  - { name: probed, when: { probePath: /healthz }, scrape: { path: /probed } }
`);

function readRules(text: string): Rules {
  const parsed = parseRules(text, SHIPPED);
  assert.ok(parsed.ok);
  return parsed.value.rules;
}

interface Made {
  readonly metadata?: object;
  readonly containers: readonly object[];
}

function made(what: Pick<Workload, 'kind' | 'namespace' | 'name' | 'pod'>): Workload {
  return { ...what, apiVersion: '', line: 1, object: what.pod, template: 'spec.template', isOneOfSeveral: false };
}

function render(workload: Workload, rules: Rules, style: Partial<TextStyle> = {}): string {
  const surroundings = { rules, related: relate([], ''), mesh: false, defaultNamespace: '' };
  const examined = examineInFull({ workload, file: 'app.yaml' }, surroundings);
  return renderExplanation(examined, rules, { columns: 100, verbose: true, withFile: false, ...style });
}

function lines({ metadata = {}, containers }: Made): string[] {
  const workload = made({
    kind: 'Deployment',
    namespace: 'shop',
    name: 'app',
    pod: { metadata, spec: { containers } },
  });
  const text = render(workload, RULES);
  assert.ok(text.endsWith('\n'));
  return stripVTControlCharacters(text).trimEnd().split('\n');
}

const http = { containerPort: 8080, name: 'http' };
const metrics = { containerPort: 9464, name: 'metrics' };
const dns = { containerPort: 53, protocol: 'UDP' };

test('an annotated workload shows what is added, which rule took which port, and who was asked before', () => {
  const livenessProbe = { httpGet: { port: 8080, path: '/healthz' } };
  assert.deepEqual(lines({ containers: [{ name: 'app', ports: [http, metrics, dns], livenessProbe }] }), [
    'Deployment shop/app: would be annotated by rule named',
    '  Its target: :9464/metrics, of container app.',
    '  To do: kubectl label namespace shop autoscrape.io/inject=enabled',
    '  + prometheus.io/scrape: "true"',
    '  + prometheus.io/port: "9464"',
    '  + prometheus.io/path: "/metrics"',
    '  + autoscrape.io/injected, which records these',
    '  Port 8080 of container app (/probed, rule probed) is not scraped, because rule named decides for',
    '  its container: a PodMonitor, or a scrape configuration by port name, takes several.',
    '  port 8080 http, container app     probed matches (http, /probed), but named comes first',
    '  port 9464 metrics, container app  matched by rule named: http, /metrics',
    '      earlier rules, not matched: sidecar',
    '  port 53, container app            declared, but not for TCP',
  ]);
});

test('where nothing is found, each rule that could have found it says what it looks for, once for ports that share it', () => {
  assert.deepEqual(lines({ containers: [{ name: 'app', ports: [http, { containerPort: 8081 }] }] }), [
    'Deployment shop/app: skipped (no_candidate)',
    '  No rule finds a metrics endpoint in this pod.',
    '  To do: if it has metrics, label the pod template autoscrape.io/port: http, or the port that has',
    '      them',
    '  Where asking is on, the reconciler asks ports 8080 and 8081 once the pod runs, and annotates what',
    '      answers.',
    '  Or a rule for all pods of this container:',
    '    rules:',
    '      - name: app',
    '        when: { container: app, portName: http }',
    '  port 8080 http, container app  no rule matches',
    '  port 8081, container app       no rule matches',
    "      sidecar  the container's name does not match proxy",
    '      named    no port name matches metrics|telemetry',
    '      hint     no port name matches hint',
    '      probed   no probe path matches /healthz',
  ]);
});

test('a rule that only hints says what is asked first', () => {
  const all = lines({ containers: [{ name: 'app', ports: [{ containerPort: 7000, name: 'hint' }] }] });
  assert.equal(all[0], 'Deployment shop/app: would be annotated by rule hint');
  assert.equal(all[7], '  Rule hint only hints: where asking is on, :7000/metrics is asked first.');
});

test('a pod without any port says so', () => {
  assert.match(lines({ containers: [{ name: 'app' }] })[1] ?? '', /No container declares a port/);
});

test('a pod that opted out shows what it would have been', () => {
  const [first, second, , third] = lines({
    metadata: { labels: { 'autoscrape.io/inject': 'disabled' } },
    containers: [{ name: 'app', ports: [metrics] }],
  });
  assert.equal(first, 'Deployment shop/app: skipped (opted_out)');
  assert.match(second ?? '', /label autoscrape\.io\/inject/);
  assert.equal(third, '  port 9464 metrics, container app  named matches (http, /metrics)');
});

test("a path that the pod states itself is not passed off as the rule's", () => {
  const annotations = { 'prometheus.io/port': '8080', 'prometheus.io/path': '/mine' };
  const all = lines({ metadata: { annotations }, containers: [{ name: 'app', ports: [http] }] });
  assert.equal(
    all.at(-1),
    '  port 8080 http, container app  matched by its own annotation: http, the path as annotated',
  );
});

test('a rule that says "switched off" is named', () => {
  const [first] = lines({ containers: [{ name: 'app', args: ['--metrics=off'], ports: [metrics] }] });
  assert.equal(first, 'Deployment shop/app: skipped (switched_off, rule off)');
});

test('warnings stand below what they are about', () => {
  const annotations = { 'prometheus.io/scrape': 'True' };
  const all = lines({ metadata: { annotations }, containers: [{ name: 'app', ports: [metrics] }] });
  assert.match(all.find((line) => line.includes('!')) ?? '', /^ {2}! prometheus\.io\/scrape must be exactly "true"/);
});

test('of two ports that one rule finds, the second says why it is not annotated', () => {
  const telemetry = { containerPort: 9465, name: 'telemetry' };
  const all = lines({ containers: [{ name: 'app', ports: [metrics, telemetry] }] });
  assert.match(all.at(-2) ?? '', /matched by rule named: .*, but the rules annotate one endpoint of a pod$/);
});

test('a manifest cannot write escape sequences to the terminal', () => {
  const evil = '\u001B[2J\nDeployment fine: annotated';
  const pod = {
    metadata: { labels: { [evil]: 1 } },
    spec: { containers: [{ name: evil, ports: [{ containerPort: 9464, name: evil }] }] },
  };
  for (const labels of [pod.metadata.labels, {}]) {
    const workload = made({ kind: evil, namespace: evil, name: evil, pod: { ...pod, metadata: { labels } } });
    const text = render(workload, RULES);
    assert.ok(!text.includes('\u001B[2J'));
    assert.doesNotMatch(text, /^Deployment fine/m);
  }
});

test('a port that is not a number is shown as it is', () => {
  const all = lines({ containers: [{ name: 'app', ports: [{ containerPort: '80' }] }] });
  assert.match(all.at(-1) ?? '', /^ {2}port \(not a number\), container app {2}cannot be scraped/);
});

test('no line of rules is wider than 100 columns', () => {
  const rules = readRules(
    `{ extends: none, rules: [${Array.from({ length: 30 }, (_, i) => `{ name: rule-${i}, when: { portName: ${'x'.repeat(150)}${i} } }`).join()}, { name: last, when: { container: app } }] }`,
  );
  for (const name of ['app', 'other']) {
    const pod = { metadata: {}, spec: { containers: [{ name, ports: [http] }] } };
    const text = render(made({ kind: 'Pod', namespace: '', name: 'a', pod }), rules);
    for (const line of stripVTControlCharacters(text).split('\n')) assert.ok(line.length <= 100, line);
  }
});

test('a value with quotes is shown as it can be written into YAML', () => {
  const rules = readRules('dialects: [datadog]');
  const pod = { metadata: {}, spec: { containers: [{ name: 'app', ports: [metrics] }] } };
  const text = render(made({ kind: 'Deployment', namespace: 'shop', name: 'app', pod }), rules);
  const [line = ''] = stripVTControlCharacters(text)
    .split('\n')
    .filter((each) => each.includes('.checks'));
  const read: Readonly<Record<string, string>> = parse(line.replace('  + ', ''));
  assert.deepEqual(Object.keys(read), ['ad.datadoghq.com/app.checks']);
  assert.deepEqual(Object.keys(JSON.parse(read['ad.datadoghq.com/app.checks'] ?? '')), ['openmetrics']);
});

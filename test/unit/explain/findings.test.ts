import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { isObject } from '../../../src/core/json.ts';
import { renderForGitHub } from '../../../src/explain/github.ts';
import { sarifLog } from '../../../src/explain/sarif.ts';
import type { Finding } from '../../../src/explain/findings.ts';
import { runAutoscrape } from '../../harness/autoscrape/run-autoscrape.ts';

const deployment = (name: string, port: object, annotations: object = {}): string =>
  JSON.stringify({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name },
    spec: {
      template: { metadata: { annotations }, spec: { containers: [{ name: 'app', image: name, ports: [port] }] } },
    },
  });
const FOUND = deployment('found', { name: 'metrics', containerPort: 9000 });
const SKIPPED = deployment('skipped', { name: 'http', containerPort: 80 });
// The annotations name a port that the pod does not declare.
const WARNED = deployment(
  'warned',
  { name: 'web', containerPort: 80 },
  { 'prometheus.io/scrape': 'true', 'prometheus.io/port': '81' },
);

const explain = (input: string, ...args: readonly string[]) => runAutoscrape(['explain', '-f', '-', ...args], input);

test('--fail-on makes an outcome, a warning or a reason an error with exit code 1, whatever is shown', async () => {
  const codes = await Promise.all(
    [
      explain(FOUND + SKIPPED),
      explain(FOUND + SKIPPED, '--fail-on', 'skip'),
      explain(FOUND, '--fail-on', 'skip,warning'),
      explain(FOUND, '--fail-on', 'annotate', '--only', 'skip'),
      explain(SKIPPED, '--fail-on', 'guarded,no_candidate', '-o', 'json'),
      explain(SKIPPED, '--fail-on', 'guarded'),
      explain(WARNED, '--fail-on', 'warning', '-o', 'name'),
    ].map(async (ended) => (await ended).code),
  );
  assert.deepEqual(codes, [0, 1, 0, 1, 1, 0, 1]);
});

test('--fail-on refuses what is no outcome and no reason, with a suggestion', async () => {
  const { code, stderr } = await runAutoscrape(['explain', '-f', 'x', '--fail-on', 'skip,no_candidat']);
  assert.equal(code, 2);
  assert.match(stderr, /one of the reasons unreadable, .*not_selected, did you mean "no_candidate"\?/);
});

suite('-o github', () => {
  test('prints a command for each warning and each skip, as an error where --fail-on names it', async () => {
    const { code, stdout } = await explain(`${FOUND}\n${SKIPPED}\n${WARNED}`, '-o', 'github', '--fail-on', 'warning');
    assert.equal(code, 1);
    const heads = stdout
      .trimEnd()
      .split('\n')
      .map((line) => /^(::.*?)::/.exec(line)?.[1]);
    assert.deepEqual(heads, [
      '::notice file=standard input,line=2,title=Deployment skipped',
      '::error file=standard input,line=3,title=Deployment warned',
      '::notice file=standard input,line=3,title=Deployment warned',
    ]);
  });

  test('escapes what would end the command or a property', () => {
    const finding = {
      id: 'warning',
      level: 'warning',
      title: 'Pod a,b',
      message: '100 %\n::error::',
      file: 'a:b.yaml',
      line: 3,
    } as const;
    assert.equal(renderForGitHub(finding), '::warning file=a%3Ab.yaml,line=3,title=Pod a%2Cb::100 %25%0A::error::');
  });
});

/** Fails where the value has other keys than the schema's object, or lacks a required one. */
function hasOnly(
  value: unknown,
  required: readonly string[],
  optional: readonly string[] = [],
): Record<string, unknown> {
  assert.ok(isObject(value));
  const keys = Object.keys(value);
  assert.deepEqual(
    required.filter((key) => !keys.includes(key)),
    [],
  );
  assert.deepEqual(
    keys.filter((key) => !required.includes(key) && !optional.includes(key)),
    [],
  );
  return { ...value };
}
function listOf(value: unknown): readonly unknown[] {
  assert.ok(Array.isArray(value));
  return value;
}
const isText = (value: unknown): void => assert.ok(typeof value === 'string' && value !== '');

// The schema of SARIF 2.1.0 allows no other properties in any of these objects; only `properties` bags are open.
function isValid(log: unknown): readonly unknown[] {
  const { $schema, version, runs } = hasOnly(log, ['version', 'runs'], ['$schema']);
  assert.equal(version, '2.1.0');
  assert.ok(typeof $schema === 'string' && URL.canParse($schema));
  const [first] = listOf(runs);
  const { tool, invocations, results } = hasOnly(first, ['tool'], ['invocations', 'results']);
  const { driver } = hasOnly(hasOnly(tool, ['driver']), ['driver']);
  const { name, semanticVersion, informationUri, rules } = hasOnly(
    driver,
    ['name'],
    ['semanticVersion', 'informationUri', 'rules'],
  );
  isText(name);
  assert.match(String(semanticVersion), /^\d+\.\d+\.\d+/);
  assert.ok(URL.canParse(String(informationUri)));
  const ids = listOf(rules).map((rule) => {
    const { id, shortDescription } = hasOnly(rule, ['id'], ['shortDescription']);
    isText(hasOnly(shortDescription, ['text'])['text']);
    return id;
  });
  assert.equal(new Set(ids).size, ids.length, 'rules are unique');
  for (const one of listOf(invocations))
    assert.equal(typeof hasOnly(one, ['executionSuccessful'])['executionSuccessful'], 'boolean');
  for (const result of listOf(results)) {
    const { ruleId, ruleIndex, level, message, locations } = hasOnly(
      result,
      ['message'],
      ['ruleId', 'ruleIndex', 'level', 'locations'],
    );
    assert.equal(ids[Number(ruleIndex)], ruleId);
    assert.match(String(level), /^(?:none|note|warning|error)$/);
    isText(hasOnly(message, ['text'])['text']);
    for (const location of listOf(locations)) {
      const { physicalLocation, logicalLocations } = hasOnly(location, [], ['physicalLocation', 'logicalLocations']);
      const { artifactLocation, region } = hasOnly(physicalLocation, ['artifactLocation'], ['region']);
      assert.match(
        String(hasOnly(artifactLocation, [], ['uri'])['uri']),
        /^[\w%:/.~!*'()-]+$/,
        'a URI reference (RFC 3986)',
      );
      const { startLine } = hasOnly(region, [], ['startLine']);
      assert.ok(Number.isInteger(startLine) && Number(startLine) >= 1);
      for (const logical of listOf(logicalLocations)) hasOnly(logical, [], ['fullyQualifiedName', 'kind']);
    }
  }
  return listOf(results);
}

suite('-o sarif', () => {
  test('prints a log that is valid, with one result for each warning and each skip', async () => {
    const { code, stdout } = await explain(`${FOUND}\n${SKIPPED}\n${WARNED}`, '-o', 'sarif', '--fail-on', 'skip');
    assert.equal(code, 1);
    const results = isValid(JSON.parse(stdout));
    assert.partialDeepStrictEqual(results, [
      { ruleId: 'no_candidate', level: 'error', locations: [{ physicalLocation: { region: { startLine: 2 } } }] },
      { ruleId: 'warning', level: 'warning' },
      { ruleId: 'already_annotated', level: 'error' },
    ]);
    const { stdout: none } = await explain(FOUND, '-o', 'sarif');
    assert.deepEqual(isValid(JSON.parse(none)), []);
  });

  test('says where something could not be read, and writes paths as URIs', async () => {
    const { code, stdout } = await explain(`${SKIPPED}\n{`, '-o', 'sarif');
    assert.equal(code, 1);
    isValid(JSON.parse(stdout));
    assert.match(stdout, /"executionSuccessful": false/);
    const finding: Finding = {
      id: 'warning',
      level: 'warning',
      title: 'Pod a',
      message: 'odd',
      file: 'k8s/my app#1.yaml',
      line: 1,
    };
    const uris = [finding, { ...finding, file: '/a/b.yaml' }].map(
      (one) => /"uri":"(.*?)"/.exec(JSON.stringify(sarifLog([one], '1.0.0', true)))?.[1],
    );
    assert.deepEqual(uris, ['k8s/my%20app%231.yaml', 'file:///a/b.yaml']);
  });
});

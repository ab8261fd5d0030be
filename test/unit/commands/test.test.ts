import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Decision } from '../../../src/core/decision.ts';
import { differenceFrom, parseCases } from '../../../src/core/test-cases.ts';
import { runAutoscrape } from '../../harness/autoscrape/run-autoscrape.ts';
import { temporaryFolder } from '../../harness/autoscrape/serving.ts';

const POD =
  '{ kind: Pod, metadata: { name: a }, spec: { containers: [{ name: a, image: a, ports: [{ name: ours, containerPort: 80 }] }] } }';

test('the example passes, and fails where the rules decide otherwise, each case at its line', async (t) => {
  const file = 'examples/rules/rules.test.yaml';
  assert.deepEqual(await runAutoscrape(['test', file]), { code: 0, stdout: `${file}: 3 cases passed.\n`, stderr: '' });
  const other = join(await temporaryFolder(t), 'rules.yaml');
  await writeFile(other, 'disabled: [metrics-port]\n');
  const { code, stdout, stderr } = await runAutoscrape(['test', file, '--rules', other]);
  assert.deepEqual([code, stdout], [1, `${file}: 2 of 3 cases failed.\n`]);
  assert.match(
    stderr,
    /^examples\/rules\/rules\.test\.yaml:4:5: a port of our own name is scraped: wanted rule telemetry-port, port 9100, path \/metrics; got skip, reason no_candidate\n/,
  );
  assert.match(
    stderr,
    /:15:5: .*: wanted rule metrics-port; got annotate, rule metrics-word-in-port, port 9464, path \/metrics, scheme http\n$/,
  );
});

test('rules and manifests are found beside the file, and a case is about one workload', async (t) => {
  const folder = await temporaryFolder(t);
  const rules = 'rules: [{ name: mine, when: { portName: ours, namespace: shop } }]\n';
  const cases = `rules: rules.yaml
cases:
  - { name: by namespace, manifest: ${POD}, namespace: shop, want: { rule: mine, outcome: annotate, scheme: http } }
  - { name: no namespace, manifest: ${POD}, want: { outcome: skip } }
  - { name: in a file, manifest: pods.yaml, workload: b, want: { reason: no_candidate } }
  - { name: which, manifest: pods.yaml, want: { reason: no_candidate } }
  - { name: missing, manifest: pods.yaml, workload: c, want: { reason: no_candidate } }
  - { name: none, manifest: [], want: { reason: no_candidate } }
`;
  await writeFile(join(folder, 'rules.yaml'), rules);
  await writeFile(join(folder, 'pods.yaml'), `${POD}\n---\n${POD.replace('name: a', 'name: b')}\n`);
  const file = join(folder, 'rules.test.yaml');
  await writeFile(file, cases);
  const { code, stdout, stderr } = await runAutoscrape(['test', file]);
  assert.deepEqual([code, stdout], [1, `${file}: 3 of 6 cases failed.\n`]);
  assert.deepEqual(
    stderr
      .trimEnd()
      .split('\n')
      .map((line) => line.replace(file, '')),
    [
      ':6:7: which: the manifest has several workloads: add `workload`, one of a, b',
      ':7:7: missing: no workload is called c, only a, b',
      ':8:7: none: the manifest has no workload',
    ],
  );
});

test('mistakes in a file of cases are listed at once, with what to write instead', () => {
  const parsed = parseCases(`cases:
  - { name: a, manifest: x.yaml, want: { reson: no_candidate } }
  - { name: b, manifest: 7, want: { reason: no_candidat } }
  - { name: c, manifest: x.yaml, want: {} }
`);
  assert.ok(!parsed.ok);
  const messages = parsed.error.map(({ line, path, message }) => `${line} ${path}: ${message}`);
  assert.equal(messages.length, 4, messages.join('\n'));
  assert.match(messages[0] ?? '', /^2 cases\[0\]\.want\.reson: unknown field "reson", did you mean "reason"\?$/);
  assert.match(messages[1] ?? '', /^3 cases\[1\]\.manifest: must be a file, or the manifest itself$/);
  assert.match(
    messages[2] ?? '',
    /^3 cases\[1\]\.want\.reason: is no reason of a skip, did you mean "no_candidate"\?$/,
  );
  assert.match(messages[3] ?? '', /^4 cases\[2\]\.want: must say at least one of outcome, /);
});

test('every field of want is compared', () => {
  const skip: Decision = { outcome: 'skip', reason: 'guarded', rule: 'r', warnings: [] };
  assert.equal(differenceFrom({ outcome: 'skip', reason: 'guarded', rule: 'r' }, skip), undefined);
  for (const want of [
    { outcome: 'annotate' },
    { reason: 'declined' },
    { rule: 's' },
    { port: 80 },
    { path: '/' },
    { scheme: 'http' },
  ] as const)
    assert.match(differenceFrom(want, skip) ?? '', /^wanted .*; got skip, reason guarded, rule r$/);
});

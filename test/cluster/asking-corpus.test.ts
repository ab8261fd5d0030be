import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { runCommand } from '../../tools/command.ts';
import { temporaryFolder } from '../harness/autoscrape/serving.ts';

const BENCH = join(import.meta.dirname, '../../bench/asking.ts');

const port = (containerPort: number, name = '') => ({ name, containerPort, protocol: 'TCP' });
const container = (ports: object[], probes: string[] = []) => ({
  name: 'app',
  image: 'registry.example/team/app:1',
  args_env: ['--verbose', 'LOG_LEVEL=info'],
  ports,
  probes,
});
const row = (id: string, project: string, containers: object[], truth: object | undefined) => ({
  id,
  label: truth === undefined ? 'neg' : 'pos',
  project,
  name: id,
  kind: 'Deployment',
  pod_labels: { app: id },
  hostNetwork: false,
  containers,
  truth: truth ?? { reason: 'web application' },
});

/** Rows of our own, of which words find one, asking three more, and neither the rest. */
const ROWS = [
  row('by-words', 'shop', [container([port(9464, 'http-metrics')])], { port: 9464 }),
  row('by-probe', 'shop', [container([port(2500)], ['2500/healthz'])], { port: 2500 }),
  row('by-name', 'bank', [container([port(7777, 'web')])], { port: 7777, path: '/metrics' }),
  row('by-number', 'bank', [container([port(6379), port(8080)])], { port: 8080 }),
  row('in-vain', 'post', [container([port(4321)])], { port: 4321 }),
  row('guarded', 'post', [container([port(8081, 'web')])], { port: 8081, auth: true }),
  row('web', 'mail', [container([port(8080, 'http'), port(25, 'smtp')])], undefined),
  row('api', 'mail', [container([port(8082, 'api')], ['8082/healthz'])], undefined),
  row('echo', 'mail', [container([port(8083, 'http')])], undefined),
];

test('a corpus is played: what asking finds beyond words, and no connection where another protocol is spoken', async (t) => {
  if (process.platform !== 'linux' || process.getuid?.() !== 0)
    return t.skip('a network of its own needs Linux and root');
  const file = join(await temporaryFolder(t), 'corpus.jsonl');
  await writeFile(file, ROWS.map((each) => JSON.stringify(each)).join('\n'));
  const { code, stdout, stderr } = await runCommand(process.execPath, [BENCH, file, '--misses']);
  assert.equal(code, 0, stderr);
  for (const line of stdout.split('\n')) if (/^(?:words|asking):|requests to/.test(line)) t.diagnostic(line);
  assert.match(stdout, /^in-vain in-vain: 4321\/metrics, got \{\}$/m);
  assert.match(stdout, /^5 pods to scrape in 3 projects, 3 pods without metrics in 1 projects$/m);
  assert.match(stdout, /^https or guarded endpoints: 1 left out, 0 of them annotated$/m);
  assert.match(stdout, /^words: {2}macro recall 0\.167 {2}recall 0\.200 .* false positives 0\.000/m);
  assert.match(
    stdout,
    /^asking: macro recall 0\.667 {2}recall 0\.800 {2}port right 1\.000 {2}endpoint right 1\.000 {2}false positives 0\.000/m,
  );
  assert.match(stdout, / 0 connections to ports that don't speak HTTP/);
});

test('a corpus that is no corpus is refused, with its line', async (t) => {
  if (process.platform !== 'linux' || process.getuid?.() !== 0)
    return t.skip('a network of its own needs Linux and root');
  const file = join(await temporaryFolder(t), 'corpus.jsonl');
  await writeFile(file, '\n{"id":"x"}\n');
  const { code, stderr } = await runCommand(process.execPath, [BENCH, file]);
  assert.equal(code, 2);
  assert.match(stderr, /corpus\.jsonl:2: not a row/);
});

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { readCases } from '../../harness/consumers/case.ts';
import { CONSUMERS } from '../../harness/consumers/consumer.ts';
import { renderShort } from '../../harness/consumers/table.ts';
import type { Cell, Row } from '../../harness/consumers/table.ts';
import { EXCEPTIONS, outcomeOf, predict } from '../../harness/consumers/verdict.ts';

const IP = '192.0.2.1';
const cases = readCases();

function named(name: string) {
  const found = cases.find((subject) => subject.name === name);
  assert.ok(found, name);
  return found;
}

test('every pod has a name of its own, which can be a name in a cluster', () => {
  const names = cases.map(({ name }) => name);
  assert.equal(new Set(names).size, names.length);
  for (const name of names) assert.match(name, /^[a-z0-9-]{1,63}$/);
});

test('only exactly one target at the endpoint that was decided is right', () => {
  const sample = named('sample-app');
  const right = `http://${IP}:8000/metrics`;
  assert.equal(outcomeOf(sample, IP, [right]), 'one');
  assert.equal(outcomeOf(sample, IP, []), 'none');
  assert.equal(outcomeOf(sample, IP, [right, right]), 'twice');
  for (const url of [
    'http://192.0.2.2:8000/metrics',
    `http://${IP}:8001/metrics`,
    `http://${IP}:8000/`,
    `https://${IP}:8000/metrics`,
  ]) {
    assert.equal(outcomeOf(sample, IP, [url]), 'wrong', url);
  }
  assert.equal(outcomeOf(sample, IP, [right, `http://${IP}:8080/metrics`]), 'wrong');
});

test('plain http in place of https is a result of its own', () => {
  const proxy = named('kube-rbac-proxy-with-https');
  assert.equal(outcomeOf(proxy, IP, [`https://${IP}:8443/metrics`]), 'one');
  assert.equal(outcomeOf(proxy, IP, [`http://${IP}:8443/metrics`]), 'plain');
});

test('a pod that is left alone must give no target, unless its author wrote the annotations', () => {
  assert.equal(outcomeOf(named('nothing-that-says-metrics'), IP, [`http://${IP}/metrics`]), 'stale');
  assert.equal(outcomeOf(named('written-by-hand'), IP, [`http://${IP}/metrics`]), 'theirs');
});

test('the path of the author wins over the one of the rule', () => {
  assert.equal(outcomeOf(named('custom-path'), IP, [`http://${IP}:9090/internal/metrics`]), 'one');
});

for (const { name, consumers } of EXCEPTIONS) {
  for (const consumer of consumers) {
    test(`the exception "${name}" of ${consumer} is shown by a pod and explained in docs/consumers.md`, async () => {
      const shown = cases.some((subject) => {
        const ip = subject.status.podIP ?? IP;
        return predict(subject, ip, consumer).exception === name;
      });
      assert.ok(shown, 'no pod shows it');
      const page = await readFile(new URL('../../../docs/consumers.md', import.meta.url), 'utf8');
      assert.ok(page.includes(`- **${name}**`), 'the page has no item for it');
    });
  }
}

function row(pod: string, annotated: boolean, exception?: string): Row {
  const cell: Cell = exception === undefined ? { outcome: 'one' } : { outcome: 'twice', exception };
  return { pod, annotated, cells: new Map(CONSUMERS.map(({ name }) => [name, cell])) };
}

test('pods that are read alike share a line of the table, and those without exceptions come first', () => {
  const table = renderShort([row('c', false), row('b', true, 'why'), ...['d', 'e', 'f'].map((pod) => row(pod, true))]);
  assert.deepEqual(table.split('\n').slice(2), [
    '| 3 pods (A) | annotated | 1 | 1 | 1 | 1 | 1 |',
    '| `b` | annotated | 2 (why) | 2 (why) | 2 (why) | 2 (why) | 2 (why) |',
    '| `c` | left alone | 1 | 1 | 1 | 1 | 1 |',
    '',
    'A: `d`, `e`, `f`.',
  ]);
});

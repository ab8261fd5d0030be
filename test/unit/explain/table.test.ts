import assert from 'node:assert/strict';
import { stripVTControlCharacters } from 'node:util';
import test from 'node:test';
import { examine } from '../../../src/explain/examine.ts';
import type { Examined } from '../../../src/explain/examine.ts';
import { relate } from '../../../src/explain/related-objects.ts';
import { renderReasons, renderTable } from '../../../src/explain/table.ts';
import { readWorkloads } from '../../../src/manifest/workload.ts';
import { defaultRules } from '../../../src/rules/shipped.ts';

const STYLE = { columns: undefined, wide: false, withFile: false, withWarnings: false };
const surroundings = { rules: defaultRules(), related: relate([], ''), mesh: false, defaultNamespace: '' };

function pod(name: string, portName: string, annotations: object = {}): object {
  const containers = [{ name: 'app', ports: [{ name: portName, containerPort: 9464 }] }];
  return { kind: 'Pod', metadata: { name, annotations }, spec: { containers } };
}

function examined(...values: readonly object[]): readonly Examined[] {
  const { workloads } = readWorkloads(values.map((value, i) => ({ value, line: i + 1 })));
  return workloads.map((workload) => examine({ workload, file: 'pods.yaml' }, surroundings));
}

test('a table is as wide as the terminal at most, and is not cut where there is none', () => {
  const all = examined(pod('a'.repeat(120), 'metrics'), pod('b', 'http'));
  const lines = (columns: number | undefined): string[] =>
    stripVTControlCharacters(renderTable(all, { ...STYLE, columns }))
      .trimEnd()
      .split('\n');
  for (const line of lines(80)) assert.ok(line.length <= 80, line);
  assert.match(lines(80)[1] ?? '', /^Pod a+… {2}:9464/);
  assert.match(lines(undefined)[1] ?? '', / {2}:9464\/metrics {2,}rule metrics-port$/);
});

test('a name cannot write escape sequences to the terminal, nor a second line', () => {
  const text = renderTable(examined(pod('\u001B[2J\nPod fine', 'metrics')), STYLE);
  assert.ok(!text.includes('\u001B[2J'));
  assert.equal(text.split('\n').length, 3);
});

test('each reason is explained once, in lines that fit', () => {
  const declined = { 'prometheus.io/scrape': 'false' };
  const all = examined(pod('a', 'x'), pod('b', 'x'), pod('c', 'metrics', declined), pod('d', 'metrics'));
  const lines = renderReasons(all, 60).trimEnd().split('\n');
  assert.deepEqual(
    lines.filter((line) => /^ {2}\S/.test(line)).map((line) => line.trim().split(' ')[0]),
    ['no_candidate', 'declined'],
  );
  for (const line of lines) assert.ok(line.length <= 60, line);
});

test('a long name is cut before its target is: one name of 253 characters does not push the others off the screen', () => {
  const all = examined(pod('a'.repeat(253), 'metrics'), pod('b', 'http'));
  for (const columns of [40, 80]) {
    const [title, ...rows] = stripVTControlCharacters(renderTable(all, { ...STYLE, columns }))
      .trimEnd()
      .split('\n');
    assert.match(title ?? '', /^WORKLOAD +BECOMES THE TARGET/);
    assert.match(rows[0] ?? '', /^Pod a+…  :9464\/metrics/);
    assert.match(rows[1] ?? '', /^Pod b +none: skipped/);
    for (const line of [title ?? '', ...rows]) assert.ok(line.length <= columns, line);
  }
});

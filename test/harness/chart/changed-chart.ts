import assert from 'node:assert/strict';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { parseDocument } from 'yaml';
import { CHART } from './render.ts';

/** A copy of the chart, which is removed after the test. */
async function copyOfChart(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'autoscrape-chart-'));
  t.after(() => rm(folder, { recursive: true }));
  await cp(CHART, folder, { recursive: true });
  return folder;
}

/** The chart, if `oldest` were the oldest Kubernetes that it supports. */
export async function chartFor(t: TestContext, oldest: string): Promise<string> {
  const folder = await copyOfChart(t);
  const file = parseDocument(await readFile(join(folder, 'Chart.yaml'), 'utf8'));
  file.setIn(['annotations', 'autoscrape.io/oldest-kubernetes'], oldest);
  await writeFile(join(folder, 'Chart.yaml'), file.toString());
  return folder;
}

/** The chart as it was before it took `webhook.extraEnv`. */
export async function olderChart(t: TestContext): Promise<string> {
  const folder = await copyOfChart(t);
  await rm(join(folder, 'values.schema.json'));
  const values = parseDocument(await readFile(join(folder, 'values.yaml'), 'utf8'));
  assert.ok(values.deleteIn(['webhook', 'extraEnv']));
  await writeFile(join(folder, 'values.yaml'), values.toString());
  return folder;
}

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { Registry } from '@prometheus-io/client';
import { parse } from 'yaml';
import { createReconcileMetrics } from '../../src/reconcile/metrics.ts';
import { createWebhookMetrics } from '../../src/webhook/metrics.ts';
import { command } from '../cluster/command.ts';
import { component } from '../cluster/components.ts';
import { at, CHART, list } from './render.ts';

const alertsFile = join(CHART, 'files', 'alerts.yaml');
const alertsText = await readFile(alertsFile, 'utf8');
const alerts = list(parse(alertsText), 'groups', 0, 'rules').map((rule) => ({
  name: String(at(rule, 'alert')),
  runbook: at(rule, 'annotations', 'runbook_url'),
}));
const dashboard: unknown = JSON.parse(await readFile(join(CHART, 'files', 'dashboard.json'), 'utf8'));

suite('the alerts', () => {
  test('fire and stay quiet as they should, says promtool', async () => {
    const promtool = await component('promtool');
    await command(promtool, ['test', 'rules', 'alerts.yaml'], { cwd: import.meta.dirname });
    await command(promtool, ['check', 'rules', '--lint=all', '--lint-fatal', alertsFile]);
  });

  test('are all tested, as they fire and as they are quiet', async () => {
    const tests: unknown = parse(await readFile(join(import.meta.dirname, 'alerts.yaml'), 'utf8'));
    const cases = list(tests, 'tests').flatMap((group) => list(group, 'alert_rule_test'));
    for (const { name } of alerts) {
      const expected = cases
        .filter((one) => at(one, 'alertname') === name)
        .map((one) => list(one, 'exp_alerts').length);
      assert.ok(expected.includes(0) && expected.some((count) => count > 0), name);
    }
  });

  test('each have a section in the runbook, where their link points', async () => {
    const runbook = await readFile(join(CHART, '..', 'docs', 'runbook.md'), 'utf8');
    for (const { name, runbook: link } of alerts) {
      assert.equal(link, `docs/runbook.md#${name.toLowerCase()}`);
      assert.ok(runbook.includes(`\n## ${name}\n`), name);
    }
  });
});

test('alerts and dashboard ask for no metric of ours that no process has', async () => {
  const [webhook, reconciler] = [new Registry(), new Registry()];
  createWebhookMetrics(webhook);
  createReconcileMetrics(reconciler, { namespaces: () => 0, pods: () => new Map([['annotate', 0]]) });
  const texts = await Promise.all([webhook, reconciler].map((registry) => registry.metrics()));
  const names =
    texts
      .join('')
      .match(/^# TYPE \S+/gm)
      ?.map((line) => line.slice('# TYPE '.length)) ?? [];
  // The build's metric is every process's own (src/metrics.ts).
  const known = new Set([...names, ...names.map((name) => `${name}_bucket`), 'autoscrape_build_info']);
  const queries = [
    alertsText,
    ...list(dashboard, 'panels').flatMap((panel) => list(panel, 'targets').map((target) => String(at(target, 'expr')))),
  ];
  const asked = new Set(queries.flatMap((query) => query.match(/\bautoscrape_[a-z_]+/g) ?? []));
  assert.ok(asked.size >= 8);
  assert.deepEqual(
    [...asked].filter((name) => !known.has(name)),
    [],
  );
});

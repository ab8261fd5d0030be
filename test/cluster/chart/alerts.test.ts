import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { Registry } from '@prometheus-io/client';
import { parse, stringify } from 'yaml';
import { createReconcileMetrics } from '../../../src/reconcile/metrics.ts';
import { defaultRules } from '../../../src/rules/shipped.ts';
import { initDecisionCounters, createWebhookMetrics } from '../../../src/webhook/metrics.ts';
import { command } from '../../../tools/command.ts';
import { component } from '../../harness/build/components.ts';
import { at, CHART, list } from '../../harness/chart/render.ts';

const alertsFile = join(CHART, 'files', 'alerts.yaml');
const alertsText = await readFile(alertsFile, 'utf8');
const alerts = list(parse(alertsText), 'groups')
  .flatMap((group) => list(group, 'rules'))
  .map((rule) => ({
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
    const home = at(parse(await readFile(join(CHART, 'Chart.yaml'), 'utf8')), 'home');
    for (const { name, runbook: link } of alerts) {
      assert.equal(link, `${String(home)}/blob/main/docs/runbook.md#${name.toLowerCase()}`);
      assert.ok(runbook.includes(`\n## ${name}\n`), name);
    }
  });
});

suite('the dashboard', () => {
  test('says how many pods were annotated, whichever of the two did it', async () => {
    const expr = queryOf('Pods annotated, last hour');
    const webhook = { series: 'autoscrape_admission_requests_total{outcome="annotate",code="200"}', values: '0+2x60' };
    const reconciler = {
      series: 'autoscrape_reconcile_changes_total{action="annotate",result="done"}',
      values: '0+3x60',
    };
    await asked([
      { expr, input: [webhook, reconciler], samples: [{ labels: '{}', value: 300 }] },
      { expr, input: [webhook], samples: [{ labels: '{}', value: 120 }] },
      { expr, input: [reconciler], samples: [{ labels: '{}', value: 180 }] },
    ]);
  });

  test('shows the clusters that are chosen, and everything where no series has that label', async () => {
    const series = ['', 'cluster="x",', 'cluster="y",'].map((label, index) => ({
      series: `autoscrape_admission_requests_total{${label}outcome="annotate",code="200"}`,
      values: `0+${index + 1}x60`,
    }));
    const title = 'Pods annotated, last hour';
    await asked([
      { expr: queryOf(title), input: series.slice(0, 1), samples: [{ labels: '{}', value: 60 }] },
      { expr: queryOf(title), input: series, samples: [{ labels: '{}', value: 360 }] },
      { expr: queryOf(title, 'y'), input: series, samples: [{ labels: '{}', value: 180 }] },
    ]);
    for (const panel of list(dashboard, 'panels')) {
      for (const target of list(panel, 'targets')) {
        const expr = String(at(target, 'expr'));
        const selectors = expr.match(/\b[a-z]\w+\{/g) ?? [];
        assert.equal(expr.match(/\{cluster=~"\$cluster"/g)?.length, selectors.length, expr);
        assert.ok(!/\b(autoscrape|apiserver|process)_\w+(?![\w{])/.test(expr), expr);
      }
    }
  });

  test('has a nameless 0 only where there is nothing else to show', async () => {
    const decisions = 'autoscrape_admission_decisions_total';
    const panels = [
      ['Pods annotated, by rule', `${decisions}{outcome="annotate",rule="spring-boot"}`, '{rule="spring-boot"}'],
      ['Pods left alone, by reason', `${decisions}{outcome="skip",reason="opted_out"}`, '{reason="opted_out"}'],
      ['Requests to pods, by verdict', 'autoscrape_ask_requests_total{verdict="not_found"}', '{verdict="not_found"}'],
    ] as const;
    const plans = queryOf('Pods of opted-in namespaces, by what is to be done');
    const workloads = queryOf('Asked workloads, by result');
    const answered = { series: 'autoscrape_ask_workloads{result="metrics"}', values: '2x60' };
    const pods = { series: 'autoscrape_reconcile_pods{plan="opted_out"}', values: '3x60' };
    await asked([
      ...panels.flatMap(([title, series, labels]) => {
        const expr = queryOf(title);
        return [
          { expr, input: [{ series, values: '0+6x60' }], samples: [{ labels, value: 0.1 }] },
          // What has been counted once keeps its line.
          { expr, input: [{ series, values: '0x10 6x50' }], samples: [{ labels, value: 0 }] },
          { expr, input: [{ series, values: '0x60' }], samples: [{ labels: '{}', value: 0 }] },
        ];
      }),
      { expr: plans, input: [pods], samples: [{ labels: '{plan="opted_out"}', value: 3 }] },
      { expr: plans, input: [], samples: [{ labels: '{}', value: 0 }] },
      { expr: workloads, input: [answered], samples: [{ labels: '{result="metrics"}', value: 2 }] },
      { expr: workloads, input: [], samples: [{ labels: '{}', value: 0 }] },
    ]);
  });
});

/** Returns the first query of the dashboard's panel with this title, with what Grafana puts in for "All" unless told otherwise. */
function queryOf(title: string, cluster = '.*'): string {
  const panel = list(dashboard, 'panels').find((one) => at(one, 'title') === title);
  return String(at(panel, 'targets', 0, 'expr'))
    .replaceAll('$__rate_interval', '4m')
    .replaceAll('$cluster', cluster);
}

/** What a query has to answer after an hour, when these series were scraped every minute. */
interface Question {
  readonly expr: string;
  readonly input: readonly { readonly series: string; readonly values: string }[];
  readonly samples: readonly { readonly labels: string; readonly value: number }[];
}

/** Has promtool ask; throws with its words where an answer is another. */
async function asked(questions: readonly Question[]): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'autoscrape-dashboard-'));
  try {
    const tests = questions.map(({ expr, input, samples }) => ({
      interval: '1m',
      input_series: input,
      promql_expr_test: [{ expr, eval_time: '60m', exp_samples: samples }],
    }));
    await writeFile(
      join(directory, 'dashboard.yaml'),
      stringify({ evaluation_interval: '1m', fuzzy_compare: true, tests }),
    );
    await command(await component('promtool'), ['test', 'rules', 'dashboard.yaml'], { cwd: directory });
  } finally {
    await rm(directory, { recursive: true });
  }
}

suite('the metrics that alerts and dashboard ask for', () => {
  const queries = [
    alertsText,
    ...list(dashboard, 'panels').flatMap((panel) => list(panel, 'targets').map((target) => String(at(target, 'expr')))),
  ];
  // The build's metric is every process's own (src/process/metrics.ts).
  const names = new Set(queries.flatMap((query) => query.match(/\bautoscrape_[a-z_]+/g) ?? []));
  names.delete('autoscrape_build_info');

  test('are those of a process', async () => {
    const known = [...(await atStart()).matchAll(/^# TYPE (\S+) (\S+)/gm)].flatMap(([, name = '', type]) =>
      type === 'histogram' ? [`${name}_bucket`] : [name],
    );
    assert.ok(names.size >= 8);
    assert.deepEqual(
      [...names].filter((name) => !known.includes(name)),
      [],
    );
  });

  test('are there from the start, so that there is an answer before anything has happened, and the first thing counts', async () => {
    const samples = await atStart();
    assert.deepEqual(
      [...names].filter((name) => !samples.match(`\n${name}[{ ]`)),
      [],
    );
  });
});

/** What the processes tell before anything has happened. */
async function atStart(): Promise<string> {
  const [webhook, reconciler] = [new Registry(), new Registry()];
  initDecisionCounters(createWebhookMetrics(webhook), defaultRules(), true);
  createReconcileMetrics(reconciler, {
    namespaces: () => 0,
    pods: () => new Map([['annotate', 0]]),
    workloads: () => new Map([['waiting', 0]]),
  });
  return [await webhook.metrics(), await reconciler.metrics()].join('');
}

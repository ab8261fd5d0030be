import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Registry } from '@prometheus-io/client';
import { createLog } from '../../../src/process/log.ts';
import { defaultRules } from '../../../src/rules/shipped.ts';
import { answerReview } from '../../../src/webhook/handler.ts';
import { initDecisionCounters, createWebhookMetrics } from '../../../src/webhook/metrics.ts';
import { readFixtures } from '../../harness/pods/fixtures.ts';
import { reviewOf } from '../../harness/autoscrape/admission-review.ts';

test('each outcome of a request has a series that begins at 0, so that increase() sees the first one', async () => {
  const registry = new Registry();
  createWebhookMetrics(registry);
  assert.deepEqual(await samples(registry, 'autoscrape_admission_requests_total'), [
    '{outcome="annotate",code="200"} 0',
    '{outcome="error",code="200"} 0',
    '{outcome="error",code="500"} 0',
    '{outcome="observe",code="200"} 0',
    '{outcome="refuse",code="400"} 0',
    '{outcome="refuse",code="404"} 0',
    '{outcome="refuse",code="405"} 0',
    '{outcome="refuse",code="413"} 0',
    '{outcome="refuse",code="415"} 0',
    '{outcome="shed",code="503"} 0',
    '{outcome="skip",code="200"} 0',
  ]);
});

test('each decision has one too, for the current rules and each reason, and a reload keeps the counts', async () => {
  const registry = new Registry();
  const metrics = createWebhookMetrics(registry);
  metrics.decisions.inc({ outcome: 'annotate', rule: 'spring-boot' });
  initDecisionCounters(metrics, defaultRules(), false);
  const decisions = await samples(registry, 'autoscrape_admission_decisions_total');
  for (const sample of [
    '{outcome="annotate",rule="metrics-port"} 0',
    '{outcome="annotate",rule="annotation"} 0',
    '{outcome="annotate",rule="label"} 0',
    '{outcome="annotate",rule="spring-boot"} 1',
    '{outcome="skip",reason="no_candidate"} 0',
    '{outcome="skip",reason="switched_off",rule="metrics-port"} 0',
    '{outcome="skip",reason="https_endpoint",rule="metrics-port"} 0',
    '{outcome="skip",reason="mesh_https",rule="label"} 0',
  ])
    assert.ok(decisions.includes(sample), `${sample} is not in\n${decisions.join('\n')}`);
});

test('no decision about a fixture creates a new series', async () => {
  const registry = new Registry();
  const metrics = createWebhookMetrics(registry);
  const rules = defaultRules();
  initDecisionCounters(metrics, rules, true);
  const begun = new Set(await series(registry, 'autoscrape_admission_decisions_total'));
  const handler = { rules: () => rules, observe: false, ask: true, log: createLog('error', { write() {} }), metrics };
  for (const { pod } of readFixtures()) {
    for (const mesh of [false, true]) {
      const result = answerReview(handler, { body: Buffer.from(JSON.stringify(reviewOf(pod))), mesh, start: 0 });
      assert.ok(result.ok);
      result.value.record();
    }
  }
  const counted = await series(registry, 'autoscrape_admission_decisions_total');
  assert.deepEqual(
    counted.filter((labels) => !begun.has(labels)),
    [],
  );
});

/** The metric's samples, without its name, in order. */
async function samples(registry: Registry, name: string): Promise<string[]> {
  const page = await registry.metrics();
  const lines = page.split('\n').filter((line) => line.startsWith(`${name}{`));
  return lines.map((line) => line.slice(name.length)).toSorted();
}

/** The labels of the metric's samples, in order. */
async function series(registry: Registry, name: string): Promise<string[]> {
  return (await samples(registry, name)).map((sample) => sample.replace(/ [0-9]+$/, ''));
}

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Registry } from '@prometheus-io/client';
import { defaultRules } from '../../src/rules/shipped.ts';
import { beginDecisions, createWebhookMetrics } from '../../src/webhook/metrics.ts';

test('every way in which a request can end is counted from 0 on, so that the first one shows as an increase', async () => {
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

test('so are decisions, for the rules in force and for each reason, and what is counted already stays', async () => {
  const registry = new Registry();
  const metrics = createWebhookMetrics(registry);
  metrics.decisions.inc({ outcome: 'annotate', rule: 'spring-boot' });
  beginDecisions(metrics, defaultRules());
  const decisions = await samples(registry, 'autoscrape_admission_decisions_total');
  for (const sample of [
    '{outcome="annotate",rule="metrics-port"} 0',
    '{outcome="annotate",rule="annotation"} 0',
    '{outcome="annotate",rule="label"} 0',
    '{outcome="annotate",rule="spring-boot"} 1',
    '{outcome="skip",reason="no_candidate"} 0',
  ])
    assert.ok(decisions.includes(sample), `${sample} is not in\n${decisions.join('\n')}`);
});

/** The metric's samples, without its name, in order. */
async function samples(registry: Registry, name: string): Promise<string[]> {
  const page = await registry.metrics();
  const lines = page.split('\n').filter((line) => line.startsWith(`${name}{`));
  return lines.map((line) => line.slice(name.length)).toSorted();
}

import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { applyPatch } from '../../harness/autoscrape/verify-answer.ts';
import type jsonPatch from 'fast-json-patch';
import { isAskablePath } from '../../../src/core/ask/ask-path.ts';
import type { Verdict } from '../../../src/core/ask/verdict.ts';
import { createAskMemory } from '../../../src/reconcile/remembered-answers.ts';
import { createAsking } from '../../../src/reconcile/asking.ts';
import { annotatePlanner } from '../../../src/reconcile/plan-annotate.ts';
import type { PodPlan } from '../../../src/reconcile/plan.ts';
import { defaultRules } from '../../../src/rules/shipped.ts';
import { hostilePods, validPods } from '../../harness/pods/generated-pods.ts';
import { remembered, sharedRuns } from '../../harness/pods/remembered.ts';

const rules = defaultRules();
const NOW = Date.UTC(2026, 0, 2);
const METRICS: Verdict = { key: 'metrics', format: 'text', series: 1, beyondRuntime: true, sure: true };

/** Returns the pod as it runs: scheduled, with an address, and ready since yesterday. */
function running(pod: unknown): unknown {
  const { metadata, spec } = Object(pod);
  const since = '2026-01-01T00:00:00Z';
  const { containers, initContainers }: Record<string, unknown> = Object(spec);
  const statusOf = (list: unknown): object[] =>
    Array.isArray(list)
      ? list.map((each) => ({
          name: Object(each).name,
          imageID: 'sha256:1',
          restartCount: 0,
          state: { running: { startedAt: since } },
        }))
      : [];
  return {
    ...Object(pod),
    metadata: { ...Object(metadata), namespace: 'shop', name: 'a', uid: 'u', resourceVersion: '1' },
    status: {
      phase: 'Running',
      podIP: '10.1.2.3',
      hostIP: '10.0.0.1',
      conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: since }],
      containerStatuses: statusOf(containers),
      initContainerStatuses: statusOf(initContainers),
    },
  };
}

/** Plans the pod in a namespace whose pods are asked, and once more after each of its ports has answered with metrics. */
function askedPlans(
  pod: unknown,
  path: string,
): { before: PodPlan | undefined; after: PodPlan | undefined; again: (pod: unknown) => PodPlan | undefined } {
  const memory = createAskMemory({ now: () => NOW, onFull: () => undefined });
  const asking = createAsking({
    memory,
    settings: { ports: 'all', annotatedServices: 'leave' },
    services: { isListed: () => true, inNamespace: () => [] },
    now: () => NOW,
    random: Math.random,
    onSeed: () => undefined,
    onServiceAnnotated: () => undefined,
  });
  const pods = asking.inNamespace({ name: 'shop', rules, mesh: false, askLabel: undefined, isOld: () => false });
  const planner = annotatePlanner(rules, false, pods);
  const before = planner(pod);
  if (before?.asking === undefined) return { before, after: before, again: planner };
  const workload = pods.planned(pod, before, undefined, true);
  if (workload !== undefined) {
    const { ports } = before.asking.plan;
    const answers = ports.map(({ port }) => ({ port, path, verdict: METRICS, requests: [{ path, verdict: METRICS }] }));
    memory.record(workload, 'a', undefined, { answers, planned: ports });
  }
  return { before, after: planner(pod), again: planner };
}

/** Pods of which no rule finds anything. */
const silentPods = fc.record({
  metadata: fc.record({
    annotations: fc.oneof(fc.constant(null), fc.dictionary(fc.constantFrom('a', 'b/c', 'd~e'), fc.string())),
  }),
  spec: fc.record({
    containers: fc.array(
      fc.record({
        name: fc.constantFrom('app', 'side'),
        ports: fc.array(
          fc.record({ name: fc.constantFrom('http', 'x', ''), containerPort: fc.integer({ min: 1, max: 65_535 }) }),
        ),
      }),
      { minLength: 1, maxLength: 3 },
    ),
  }),
});

const cases = remembered(
  fc.record({
    pod: fc.oneof(validPods, hostilePods, silentPods).map(running),
    path: fc.constantFrom('/metrics', '/actuator/prometheus', `/${'x'.repeat(254)}`),
  }),
);
const runs = sharedRuns(2000);

test('a patch after an answer applies, only adds what the pod did not have, and leaves the pod as annotated', () => {
  let annotated = 0;
  fc.assert(
    fc.property(cases, ({ pod, path }) => {
      const { after, again } = askedPlans(pod, path);
      if (after?.action !== 'annotate' || after.rule !== 'asked') return;
      annotated += 1;
      const patch = structuredClone(after.patch) as jsonPatch.Operation[];
      assert.ok(patch.every(({ op }) => op === 'add' || op === 'test'));
      const newDocument = applyPatch(pod, patch);
      const had: Record<string, string> = Object(Object(Object(pod).metadata).annotations);
      const has: Record<string, string> = Object(newDocument).metadata.annotations;
      for (const [key, value] of Object.entries(had)) assert.equal(has[key], value);
      for (const value of Object.values(after.annotations)) assert.equal(typeof value, 'string');
      const plan = again(newDocument);
      assert.ok(plan?.action === 'skip' && plan.reason === 'already_injected');
    }),
    runs,
  );
  assert.ok(annotated > 100, `${annotated} pods were annotated`);
});

test('nothing is planned to be asked but scrapable ports at paths that were checked, and no pod that a rule decides', () => {
  fc.assert(
    fc.property(cases, ({ pod }) => {
      const { before } = askedPlans(pod, '/metrics');
      if (before?.asking === undefined) return;
      const plain = annotatePlanner(rules, false)(pod);
      assert.ok(plain !== undefined && (plain.action !== 'skip' || plain.reason === 'no_candidate'));
      const { ports } = before.asking.plan;
      assert.ok(ports.length > 0 && ports.length <= 8);
      for (const { port, paths } of ports) {
        assert.ok(port >= 1 && port <= 65_535 && (port < 15_000 || port > 15_090));
        assert.ok(paths.length <= 3 && paths.every(isAskablePath));
      }
    }),
    runs,
  );
});

import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import * as fc from 'fast-check';
import { DIALECT_NAMES, DIALECTS } from '../../src/core/annotations/dialects/dialects.ts';
import type { DialectName } from '../../src/core/annotations/dialects/dialects.ts';
import { decide } from '../../src/core/decide.ts';
import { parseRules } from '../../src/core/rules/parse.ts';
import { readShipped } from '../../src/rules/shipped.ts';
import { ROWS, rowOf, validPods } from '../harness/pods/generated-pods.ts';
import { annotationsOf, createWithAndWithout, comparable } from '../harness/control-plane/with-and-without.ts';
import { startControlPlane } from '../harness/control-plane/control-plane.ts';
import type { ControlPlane } from '../harness/control-plane/control-plane.ts';
import { runs } from '../harness/length.ts';
import { registerAsTheChart, takesEffect } from '../harness/programs/webhook-configuration.ts';
import { startWebhookProcess } from '../harness/programs/webhook-process.ts';
import type { WebhookProcess } from '../harness/programs/webhook-process.ts';

// The promise that outranks all others, on the real thing: no valid pod is rejected or made invalid because of us, and none
// is changed in anything but our annotations.

const PODS = runs({ usually: 2000, all: 10_000 });
/** Of each row of the decision table. The rarest is 1 % of the pods, and there is chance in it. */
const LEAST_PODS_OF_A_ROW = runs({ usually: 5, all: 60 });
const CONCURRENCY = 8;
/** Another one each run, and printed, so that a run can be repeated: AUTOSCRAPE_TEST_SEED=… */
const SEED = Number(process.env['AUTOSCRAPE_TEST_SEED'] ?? Date.now() % 2 ** 31);
/** All endpoints are written, in every dialect, so that nothing that autoscrape writes is left out. */
const RULES_FILE = { endpoints: 'all', dialects: DIALECT_NAMES };
const RULES_TEXT = JSON.stringify(RULES_FILE);
const parsed = parseRules(RULES_TEXT, readShipped());
assert.ok(parsed.ok);
const RULES = parsed.value.rules;

suite(`${PODS} generated pods through a real API server`, { timeout: 1_200_000 }, () => {
  let cluster: ControlPlane;
  let webhook: WebhookProcess;
  before(async () => {
    cluster = await startControlPlane();
    webhook = await startWebhookProcess(cluster.directory, { rulesText: RULES_TEXT });
    for (const [name, labels] of [
      ['plain', {}],
      ['opted-in', { 'autoscrape.io/inject': 'enabled' }],
      // In a mesh, because that is where one row of the table lies.
      ['opted-in-mesh', { 'autoscrape.io/inject': 'enabled', 'istio-injection': 'enabled' }],
    ] as const) {
      await cluster.request('POST', '/api/v1/namespaces', { metadata: { name, labels } });
    }
    await registerAsTheChart(cluster, 'autoscrape', webhook, { rules: RULES_FILE });
    await takesEffect(cluster, 'opted-in', 'prometheus.io/scrape');
  });
  after(async () => {
    await webhook.daemon().kill();
    await cluster.stop();
  });

  test('none is rejected, none is made invalid, each gets exactly our annotations', async (t) => {
    const rows = new Map<string, number>();
    const started = performance.now();
    let accepted = 0;
    let refusedBothWays = 0;
    const inDialects = new Map<string, number>();
    const pods = generate();
    // Workers that take pods from one generator until it has no more, each over connections that are kept.
    const worker = async (): Promise<void> => {
      for (const { pod, mesh } of pods) {
        const created = await createWithAndWithout(cluster, pod, {
          with: mesh ? 'opted-in-mesh' : 'opted-in',
          without: 'plain',
        });
        const row = rowOf(pod, RULES, { mesh });
        const context = `${row}, AUTOSCRAPE_TEST_SEED=${SEED}: ${JSON.stringify(pod).slice(0, 2000)}`;
        assert.deepEqual(comparable(created.with), comparable(created.without), context);
        if (created.without.status !== 201) {
          // Not valid even without the webhook, so it doesn't count.
          refusedBothWays += 1;
          continue;
        }
        const decision = decide(pod, RULES, { mesh });
        const added = decision.outcome === 'annotate' ? decision.annotations : {};
        assert.deepEqual(annotationsOf(created.with), { ...annotationsOf(created.without), ...added }, context);
        rows.set(row, (rows.get(row) ?? 0) + 1);
        for (const name of DIALECT_NAMES.filter((each) => isSaid(each, added)))
          inDialects.set(name, (inDialects.get(name) ?? 0) + 1);
        accepted += 1;
        if (accepted % 1000 === 0) process.stderr.write(`… ${accepted} pods in ${seconds(started)} s\n`);
      }
    };
    await Promise.all(Array.from({ length: CONCURRENCY }, worker));

    t.diagnostic(
      `${accepted} generated pods went through the real API server in ${seconds(started)} s: 0 rejected, 0 made invalid, ` +
        `0 changed in anything but our annotations (seed ${SEED}; ${refusedBothWays} more were refused with and without us)`,
    );
    for (const [row, count] of [...rows].toSorted(([, a], [, b]) => b - a)) {
      t.diagnostic(`${((100 * count) / accepted).toFixed(1).padStart(5)} %  ${row}`);
    }
    t.diagnostic(`in dialects: ${[...inDialects].map(([name, count]) => `${name} ${count}`).join(', ')}`);
    assert.equal(accepted + refusedBothWays, PODS);
    for (const name of DIALECT_NAMES) assert.ok((inDialects.get(name) ?? 0) > PODS / 20, name);
    assert.ok(accepted > 0.99 * PODS, `only ${accepted} of ${PODS} were valid: the generator is wrong`);
    for (const row of ROWS)
      assert.ok((rows.get(row) ?? 0) >= LEAST_PODS_OF_A_ROW, `only ${rows.get(row)} pods are ${row}`);
    // Nor was one refused or shed, which nobody would notice where nothing was to be added.
    const reviews = await webhook.metric('autoscrape_admission_requests_total');
    assert.ok(reviews > accepted / 2, `only ${reviews} reviews`);
    assert.equal(await webhook.metric('autoscrape_admission_requests_total', /code="200"/), reviews);
  });
});

/** As many pods as there are to be, every third for a namespace in a mesh; in batches, because some are large. */
function* generate() {
  const batch = 500;
  for (let i = 0; i < PODS; i += batch) {
    const pods = fc.sample(validPods, { numRuns: batch, seed: SEED + i });
    for (const [j, pod] of pods.entries()) yield { pod, mesh: j % 3 === 0 };
  }
}

/** Returns whether one of the annotations is of the dialect. */
function isSaid(name: DialectName, added: Readonly<Record<string, string>>): boolean {
  return Object.keys(added).some((key) => DIALECTS[name].prefixes.some((prefix) => key.startsWith(prefix)));
}

function seconds(since: number): number {
  return Math.round((performance.now() - since) / 1000);
}

import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { decide } from '../../src/core/decide.ts';
import { runAutoscrape } from '../harness/autoscrape/run-autoscrape.ts';
import { temporaryFolder } from '../harness/autoscrape/serving.ts';
import { publicPart, readFixtures } from '../harness/pods/fixtures.ts';
import type { Fixture, Want } from '../harness/pods/fixtures.ts';
import { reviewOf } from '../harness/autoscrape/admission-review.ts';
import { post } from '../harness/autoscrape/client.ts';
import { startWebhook } from './webhook/running-webhook.ts';
import { applyPatch, verifyAnswer } from '../harness/autoscrape/verify-answer.ts';

// Three ways to ask for one decision, with one answer: a reader of `explain` relies on the webhook to do the same.

const fixtures = readFixtures();
assert.ok(fixtures.length > 0);

for (const [rulesText, cases] of Map.groupBy(fixtures, ({ rulesText }) => rulesText)) {
  const which = rulesText === '' ? 'the shipped rules' : `the rules of ${cases[0]?.name}`;
  suite(`with ${which}`, () => {
    for (const { name, pod, rules, mesh, want } of cases) {
      test(`${name}: the core decides as want.json says`, () => {
        assert.deepEqual(publicPart(decide(pod, rules, { mesh })), want);
      });
    }

    for (const [mesh, some] of Map.groupBy(cases, (fixture) => fixture.mesh)) {
      test(`explain${mesh ? ' --mesh' : ''} says of all ${some.length} what want.json says`, async (t) => {
        const files = some.flatMap(({ name }) => ['-f', podFile(name)]);
        const flags = [...(await rulesFlags(t, rulesText)), ...(mesh ? ['--mesh'] : [])];
        const { code, stdout, stderr } = await runAutoscrape(['explain', '-o', 'json', ...flags, ...files]);
        assert.deepEqual({ code, stderr }, { code: 0, stderr: '' });
        const records = stdout
          .trimEnd()
          .split('\n')
          .map((line): Explained => JSON.parse(line))
          .filter(({ type }) => type === 'workload');
        assert.deepEqual(
          records.map((record) => [record.name, explained(record)]),
          some.map(({ pod, want }) => [pod.metadata.name, want]),
        );
      });
    }

    test(`POST /mutate answers all ${cases.length} over TLS as want.json says`, async (t) => {
      const [{ rules } = assert.fail()] = cases;
      const serving = await startWebhook(t, { rules });
      for (const fixture of cases) {
        await t.test(fixture.name, async () => {
          const review = reviewOf(fixture.pod);
          const path = fixture.mesh ? '/mutate/istio?timeout=3s' : '/mutate?timeout=3s';
          const { patch, warnings, audit } = verifyAnswer(
            await post(serving, JSON.stringify(review), { path }),
            review.request.uid,
          );
          const { outcome, rule, reason } = fixture.want;
          assert.equal(patch.length > 0, outcome === 'annotate');
          assert.deepEqual(applyPatch(fixture.pod, patch), annotated(fixture));
          assert.deepEqual(warnings, fixture.want.warnings);
          assert.deepEqual(audit, { ...(rule !== undefined && { rule }), ...(reason !== undefined && { reason }) });
        });
      }
    });
  });
}

/** As much of a line of `explain -o json` as want.json speaks of. */
interface Explained {
  readonly type: string;
  readonly name: string;
  readonly outcome: Want['outcome'];
  readonly rule: string | null;
  readonly reason: string | null;
  readonly confirm: boolean;
  readonly annotations: Readonly<Record<string, string>>;
  readonly warnings: readonly string[];
}

function explained({ outcome, rule, reason, confirm, annotations, warnings }: Explained): Want {
  return {
    outcome,
    ...(rule !== null && { rule }),
    ...(reason !== null && { reason }),
    ...(outcome === 'annotate' && { annotations }),
    ...(confirm && { confirm }),
    warnings,
  };
}

function annotated({ pod, want }: Fixture): unknown {
  if (want.annotations === undefined) return pod;
  return { ...pod, metadata: { ...pod.metadata, annotations: { ...pod.metadata.annotations, ...want.annotations } } };
}

function podFile(name: string): string {
  return fileURLToPath(new URL(`../fixtures/${name}/pod.yaml`, import.meta.url));
}

async function rulesFlags(t: TestContext, rulesText: string): Promise<string[]> {
  if (rulesText === '') return [];
  const file = join(await temporaryFolder(t), 'rules.yaml');
  await writeFile(file, rulesText);
  return ['--rules', file];
}

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { MAX_RULES_FILE } from '../../src/core/limits.ts';
import { createAuthority } from '../../src/webhook/certificate-authority.ts';
import { MAX_BODY_BYTES } from '../../src/webhook/request-limits.ts';
import { heapFlag, NODE_FLAGS } from '../../tools/node-flags.ts';
import { podWithMetrics, reviewOf } from '../harness/autoscrape/admission-review.ts';
import { post } from '../harness/autoscrape/client.ts';
import { HEAVY_BODIES } from '../harness/autoscrape/heavy-bodies.ts';
import { runAutoscrape } from '../harness/autoscrape/run-autoscrape.ts';
import { run, startServe, temporaryFolder, writePair } from '../harness/autoscrape/serving.ts';
import { verifyAnswer } from '../harness/autoscrape/verify-answer.ts';
import { waitFor } from '../harness/process/wait-for.ts';

// The heap that the image gives the webhook is enough for the most that its limits accept. Nothing here needs a cluster: it is
// here because it takes as much CPU time as a fifth of `npm test`.

const ANY_PORT = ['--host', '127.0.0.1', '--port', '0', '--health-port', '0'];

test('the heaviest bodies that the limits accept, 25 at once, leave the process alive under the shipped flags', async (t) => {
  const serving = await startServe(t, { nodeFlags: [...NODE_FLAGS, heapFlag()] });
  const bodies = Object.entries(HEAVY_BODIES);
  for (const [title, body] of bodies) {
    assert.ok(body.length > 0.9 * MAX_BODY_BYTES && Buffer.byteLength(body) <= MAX_BODY_BYTES, title);
    assert.match((await post(serving, body)).body, /"allowed":true/, title);
  }
  // Some are answered, the others are asked to come again, or cut off where the machine is too busy to take them in 5 s.
  const calls = Array.from({ length: 25 }, (_, index) => post(serving, bodies[index % bodies.length]?.[1] ?? ''));
  const statuses = (await Promise.allSettled(calls)).map((call) =>
    call.status === 'fulfilled' ? call.value.status : 408,
  );
  assert.deepEqual([...new Set([200, 503, 408, ...statuses])], [200, 503, 408]);
  const review = reviewOf(podWithMetrics());
  assert.equal(verifyAnswer(await post(serving, JSON.stringify(review)), review.request.uid).patch.length, 1);
  assert.equal((await serving.health('/livez')).status, 200);
});

test('the patterns that need the most memory, when loaded and when matched, fit into the image’s heap', () => {
  const script = new URL('../harness/stress/large-patterns.ts', import.meta.url).pathname;
  const { status, stdout, stderr } = spawnSync(process.execPath, [...NODE_FLAGS, heapFlag(), script], {
    encoding: 'utf8',
  });
  assert.equal(status, 0, stderr);
  assert.match(stdout, /^skipped 6 pods/m);
  assert.match(stdout, /^loaded 8 files/m);
});

/** Returns a rules file of at most so many characters, full of rules of two patterns; the first is named `name`. */
function rulesFile(characters: number, name: string): string {
  let text = 'rules:\n';
  for (let index = 0; ; index++) {
    const ruleName = index === 0 ? name : `rule-${index}`;
    const rule = `  - name: ${ruleName}
    when: { portName: '(http-)?metrics-${index}', argument: '--web-${index}[.]listen-address=.*:(?P<port>[0-9]+)' }
`;
    if (text.length + rule.length > characters) return text.padEnd(characters, '#');
    text += rule;
  }
}

test('the longest rules file is loaded and reloaded under the shipped flags; a longer one, or larger patterns, are refused', async (t) => {
  const folder = await temporaryFolder(t);
  const rules = join(folder, 'rules.yaml');
  await writeFile(rules, rulesFile(MAX_RULES_FILE, 'first-0'));
  const serving = await startServe(t, { args: ['--rules', rules], nodeFlags: [...NODE_FLAGS, heapFlag()] });
  const loads = async (name: string) => {
    const series = `rule="${name}"} 0`;
    await waitFor(name, async () => (await serving.health('/metrics')).body.includes(series));
  };
  await loads('first-0');
  for (const name of ['first-1', 'first-2', 'first-3']) {
    await writeFile(rules, rulesFile(MAX_RULES_FILE, name));
    await loads(name);
  }
  const review = reviewOf(podWithMetrics());
  assert.equal(verifyAnswer(await post(serving, JSON.stringify(review)), review.request.uid).patch.length, 1);

  await writeFile(rules, rulesFile(2 * MAX_RULES_FILE, 'first-4'));
  const sentence = /the file has 128 KiB, and more than 64 KiB may need more memory/;
  assert.match(await serving.line(sentence), /rules not reloaded: the last valid ones stay in use/);
  assert.doesNotMatch((await serving.health('/metrics')).body, /rule="first-4"/);
  const checked = await runAutoscrape(['check', rules]);
  assert.equal(checked.code, 1);
  assert.match(checked.stdout + checked.stderr, sentence);
  await writePair(createAuthority(), folder);
  const start = () => run(['serve', '--cert-dir', folder, '--rules', rules, ...ANY_PORT]);
  const started = await start();
  assert.equal(started.code, 1);
  assert.match(started.stderr, sentence);

  const large = rulesFile(MAX_RULES_FILE / 2, 'first-5').replaceAll('[0-9]+', '[0-9]{1,1000}');
  await writeFile(rules, large);
  const instructions = /rules\[\d+\]\.when\.argument: the file's patterns compile to about \d+ instructions/;
  assert.match(await serving.line(instructions), /rules not reloaded: the last valid ones stay in use/);
  const again = await start();
  assert.equal(again.code, 1);
  assert.match(again.stderr, instructions);
});

import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { Agent } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { reviewOf } from '../test/harness/autoscrape/admission-review.ts';
import { post } from '../test/harness/autoscrape/client.ts';
import { reviewed } from './pod.ts';
import { cpuOf } from './process-cost.ts';
import { quantile, ratioOfMedians, ratioWithRange, shuffled, table } from './statistics.ts';
import { inOrder, startWebhooks } from './webhooks.ts';
import type { Measurement, Webhook } from './webhooks.ts';

/** Reviews without a pause: so many rounds, of so many for each webhook. */
const ROUNDS = 40;
const REVIEWS = 250;
const WARM_UP_ROUNDS = 8;

/** Calls with pauses: of each webhook so many, after so many milliseconds without one. */
const CALLS = 150;
const PAUSE_MS = 200;

/** Milliseconds in which autoscrape writes its log after a review: they are to be counted. */
const BATCH_MS = 120;

interface Row {
  readonly webhook: Webhook;
  readonly agent: Agent;
  /** Milliseconds of CPU a review, of each round. */
  readonly cpu: number[];
  /** Milliseconds of each call. */
  readonly latency: number[];
  readonly cpuAfterPause: number[];
  readonly latencyAfterPause: number[];
}

/**
 * Measures what a review costs the webhooks' processes when they are called directly, on one kept connection each, in turns.
 * The figures of CPU stay what they are while the machine does other work; the latencies don't.
 */
export async function benchDirect(others: readonly string[]): Promise<Measurement> {
  const directory = await mkdtemp(join(tmpdir(), 'autoscrape-bench-'));
  const webhooks = await startWebhooks(directory, others);
  const rows = inOrder(webhooks).map((webhook): Row => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    return { webhook, agent, cpu: [], latency: [], cpuAfterPause: [], latencyAfterPause: [] };
  });
  try {
    for (let round = -WARM_UP_ROUNDS; round < ROUNDS; round++)
      for (const row of shuffled(rows)) await measureRound(row, round >= 0);
    for (let call = 0; call < CALLS; call++)
      for (const row of shuffled(rows)) await measureAfterPause(row, rows.length);
    return render(rows);
  } finally {
    for (const { agent } of rows) agent.destroy();
    await webhooks.stop();
    await rm(directory, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function measureRound(row: Row, counts: boolean): Promise<void> {
  const before = await cpuOf(row.webhook.pid);
  const latency: number[] = [];
  for (let i = 0; i < REVIEWS; i++) latency.push(await call(row));
  await sleep(BATCH_MS);
  if (!counts) return;
  row.cpu.push(((await cpuOf(row.webhook.pid)) - before) / REVIEWS);
  row.latency.push(...latency);
}

async function measureAfterPause(row: Row, kinds: number): Promise<void> {
  await sleep(PAUSE_MS / kinds);
  const before = await cpuOf(row.webhook.pid);
  row.latencyAfterPause.push(await call(row));
  await sleep(1); // the answer comes before the webhook's work ends
  row.cpuAfterPause.push((await cpuOf(row.webhook.pid)) - before);
}

/** Makes one call, and returns its milliseconds. */
async function call({ webhook, agent }: Row): Promise<number> {
  const review = JSON.stringify(reviewOf(reviewed));
  const begin = performance.now();
  const { status } = await post(webhook.target, review, { agent });
  const end = performance.now();
  assert.equal(status, 200);
  return end - begin;
}

function render(rows: readonly Row[]): Measurement {
  const [, sketch] = rows;
  const runtime = rows.at(-1);
  assert.ok(sketch && runtime);
  const cpu = rows.map((row) => [
    row.webhook.name,
    quantile(row.cpu, 0.5).toFixed(3),
    ratioWithRange([row.cpu, sketch.cpu], ratioOfMedians),
    ratioWithRange([row.cpu, runtime.cpu], ratioOfMedians),
    quantile(row.latency, 0.5).toFixed(3),
    quantile(row.latency, 0.99).toFixed(3),
  ]);
  const paused = rows.map((row) => [
    row.webhook.name,
    quantile(row.cpuAfterPause, 0.5).toFixed(3),
    quantile(row.latencyAfterPause, 0.5).toFixed(3),
    quantile(row.latencyAfterPause, 0.99).toFixed(3),
    ratioWithRange([row.latencyAfterPause, sketch.latencyAfterPause], ratioOfMedians),
  ]);
  const measured = rows.slice(2, -1);
  const ratios = (of: (row: Row) => readonly (readonly number[])[]): string[] =>
    measured.map((row) => ratioWithRange(of(row), ratioOfMedians));
  return {
    text: [
      `Called directly, ${REVIEWS * ROUNDS} reviews of each, one after the other:\n`,
      table([['webhook', 'CPU ms a review', '÷ sketch', '÷ controller-runtime', 'p50 ms', 'p99 ms'], ...cpu]),
      `\nThe same, ${CALLS} reviews of each, every ${PAUSE_MS} ms:\n`,
      table([['webhook', 'CPU ms until 1 ms later', 'p50 ms', 'p99 ms', 'p50 ÷ sketch'], ...paused]),
    ].join('\n'),
    figures: [
      ['CPU a review, called directly ÷ controller-runtime', ...ratios(({ cpu: own }) => [own, runtime.cpu])],
      ['CPU a review, called directly ÷ sketch', ...ratios(({ cpu: own }) => [own, sketch.cpu])],
      [
        `p50 of a call every ${PAUSE_MS} ms ÷ sketch`,
        ...ratios(({ latencyAfterPause }) => [latencyAfterPause, sketch.latencyAfterPause]),
      ],
    ],
  };
}

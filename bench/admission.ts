import assert from 'node:assert/strict';
import { startControlPlane } from '../test/harness/control-plane/control-plane.ts';
import type { ControlPlane } from '../test/harness/control-plane/control-plane.ts';
import { waitFor } from '../test/harness/process/wait-for.ts';
import { registerOther } from '../test/harness/programs/webhook-configuration.ts';
import { annotated } from './pod.ts';
import { costOf, cpuOf } from './process-cost.ts';
import type { Cost } from './process-cost.ts';
import { quantile, ratioWithRange, shuffled, table } from './statistics.ts';
import { inOrder, startWebhooks } from './webhooks.ts';
import type { Measurement, Webhook, Webhooks } from './webhooks.ts';

/** Pods of each kind, at each concurrency. */
const PODS = 2000;
const WARM_UP = 1000;

/** A webhook to be measured, or none. */
interface Contender {
  readonly name: string;
  readonly namespace: string;
  readonly pid: number | undefined;
}

/** What a contender took. */
interface Result {
  readonly name: string;
  /** Milliseconds of each pod. */
  readonly latency: readonly number[];
  /** Milliseconds of CPU a review. */
  readonly cpu: number;
}

/**
 * Measures what webhooks add to the creation of a pod at the API server, and what they cost. All see the same pods and are
 * registered in the same way; their pods are mixed at random in one run, so that other load on the machine affects all.
 */
export async function benchAdmission(others: readonly string[]): Promise<Measurement> {
  const cluster = await startControlPlane();
  let webhooks: Webhooks | undefined;
  try {
    webhooks = await startWebhooks(cluster.directory, others);
    const servers = inOrder(webhooks);
    const idle = await memoryOf(servers);
    const contenders = await register(cluster, servers);
    const sections = [];
    const figures = [];
    for (const concurrency of [1, 8]) {
      await measure(cluster, contenders, concurrency, WARM_UP);
      const results = await measure(cluster, contenders, concurrency, PODS);
      sections.push(`${PODS} pods of each kind, ${concurrency} at a time:\n`, render(results), '');
      figures.push(...figuresOf(results, concurrency));
    }
    const after = await memoryOf(servers);
    const memory = servers.map(({ name }, i) => [
      name,
      ...[idle[i]?.resident, after[i]?.resident, after[i]?.peak].map((mebibytes = 0) => mebibytes.toFixed(0)),
    ]);
    sections.push('Memory in MiB:\n', table([['webhook', 'at start', 'after that', 'at most'], ...memory]));
    figures.push(['MiB at start', ...memory.slice(2, -1).map(([, resident = '']) => resident)]);
    return { text: sections.join('\n'), figures };
  } finally {
    await webhooks?.stop();
    await cluster.stop();
  }
}

/** Registers each webhook for a namespace of its own, and returns them once all are called; and one namespace without any. */
async function register(cluster: ControlPlane, servers: readonly Webhook[]): Promise<readonly Contender[]> {
  const contenders: Contender[] = [{ name: 'no webhook', namespace: 'bench-none', pid: undefined }];
  for (const [i, { name, target, pid }] of servers.entries()) {
    const labels = { bench: `webhook-${i}` };
    contenders.push({ name, namespace: labels.bench, pid });
    await registerOther(cluster, labels.bench, {
      name: 'pods.bench.example',
      target,
      namespaceSelector: { matchLabels: labels },
    });
  }
  for (const { namespace } of contenders) {
    const metadata = { name: namespace, labels: { bench: namespace } };
    await cluster.request('POST', '/api/v1/namespaces', { metadata });
  }
  for (const { namespace } of contenders.slice(1)) {
    await waitFor(`the webhook of ${namespace} to be called`, async () => {
      const annotations = await create(cluster, namespace);
      return annotations['prometheus.io/port'] === '9464';
    });
  }
  return contenders;
}

async function memoryOf(servers: readonly Webhook[]): Promise<Cost[]> {
  return Promise.all(servers.map(({ pid }) => costOf(pid)));
}

async function create(cluster: ControlPlane, namespace: string): Promise<Readonly<Record<string, string>>> {
  const { status, body } = await cluster.request('POST', `/api/v1/namespaces/${namespace}/pods?dryRun=All`, BYTES);
  assert.equal(status, 201, body.message);
  return body.metadata?.annotations ?? {};
}

const BYTES = JSON.stringify(annotated);

/** Returns what each contender took, in their order. */
async function measure(
  cluster: ControlPlane,
  contenders: readonly Contender[],
  concurrency: number,
  pods: number,
): Promise<readonly Result[]> {
  const results = contenders.map(({ name, namespace }) => ({ name, namespace, latency: [] as number[] }));
  const before = await cpuOfAll(contenders);
  const queue = shuffled(results.flatMap((result) => Array.from({ length: pods }, () => result))).values();
  const worker = async (): Promise<void> => {
    for (const { namespace, latency } of queue) {
      const begin = performance.now();
      await create(cluster, namespace);
      latency.push(performance.now() - begin);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  const after = await cpuOfAll(contenders);
  return results.map(({ name, latency }, i) => ({ name, latency, cpu: ((after[i] ?? 0) - (before[i] ?? 0)) / pods }));
}

async function cpuOfAll(contenders: readonly Contender[]): Promise<number[]> {
  return Promise.all(contenders.map(async ({ pid }) => (pid === undefined ? 0 : cpuOf(pid))));
}

/** Returns the results by what they are of: each version of autoscrape stands between the sketch and controller-runtime. */
function byRole(results: readonly Result[]) {
  const [none, floor, sketch, ...autoscrapes] = results;
  const runtime = autoscrapes.pop();
  assert.ok(none && floor && sketch && runtime);
  return { none, floor, sketch, autoscrapes, runtime };
}

/** The table of one concurrency. */
function render(results: readonly Result[]): string {
  const { none, floor, sketch, runtime } = byRole(results);
  const rows = results.map((result) => {
    const { name, latency, cpu } = result;
    const p50 = quantile(latency, 0.5).toFixed(2);
    if (result === none) return [name, p50, '–', '–', '–', '–', '–'];
    const ratios = [floor, sketch, runtime].map((other) => ratioOfAdded(result, other, none));
    return [name, p50, added(latency, none.latency).toFixed(2), ...ratios, cpu.toFixed(2)];
  });
  const ratios = ['÷ constant patch', '÷ sketch', '÷ controller-runtime'];
  return table([['webhook', 'p50 ms', 'added ms', ...ratios, 'CPU ms a review'], ...rows]);
}

function figuresOf(results: readonly Result[], concurrency: number): string[][] {
  const { none, floor, autoscrapes, runtime } = byRole(results);
  const rows = { 'constant patch': floor, 'controller-runtime': runtime };
  return Object.entries(rows).map(([name, other]) => [
    `added latency, ${concurrency} at a time ÷ ${name}`,
    ...autoscrapes.map((autoscrape) => ratioOfAdded(autoscrape, other, none)),
  ]);
}

/** What a webhook adds to the median: its own less that of no webhook. */
function added(latency: readonly number[], none: readonly number[]): number {
  return quantile(latency, 0.5) - quantile(none, 0.5);
}

function ratioOfAdded(one: Result, other: Result, none: Result): string {
  const samples = [one.latency, other.latency, none.latency];
  return ratioWithRange(samples, ([a = [], b = [], nothing = []]) => added(a, nothing) / added(b, nothing));
}

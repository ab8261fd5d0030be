import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { heapFlag, NODE_FLAGS } from '../tools/node-flags.ts';
import { createAuthority } from '../src/webhook/certificate-authority.ts';
import { decide } from '../src/core/decide.ts';
import { renderPatch } from '../src/core/patch.ts';
import { defaultRules } from '../src/rules/shipped.ts';
import { startControlPlane } from '../test/harness/control-plane/control-plane.ts';
import type { ControlPlane } from '../test/harness/control-plane/control-plane.ts';
import { ready, startDaemon } from '../test/harness/process/daemon.ts';
import type { Daemon } from '../test/harness/process/daemon.ts';
import { freePort } from '../test/harness/process/free-port.ts';
import { registerOther } from '../test/harness/programs/webhook-configuration.ts';
import { waitFor } from '../test/harness/process/wait-for.ts';
import { startWebhookProcess } from '../test/harness/programs/webhook-process.ts';
import { post } from '../test/harness/autoscrape/client.ts';
import type { Target } from '../test/harness/autoscrape/client.ts';
import { goServer } from './go-server.ts';
import { annotated } from './pod.ts';
import { costOf } from './process-cost.ts';
import { quantile, range, shuffled, table } from './statistics.ts';

const BUNDLE = fileURLToPath(new URL('../dist/main.js', import.meta.url));
/** Pods of each kind, at each concurrency. */
const PODS = 2000;
const WARM_UP = 1000;

/** A webhook to be measured, or none. */
interface Contender {
  readonly name: string;
  readonly namespace: string;
  readonly pid: number | undefined;
}

interface Measured {
  readonly latency: readonly number[];
  readonly cpu: number;
}

/**
 * Tables of what webhooks add to the creation of a pod at the API server, and of what they cost. All see the same pods and
 * are registered in the same way; their pods are mixed at random in one run, so that other load on the machine affects all.
 */
export async function benchAdmission(): Promise<string> {
  const floorPath = await goServer('floor', 1);
  const runtimePath = await goServer('controller-runtime', 2);
  const cluster = await startControlPlane();
  const daemons: Daemon[] = [];
  try {
    const folder = join(cluster.directory, 'certificate');
    await mkdir(folder);
    const authority = createAuthority();
    const pair = authority.issue({ names: ['127.0.0.1', 'localhost'] });
    await writeFile(join(folder, 'tls.crt'), pair.certificate);
    await writeFile(join(folder, 'tls.key'), pair.key);
    const startGo = async (name: string, command: string, ...args: string[]): Promise<Server> => {
      const port = await freePort();
      const flags = [`-port=${port}`, `-cert-dir=${folder}`, ...args];
      const daemon = await startDaemon({
        name: name.replaceAll(/\W+/g, '-'),
        directory: cluster.directory,
        command,
        args: flags,
      });
      daemons.push(daemon);
      const target = { port, ca: authority.certificate };
      await ready(daemon, async () => (await post(target, '{}')).status > 0);
      return { name, target, pid: daemon.pid };
    };
    const patch = renderPatch(annotated, decide(annotated, defaultRules()));
    const constant = Buffer.from(JSON.stringify(patch)).toString('base64');
    const nothing = await startGo('constant answer, Go net/http', floorPath);
    const floor = await startGo('constant patch, Go net/http', floorPath, `-patch=${constant}`);
    const runtime = await startGo('the same on Go controller-runtime', runtimePath);
    const webhook = await startWebhookProcess(cluster.directory, { program: [...NODE_FLAGS, heapFlag(), BUNDLE] });
    daemons.push(webhook.daemon());
    const autoscrape = { name: 'autoscrape', target: webhook, pid: webhook.daemon().pid };

    const servers = [nothing, floor, autoscrape, runtime];
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
    for (const { namespace, name } of contenders.slice(1)) await annotates(cluster, namespace, name !== nothing.name);

    const idle = await Promise.all(servers.map(async ({ pid }) => (await costOf(pid)).resident));
    const sections = [];
    for (const concurrency of [1, 8]) {
      await measure(cluster, contenders, concurrency, WARM_UP);
      const measured = await measure(cluster, contenders, concurrency, PODS);
      sections.push(`${PODS} pods of each kind, ${concurrency} at a time:\n`, await render(contenders, measured), '');
    }
    const memory = await Promise.all(
      servers.map(async ({ name, pid }, i) => {
        const { resident, peak } = await costOf(pid);
        return [name, ...[idle[i] ?? 0, resident, peak].map((mebibytes) => mebibytes.toFixed(0))];
      }),
    );
    sections.push('Memory in MiB:\n', table([['webhook', 'at start', 'after that', 'at most'], ...memory]));
    return sections.join('\n');
  } finally {
    for (const daemon of daemons) await daemon.kill();
    await cluster.stop();
  }
}

interface Server {
  readonly name: string;
  readonly target: Target;
  readonly pid: number;
}

async function annotates(cluster: ControlPlane, namespace: string, patches: boolean): Promise<void> {
  await waitFor(`the webhook of ${namespace} to be called`, async () => {
    const annotations = await create(cluster, namespace);
    return !patches || annotations['prometheus.io/port'] === '9464';
  });
}

async function create(cluster: ControlPlane, namespace: string): Promise<Readonly<Record<string, string>>> {
  const { status, body } = await cluster.request('POST', `/api/v1/namespaces/${namespace}/pods?dryRun=All`, BYTES);
  assert.equal(status, 201, body.message);
  return body.metadata?.annotations ?? {};
}

const BYTES = JSON.stringify(annotated);

async function measure(
  cluster: ControlPlane,
  contenders: readonly Contender[],
  concurrency: number,
  pods: number,
): Promise<ReadonlyMap<Contender, Measured>> {
  const latencies = new Map(contenders.map((contender) => [contender, [] as number[]]));
  const before = await cpuOf(contenders);
  const queue = shuffled(contenders.flatMap((contender) => Array.from({ length: pods }, () => contender))).values();
  const worker = async (): Promise<void> => {
    for (const contender of queue) {
      const begin = performance.now();
      await create(cluster, contender.namespace);
      latencies.get(contender)?.push(performance.now() - begin);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  const after = await cpuOf(contenders);
  return new Map(
    contenders.map((contender, i) => {
      const cpu = ((after[i] ?? 0) - (before[i] ?? 0)) / pods;
      return [contender, { latency: latencies.get(contender) ?? [], cpu }];
    }),
  );
}

async function cpuOf(contenders: readonly Contender[]): Promise<number[]> {
  return Promise.all(contenders.map(async ({ pid }) => (pid === undefined ? 0 : (await costOf(pid)).cpu)));
}

/** The table of one concurrency; the second and third contender are the floors, the last one is the competitor. */
async function render(contenders: readonly Contender[], measured: ReadonlyMap<Contender, Measured>): Promise<string> {
  const of = (i: number): Measured => {
    const contender = contenders.at(i);
    const found = contender === undefined ? undefined : measured.get(contender);
    assert.ok(found);
    return found;
  };
  const none = of(0);
  const ratio = (one: Measured, other: Measured): string => {
    const samples = [one.latency, other.latency, none.latency];
    const [low, high] = range(samples, ratioOfAdded);
    return `${ratioOfAdded(samples).toFixed(2)} (${low.toFixed(2)}–${high.toFixed(2)})`;
  };
  const rows = contenders.map(({ name }, i) => {
    const { latency, cpu } = of(i);
    const p50 = quantile(latency, 0.5).toFixed(2);
    if (i === 0) return [name, p50, '–', '–', '–', '–', '–'];
    return [
      name,
      p50,
      added(latency, none.latency).toFixed(2),
      ratio(of(i), of(1)),
      ratio(of(i), of(2)),
      ratio(of(i), of(-1)),
      cpu.toFixed(2),
    ];
  });
  const head = [
    'webhook',
    'p50 ms',
    'added ms',
    '÷ constant answer',
    '÷ constant patch',
    '÷ controller-runtime',
    'CPU ms a review',
  ];
  return table([head, ...rows]);
}

/** What a webhook adds to the median: its own less that of no webhook. */
function added(latency: readonly number[], none: readonly number[]): number {
  return quantile(latency, 0.5) - quantile(none, 0.5);
}

function ratioOfAdded([one = [], other = [], none = []]: readonly (readonly number[])[]): number {
  return added(one, none) / added(other, none);
}

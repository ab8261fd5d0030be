import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { component } from '../build/components.ts';
import { ready, startDaemon } from '../process/daemon.ts';
import { freePort } from '../process/free-port.ts';
import { waitFor } from '../process/wait-for.ts';
import { CONSUMERS } from './consumer.ts';
import type { ConsumerName, Job } from './consumer.ts';

/** What a consumer would scrape. */
export interface Target {
  readonly consumer: ConsumerName;
  readonly job: string;
  readonly pod: string;
  readonly url: string;
}

/** What must have been looked at before the targets are complete. */
export interface Expected {
  readonly pods: readonly string[];
  readonly services: readonly string[];
}

/**
 * Returns the targets that a real Prometheus computes for each consumer from what the API server holds, equal ones taken
 * together as Prometheus does. Nothing is scraped: the interval is a year, and every request would go to a proxy on
 * loopback that isn't there.
 */
export async function discover(kubeconfig: string, expected: Expected): Promise<Target[]> {
  const prometheus = await component('prometheus');
  const directory = await mkdtemp(join(tmpdir(), 'autoscrape-consumers-'));
  try {
    const consumers = await Promise.all(
      CONSUMERS.map(async ({ name, jobs }): Promise<NamedJobs> => ({ name, jobs: await jobs() })),
    );
    const config = join(directory, 'prometheus.json');
    await writeFile(config, JSON.stringify({ scrape_configs: scrapeConfigs(consumers, kubeconfig) }));
    const address = `127.0.0.1:${await freePort()}`;
    const daemon = await startDaemon({
      name: 'prometheus',
      directory,
      command: prometheus,
      args: [
        `--config.file=${config}`,
        `--storage.tsdb.path=${join(directory, 'data')}`,
        `--web.listen-address=${address}`,
        '--log.level=warn',
      ],
    });
    try {
      await ready(daemon, async () => (await fetch(`http://${address}/-/ready`)).ok);
      return await waitFor(
        'Prometheus to have seen every pod and Service in every job',
        async () => {
          const { data }: TargetsAnswer = JSON.parse(await (await fetch(`http://${address}/api/v1/targets`)).text());
          return isComplete(data, consumers, expected) ? data.activeTargets.map(readTarget) : undefined;
        },
        { seconds: 120, everyMs: 500 },
      );
    } finally {
      await daemon.kill();
    }
  } finally {
    await rm(directory, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
  }
}

interface Discovered {
  readonly discoveredLabels: Readonly<Record<string, string>>;
}

interface Active extends Discovered {
  readonly scrapeUrl: string;
}

/** As much of /api/v1/targets as is used: dropped targets are those that relabelling refused. */
interface TargetsAnswer {
  readonly data: { readonly activeTargets: readonly Active[]; readonly droppedTargets: readonly Discovered[] };
}

interface NamedJobs {
  readonly name: ConsumerName;
  readonly jobs: readonly Job[];
}

const SEPARATOR = ' / ';

function scrapeConfigs(consumers: readonly NamedJobs[], kubeconfig: string): unknown[] {
  return consumers.flatMap(({ name, jobs }) =>
    jobs.map((job) => ({
      ...job,
      job_name: `${name}${SEPARATOR}${job.job_name}`,
      scrape_interval: '1y',
      proxy_url: 'http://127.0.0.1:9',
      kubernetes_sd_configs: job.kubernetes_sd_configs.map((config) => ({ ...config, kubeconfig_file: kubeconfig })),
    })),
  );
}

/** Whether each job has seen every pod, or every Service: whatever it kept of them. */
function isComplete(
  { activeTargets, droppedTargets }: TargetsAnswer['data'],
  consumers: readonly NamedJobs[],
  { pods, services }: Expected,
): boolean {
  const seen = new Set(
    [...activeTargets, ...droppedTargets].flatMap(({ discoveredLabels: labels }) => [
      `${labels['job']} pod ${labels['__meta_kubernetes_pod_name']}`,
      `${labels['job']} service ${labels['__meta_kubernetes_service_name']}`,
    ]),
  );
  return consumers.every(({ name, jobs }) =>
    jobs.every(({ job_name: job, kubernetes_sd_configs: configs }) => {
      const [what, names] = configs.some(({ role }) => role === 'pod') ? ['pod', pods] : ['service', services];
      return names.every((of) => seen.has(`${name}${SEPARATOR}${job} ${what} ${of}`));
    }),
  );
}

function readTarget({ discoveredLabels, scrapeUrl }: Active): Target {
  const [consumer = '', job = ''] = (discoveredLabels['job'] ?? '').split(SEPARATOR);
  const known = CONSUMERS.find(({ name }) => name === consumer);
  if (known === undefined) throw new Error(`a target of an unknown job: ${consumer}`);
  return { consumer: known.name, job, pod: discoveredLabels['__meta_kubernetes_pod_name'] ?? '', url: scrapeUrl };
}

import { waitFor } from '../process/wait-for.ts';
import { startPrometheus } from '../programs/prometheus.ts';
import type { Targets } from '../programs/prometheus.ts';
import { startVmagent } from '../programs/vmagent.ts';
import { VMAGENT_FLAG } from '../../../src/scrape-config/render-config.ts';
import { CONSUMERS } from './consumer.ts';
import type { Consumer, ConsumerName, Job } from './consumer.ts';

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
  /** Those of the pods that have ended: vmagent's discovery leaves them out. */
  readonly finished: readonly string[];
  readonly services: readonly string[];
}

/** Nothing listens there, so that what is sent to it goes nowhere. */
const NOWHERE = 'http://127.0.0.1:9';

/**
 * Returns the targets that the consumers' own engines compute from what the API server holds, equal ones taken together as
 * they do: vmagent for VictoriaMetrics, and Prometheus for the others. Nothing is scraped: the interval is a year, and every
 * request would go to a proxy on loopback that isn't there.
 */
export async function discover(kubeconfig: string, expected: Expected): Promise<Target[]> {
  const [vmagents, others] = [CONSUMERS.filter(isVictoriaMetrics), CONSUMERS.filter((one) => !isVictoriaMetrics(one))];
  const running = expected.pods.filter((name) => !expected.finished.includes(name));
  return [
    ...(await targetsOf(others, kubeconfig, expected, (config) => startPrometheus(config))),
    ...(await targetsOf(vmagents, kubeconfig, { ...expected, pods: running }, (config) =>
      startVmagent(config, NOWHERE, [VMAGENT_FLAG]),
    )),
  ];
}

function isVictoriaMetrics({ name }: Consumer): boolean {
  return name === 'VictoriaMetrics';
}

interface Engine {
  targets(): Promise<Targets>;
  stop(): Promise<void>;
}

async function targetsOf(
  consumers: readonly Consumer[],
  kubeconfig: string,
  expected: Expected,
  start: (configuration: object) => Promise<Engine>,
): Promise<Target[]> {
  const named = await Promise.all(
    consumers.map(async ({ name, jobs }): Promise<NamedJobs> => ({ name, jobs: await jobs() })),
  );
  const engine = await start({ scrape_configs: scrapeConfigs(named, kubeconfig) });
  try {
    return await waitFor(
      'every pod and Service to have been seen in every job',
      async () => {
        const targets = await engine.targets();
        return isComplete(targets, named, expected) ? targets.activeTargets.map(readTarget) : undefined;
      },
      { seconds: 120, everyMs: 500 },
    );
  } finally {
    await engine.stop();
  }
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
      proxy_url: NOWHERE,
      kubernetes_sd_configs: job.kubernetes_sd_configs.map((config) => ({ ...config, kubeconfig_file: kubeconfig })),
    })),
  );
}

/** Whether each job has seen every pod, or every Service: whatever it kept of them. */
function isComplete(
  { activeTargets, droppedTargets }: Targets,
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

function readTarget({ discoveredLabels, scrapeUrl }: Targets['activeTargets'][number]): Target {
  const [consumer = '', job = ''] = (discoveredLabels['job'] ?? '').split(SEPARATOR);
  const known = CONSUMERS.find(({ name }) => name === consumer);
  if (known === undefined) throw new Error(`a target of an unknown job: ${consumer}`);
  return { consumer: known.name, job, pod: discoveredLabels['__meta_kubernetes_pod_name'] ?? '', url: scrapeUrl };
}

import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { parse } from 'yaml';
import { DEFAULT_KEYS } from '../../src/core/annotations/scrape-keys.ts';
import { renderConfig, VMAGENT_FLAG } from '../../src/scrape-config/render-config.ts';
import { command } from '../../tools/command.ts';
import { component } from '../harness/build/components.ts';
import { bridgeJobs } from '../harness/consumers/bridge.ts';
import type { Job } from '../harness/consumers/consumer.ts';
import { render } from '../harness/chart/render.ts';
import { runSituations } from '../harness/consumers/several-endpoints.ts';
import type { RunningSituations } from '../harness/consumers/several-endpoints.ts';
import { startControlPlane } from '../harness/control-plane/control-plane.ts';
import type { ControlPlane } from '../harness/control-plane/control-plane.ts';
import { isAtFullLength } from '../harness/length.ts';
import { waitFor } from '../harness/process/wait-for.ts';
import { startCollector } from '../harness/programs/opentelemetry-collector.ts';
import { startPrometheusOperator } from '../harness/programs/prometheus-operator.ts';
import type { PrometheusOperator } from '../harness/programs/prometheus-operator.ts';
import { startPrometheus } from '../harness/programs/prometheus.ts';
import type { Prometheus, Sample, Targets } from '../harness/programs/prometheus.ts';
import { startVmagent } from '../harness/programs/vmagent.ts';
import type { Vmagent } from '../harness/programs/vmagent.ts';

// Pods with several endpoints, as people describe them, after autoscrape with `endpoints: all`: a real API server holds them,
// servers on loopback answer for them, and real scrapers scrape them with each configuration that there is.

interface Configuration {
  readonly name: string;
  readonly engine: 'prometheus' | 'vmagent';
  readonly jobs: (operator: () => Promise<PrometheusOperator>) => Promise<readonly Job[]>;
}

interface ScrapeConfigs {
  readonly scrape_configs: readonly Job[];
}

async function printedJobs(): Promise<readonly Job[]> {
  return (parse(renderConfig('prometheus', DEFAULT_KEYS, false)) as ScrapeConfigs).scrape_configs;
}

async function shippedJobs(file: string): Promise<readonly Job[]> {
  const jobs: readonly Job[] = parse(await readFile(new URL(`../harness/consumers/${file}`, import.meta.url), 'utf8'));
  return jobs.filter(({ job_name: name }) => name.startsWith('kubernetes-pods'));
}

const BUILT_IN: readonly Configuration[] = [
  { name: "the chart's ScrapeConfigs", engine: 'prometheus', jobs: bridgeJobs },
  {
    name: 'prometheus.yml',
    engine: 'prometheus',
    jobs: printedJobs,
  },
  {
    name: 'the community chart with values',
    engine: 'prometheus',
    jobs: async () => {
      const values: { extraScrapeConfigs: string } = parse(renderConfig('prometheus', DEFAULT_KEYS, true));
      const further: readonly Job[] = parse(values.extraScrapeConfigs);
      return [...(await shippedJobs('community-chart.yaml')), ...further];
    },
  },
  {
    name: 'vmagent',
    engine: 'vmagent',
    jobs: async () => (parse(renderConfig('victoria-metrics', DEFAULT_KEYS, false)) as ScrapeConfigs).scrape_configs,
  },
  {
    name: "vmagent's chart with values",
    engine: 'vmagent',
    jobs: async () => {
      const values: { extraScrapeConfigs: readonly Job[] } = parse(
        renderConfig('victoria-metrics', DEFAULT_KEYS, true),
      );
      return [...(await shippedJobs('victoria-metrics.yaml')), ...values.extraScrapeConfigs];
    },
  },
];

/** The Prometheus Operator takes minutes to build, as does the OpenTelemetry Collector. */
const OPERATED: readonly Configuration[] = [
  {
    name: "the chart's ScrapeConfigs by the Prometheus Operator",
    engine: 'prometheus',
    jobs: async (operator) => {
      const items = (await render(['--set', 'bridge.enabled=true']))
        .filter(({ kind }) => kind === 'ScrapeConfig')
        .map(({ object }) => object);
      return (await operator()).jobsOf('autoscrape', JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
    },
  },
  {
    name: 'printed ScrapeConfigs by the Prometheus Operator',
    engine: 'prometheus',
    jobs: async (operator) => (await operator()).jobsOf('monitoring', renderConfig('operator', DEFAULT_KEYS, false)),
  },
];

const CONFIGURATIONS = [...BUILT_IN, ...(isAtFullLength() ? OPERATED : [])];

test('promtool and vmagent accept what is printed, as it is', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'autoscrape-printed-'));
  t.after(() => rm(directory, { recursive: true }));
  const [prometheus, vmagent] = [join(directory, 'prometheus.yml'), join(directory, 'vmagent.yml')];
  await writeFile(prometheus, renderConfig('prometheus', DEFAULT_KEYS, false));
  await writeFile(vmagent, renderConfig('victoria-metrics', DEFAULT_KEYS, false));
  await command(await component('promtool'), ['check', 'config', prometheus]);
  await command(await component('vmagent'), ['-dryRun', `-promscrape.config=${vmagent}`]);
});

function isOf(configuration: string, job: string | undefined): boolean {
  return job?.startsWith(`${configuration} / `) === true;
}

suite('several endpoints of a pod', { timeout: 300_000 }, () => {
  let cluster: ControlPlane;
  let situations: RunningSituations;
  const running: { stop(): Promise<void> | void }[] = [];
  let prometheus: Prometheus;
  let vmagent: Vmagent;
  let operator: Promise<PrometheusOperator> | undefined;
  const watches: number[] = [];

  before(async () => {
    running.push((cluster = await startControlPlane()));
    running.push((situations = await runSituations(cluster)));
    const configurations = {
      prometheus: await configurationOf('prometheus'),
      vmagent: await configurationOf('vmagent'),
    };
    watches.push(await podWatches());
    // It takes in what vmagent scrapes, too.
    prometheus = await startPrometheus(configurations.prometheus, undefined, ['--web.enable-remote-write-receiver']);
    running.push(prometheus);
    await scraped('prometheus', prometheus);
    watches.push(await podWatches());
    vmagent = await startVmagent(configurations.vmagent, `${prometheus.url}/api/v1/write`, [VMAGENT_FLAG]);
    running.push(vmagent);
    await scraped('vmagent', vmagent);
    watches.push(await podWatches());
  });
  after(async () => {
    for (const each of running.toReversed()) await each.stop();
  });

  for (const { name: configuration, engine } of CONFIGURATIONS) {
    test(`every endpoint is a target, up, once, with ${configuration}`, async () => {
      const { activeTargets } = await (engine === 'vmagent' ? vmagent : prometheus).targets();
      const samples = await prometheus.query('endpoint_info');
      for (const { pod, endpoints } of situations.expected) {
        const isHere = ({ labels: { job, pod: name } }: { labels: Readonly<Record<string, string>> }): boolean =>
          isOf(configuration, job) && name === pod;
        const targets = activeTargets.filter(isHere);
        assert.deepEqual(
          targets.map(({ scrapeUrl, health }) => `${scrapeUrl} ${health}`).toSorted(),
          endpoints.map(({ url }) => `${url} up`).toSorted(),
          pod,
        );
        for (const { labels, scrapeUrl } of targets.filter(({ labels: { job } }) => job?.includes('endpoint-')))
          assert.equal(labels['container'], endpoints.find(({ url }) => url === scrapeUrl)?.container, scrapeUrl);
        assert.deepEqual(
          samples
            .filter(isHere)
            .map(({ labels }) => String(labels['endpoint']))
            .toSorted(),
          endpoints.map(({ sample }) => sample).toSorted(),
          pod,
        );
      }
    });
  }

  if (isAtFullLength())
    test('every endpoint is scraped, up, once, by the Prometheus receiver of the OpenTelemetry Collector', async () => {
      const jobs = await printedJobs();
      const collector = await startCollector(
        jobs.map((job) => inTest(job, 'collector / ')),
        `${prometheus.url}/api/v1/write`,
      );
      running.push(collector);
      const wanted = situations.expected.flatMap(({ pod, endpoints }) =>
        endpoints.map(({ sample }) => `${pod} ${sample}`),
      );
      const scrapedHere = async (metric: string): Promise<Sample[]> =>
        (await prometheus.query(metric)).filter(({ labels }) => isOf('collector', labels['job']));
      await waitFor('samples', async () => (await scrapedHere('endpoint_info')).length >= wanted.length);
      assert.deepEqual(
        (await scrapedHere('endpoint_info')).map(({ labels }) => `${labels['pod']} ${labels['endpoint']}`).toSorted(),
        wanted.toSorted(),
      );
      assert.deepEqual(
        (await scrapedHere('up')).map(({ value }) => value),
        wanted.map(() => 1),
      );
    });

  test('Prometheus and vmagent each watch the pods once, for all of their jobs', () => {
    const [before = 0, withPrometheus = 0, withBoth = 0] = watches;
    assert.deepEqual([withPrometheus - before, withBoth - withPrometheus], [1, 1]);
  });

  test('vmagent, with the flag that the configuration names, logs no error about equal targets', async () => {
    // On a busy machine there may be others, such as a scrape that took longer than a second.
    const complaints = await vmagent.complaints();
    assert.deepEqual(
      complaints.filter((complaint) => complaint.includes('duplicate')),
      [],
    );
  });

  async function configurationOf(engine: Configuration['engine']): Promise<object> {
    const jobs: object[] = [];
    for (const { name, jobs: read } of CONFIGURATIONS.filter((each) => each.engine === engine)) {
      const all = await read(() => (operator ??= startOperator()));
      jobs.push(...all.map((job) => inTest(job, `${name} / `)));
    }
    return { scrape_configs: jobs };
  }

  async function startOperator(): Promise<PrometheusOperator> {
    const started = await startPrometheusOperator(cluster);
    running.push(started);
    return started;
  }

  function inTest(job: Job, prefix: string): object {
    return {
      ...job,
      job_name: `${prefix}${job.job_name}`,
      scrape_interval: '1s',
      scrape_timeout: '1s',
      kubernetes_sd_configs: job.kubernetes_sd_configs.map((sd) => ({ ...sd, kubeconfig_file: cluster.kubeconfig })),
    };
  }

  /** Waits until every target that there must be was scraped, and its sample kept. */
  async function scraped(engine: Configuration['engine'], scraper: { targets(): Promise<Targets> }): Promise<void> {
    const names = CONFIGURATIONS.filter((each) => each.engine === engine).map(({ name }) => name);
    const wanted = names.length * situations.expected.reduce((sum, { endpoints }) => sum + endpoints.length, 0);
    await waitFor(`${engine} to have scraped every target`, async () => {
      const { activeTargets } = await scraper.targets();
      // vmagent calls a target down until it has been scraped.
      const isDone = activeTargets.every(({ health, lastError }) => health === 'up' || lastError !== '');
      const samples = await prometheus.query('endpoint_info');
      const kept = samples.filter(({ labels }) => names.some((name) => isOf(name, labels['job'])));
      return isDone && activeTargets.length >= wanted && kept.length >= wanted;
    });
  }

  /** Returns how many watches on pods the API server has open. */
  async function podWatches(): Promise<number> {
    const page = await cluster.kubectl(['get', '--raw', '/metrics']);
    return [...page.matchAll(/^apiserver_longrunning_requests\{(?<labels>.*)\} (?<n>\d+)$/gm)]
      .filter(({ groups: { labels = '' } = {} }) => /resource="pods"/.test(labels) && /verb="WATCH"/.test(labels))
      .reduce((sum, { groups }) => sum + Number(groups?.['n']), 0);
  }
});

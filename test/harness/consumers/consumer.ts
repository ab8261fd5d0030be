import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import { bridgeJobs } from './bridge.ts';

/** A scraper with the rules that it reads annotations by. */
export interface Consumer {
  readonly name: ConsumerName;
  /** Prometheus scrape configurations, written after the consumer's documented behaviour; job names are the consumer's. */
  readonly jobs: () => Promise<readonly Job[]>;
}

/** As it is called in the table. */
export type ConsumerName = 'Community chart' | 'Our ScrapeConfig' | 'VictoriaMetrics' | 'Azure' | 'Grafana';

/** As much of a scrape configuration as is looked at here. */
export interface Job {
  readonly job_name: string;
  readonly kubernetes_sd_configs: readonly { readonly role: 'pod' | 'endpoints' | 'endpointslice' }[];
  readonly [field: string]: unknown;
}

/** Every consumer whose reading is tested, in the table's order. */
export const CONSUMERS: readonly Consumer[] = [
  { name: 'Community chart', jobs: () => read('community-chart.yaml') },
  { name: 'Our ScrapeConfig', jobs: bridgeJobs },
  { name: 'VictoriaMetrics', jobs: () => read('victoria-metrics.yaml') },
  { name: 'Azure', jobs: () => read('azure.yaml') },
  { name: 'Grafana', jobs: () => read('grafana.yaml') },
];

async function read(file: string): Promise<Job[]> {
  return parse(await readFile(new URL(file, import.meta.url), 'utf8'));
}

import { isObject } from '../../../src/core/json.ts';
import { at, list, one, render } from '../chart/render.ts';
import type { Job } from './consumer.ts';

/** Returns the job that the Prometheus Operator makes of the ScrapeConfig in our chart, in Prometheus' spelling. */
export async function bridgeJob(): Promise<Job> {
  const spec = at(one(await render(['--set', 'bridge.enabled=true']), 'ScrapeConfig'), 'spec');
  return {
    job_name: 'annotations',
    honor_labels: at(spec, 'honorLabels'),
    kubernetes_sd_configs: [{ role: 'pod' }],
    relabel_configs: list(spec, 'relabelings').map(inSnakeCase),
  };
}

function inSnakeCase(rule: unknown): unknown {
  if (!isObject(rule)) return rule;
  return Object.fromEntries(
    Object.entries(rule).map(([key, value]) => [
      key.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
      value,
    ]),
  );
}

import { isObject } from '../../../src/core/json.ts';
import { at, list, render } from '../chart/render.ts';
import type { Job } from './consumer.ts';

/** Returns the jobs that the Prometheus Operator makes of the ScrapeConfigs in our chart, in Prometheus' spelling. */
export async function bridgeJobs(): Promise<readonly Job[]> {
  const objects = await render(['--set', 'bridge.enabled=true']);
  return objects
    .filter(({ kind }) => kind === 'ScrapeConfig')
    .map(({ name, object }) => ({
      job_name: name,
      honor_labels: at(object, 'spec', 'honorLabels'),
      kubernetes_sd_configs: [{ role: 'pod' }],
      relabel_configs: list(object, 'spec', 'relabelings').map(inSnakeCase),
    }));
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

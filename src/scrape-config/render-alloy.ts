import type { PodJob, Relabeling } from './jobs.ts';

/**
 * Returns the jobs as components of Grafana Alloy, which share one discovery. Several Alloys that form a cluster divide the
 * targets among themselves, instead of each scraping all of them (grafana.com/docs/alloy/latest/configure/clustering).
 */
export function renderAlloy(jobs: readonly PodJob[]): string {
  return ['discovery.kubernetes "autoscrape" {\n  role = "pod"\n}\n', ...jobs.map(renderJob)].join('\n');
}

function renderJob({ slot, relabelings }: PodJob): string {
  const name = slot === 1 ? 'autoscrape' : `autoscrape_${slot}`;
  return `discovery.relabel "${name}" {
  targets = discovery.kubernetes.autoscrape.targets

${relabelings.map(renderRule).join('\n')}}

prometheus.scrape "${name}" {
  job_name   = ${JSON.stringify(slot === 1 ? 'autoscrape-annotations' : `autoscrape-endpoint-${slot}`)}
  targets    = discovery.relabel.${name}.output
  forward_to = [prometheus.remote_write.DESTINATION.receiver]

  clustering {
    enabled = true
  }
}
`;
}

/** A string of Alloy has the escapes of JSON (grafana.com/docs/alloy/latest/get-started/configuration-syntax). */
function renderRule({ sourceLabels, regex, replacement, targetLabel, action }: Relabeling): string {
  const fields = {
    ...(sourceLabels && { source_labels: `[${sourceLabels.map((label) => JSON.stringify(label)).join(', ')}]` }),
    ...(regex !== undefined && { regex: JSON.stringify(regex) }),
    ...(replacement !== undefined && { replacement: JSON.stringify(replacement) }),
    ...(targetLabel !== undefined && { target_label: JSON.stringify(targetLabel) }),
    action: JSON.stringify(action),
  };
  const width = Math.max(...Object.keys(fields).map(({ length }) => length));
  const lines = Object.entries(fields).map(([key, value]) => `    ${key.padEnd(width)} = ${value}\n`);
  return `  rule {\n${lines.join('')}  }\n`;
}

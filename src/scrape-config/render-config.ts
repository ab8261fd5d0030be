import { stringify } from 'yaml';
import type { AnnotationKeys } from '../core/annotations/scrape-keys.ts';
import { renderAlloy } from './render-alloy.ts';
import { podJobs } from './jobs.ts';
import type { PodJob, Relabeling } from './jobs.ts';

/** The scrapers for which there is a configuration. */
export const SCRAPERS = ['prometheus', 'operator', 'victoria-metrics', 'alloy'] as const;

/** One of {@link SCRAPERS}. */
export type Scraper = (typeof SCRAPERS)[number];

/** The name that the chart's own examples have (github.com/grafana/k8s-monitoring-helm, charts/k8s-monitoring/docs/examples). */
const ALLOY_COLLECTOR = 'alloy-metrics';

/** https://docs.victoriametrics.com/victoriametrics/vmagent/#troubleshooting */
export const VMAGENT_FLAG = '-promscrape.suppressDuplicateScrapeTargetErrors';

/**
 * Returns what the scraper needs to read the annotations of all endpoints, as text that begins with a comment on where it
 * belongs. With `asValues`, the values of the chart that usually installs it: what that chart reads by itself is left out.
 */
export function renderConfig(scraper: Scraper, keys: AnnotationKeys, asValues: boolean): string {
  const jobs = podJobs(keys);
  const further = jobs.filter(({ slot }) => slot > 1);
  switch (scraper) {
    case 'prometheus':
      return asValues
        ? commented(
            'Values of the chart prometheus-community/prometheus, whose job kubernetes-pods reads the first endpoint.',
            // The chart takes a string. honor_labels is what that job has.
            { extraScrapeConfigs: yaml(further.map((job) => prometheusJob(job, true))) },
          )
        : commented('Into prometheus.yml. Prometheus must be 2.41 or newer.', {
            scrape_configs: jobs.map((job) => prometheusJob(job, false)),
          });
    case 'operator':
      return commented(
        "For kubectl apply, with the labels by which your Prometheus selects ScrapeConfigs. autoscrape's chart has them, too: bridge.enabled=true.",
        ...jobs.map(scrapeConfig),
      );
    case 'victoria-metrics':
      return asValues
        ? commented('Values of the chart victoria-metrics-agent, whose job kubernetes-pods reads the first endpoint.', {
            extraScrapeConfigs: further.map(vmagentJob),
          })
        : commented(
            `Into the file of vmagent's flag -promscrape.config. Set ${VMAGENT_FLAG} too: each declared port of a pod\n` +
              '# becomes a target at the annotated one. vmagent scrapes it once, and logs an error for each of the others.',
            { scrape_configs: jobs.map(vmagentJob) },
          );
    case 'alloy':
      return asValues
        ? commented(
            'Values of the chart k8s-monitoring 4. Replace DESTINATION by the name of your destination, with _ for each -.',
            {
              annotationAutodiscovery: {
                enabled: true,
                collector: ALLOY_COLLECTOR,
                annotations: {
                  scrape: keys.scrape,
                  metricsPath: keys.path,
                  metricsPortNumber: keys.port,
                  metricsScheme: keys.scheme,
                },
              },
              collectors: {
                [ALLOY_COLLECTOR]: { presets: ['clustered', 'statefulset'], extraConfig: renderAlloy(further) },
              },
            },
          )
        : `// Into Alloy's configuration, with the name of your prometheus.remote_write in place of DESTINATION.\n${renderAlloy(jobs)}`;
  }
}

function commented(comment: string, ...documents: readonly object[]): string {
  return `# ${comment}\n${documents.map(yaml).join('---\n')}`;
}

function yaml(value: object): string {
  return stringify(value, { lineWidth: 0, aliasDuplicateObjects: false });
}

function nameOf({ slot }: PodJob): string {
  return slot === 1 ? 'autoscrape-annotations' : `autoscrape-endpoint-${slot}`;
}

function prometheusJob(job: PodJob, honorLabels: boolean): object {
  return {
    job_name: nameOf(job),
    honor_labels: honorLabels,
    kubernetes_sd_configs: [{ role: 'pod' }],
    relabel_configs: job.relabelings.map(inSnakeCase),
  };
}

function inSnakeCase({ sourceLabels, targetLabel, ...others }: Relabeling): object {
  return {
    ...(sourceLabels && { source_labels: sourceLabels }),
    ...(targetLabel !== undefined && { target_label: targetLabel }),
    ...others,
  };
}

function vmagentJob(job: PodJob): object {
  return {
    job_name: nameOf(job),
    kubernetes_sd_configs: [{ role: 'pod' }],
    relabel_configs: job.relabelings.map(forVmagent),
  };
}

/** vmagent compares labels with each other under a name of its own (docs.victoriametrics.com/relabeling). */
function forVmagent(relabeling: Relabeling): object {
  const { sourceLabels = [], targetLabel = '', action } = relabeling;
  if (action !== 'keepequal' && action !== 'dropequal') return inSnakeCase(relabeling);
  return {
    source_labels: [...sourceLabels, targetLabel],
    action: action === 'keepequal' ? 'keep_if_equal' : 'drop_if_equal',
  };
}

function scrapeConfig(job: PodJob): object {
  return {
    apiVersion: 'monitoring.coreos.com/v1alpha1',
    kind: 'ScrapeConfig',
    metadata: { name: nameOf(job) },
    // A pod's own metrics don't get to say which namespace or pod they are from.
    spec: { honorLabels: false, kubernetesSDConfigs: [{ role: 'Pod' }], relabelings: job.relabelings },
  };
}

import { communityJobs, INTERVALS, startPrometheusPod } from '../installation/prometheus-pod.ts';
import type { Prometheus, PrometheusPod } from '../installation/prometheus-pod.ts';
import type { Setup } from '../installation/setup.ts';
import { waitFor } from '../process/wait-for.ts';
import type { Fault } from './fault.ts';
import { FAULTS, faultPod, ORDERS, SCRAPE } from './fault-pods.ts';

/** A Prometheus of its own, with what is wrong with it. */
interface Scraper extends Pick<Fault, 'name' | 'ids' | 'remedy' | 'usually' | 'objects'> {
  /** Follows `faults-prometheus-` in the name of its namespace. */
  readonly place: string;
  readonly jobs: () => Promise<readonly unknown[]>;
  readonly mayDiscover?: boolean;
  /** The pod that is looked at. */
  readonly pod?: string;
  /** What is done to it once it runs. */
  readonly until?: (setup: Setup, prometheus: Prometheus, made: PrometheusPod) => Promise<unknown>;
}

function scraper({ place, jobs, mayDiscover, pod = ORDERS, until, ...fault }: Scraper): Fault {
  const namespace = `faults-prometheus-${place}`;
  return {
    ...fault,
    part: 'scraper',
    args: [`pod/${pod}`, `--namespace=${FAULTS}`, `--prometheus=svc/${namespace}/prometheus:9090`],
    async make(setup) {
      const made: PrometheusPod = {
        namespace,
        configuration: { global: INTERVALS, scrape_configs: await jobs() },
        ...(mayDiscover !== undefined && { mayDiscover }),
      };
      const prometheus = await startPrometheusPod(setup, made);
      await until?.(setup, prometheus, made);
      return async () => {
        const ofCluster = `clusterrole/${namespace},clusterrolebinding/${namespace}`;
        await setup.kubectl(['delete', 'namespace', namespace, '--wait=false']);
        await setup.kubectl(['delete', ...ofCluster.split(','), '--ignore-not-found']);
      };
    },
  };
}

const discovery = { kubernetes_sd_configs: [{ role: 'pod' }] };

const keepAnnotated = {
  source_labels: ['__meta_kubernetes_pod_annotation_prometheus_io_scrape'],
  regex: 'true',
  action: 'keep',
};

const takePort = {
  source_labels: ['__meta_kubernetes_pod_annotation_prometheus_io_port', '__meta_kubernetes_pod_ip'],
  regex: '(.+);(.+)',
  replacement: '$2:$1',
  target_label: '__address__',
};

/** A job that reads annotations, with further rules and fields. */
function annotated(rules: readonly unknown[], fields: object = {}): unknown {
  return { job_name: 'annotated', ...discovery, relabel_configs: [keepAnnotated, takePort, ...rules], ...fields };
}

/** A job as the Operator writes it for the monitor of a Service. */
function monitorJob(service: string): unknown {
  return {
    job_name: `serviceMonitor/${FAULTS}/${service}/0`,
    kubernetes_sd_configs: [{ role: 'endpointslice', namespaces: { names: [FAULTS] } }],
    relabel_configs: [{ source_labels: ['__meta_kubernetes_service_name'], regex: service, action: 'keep' }],
  };
}

function service(name: string, pod: string, annotations: Readonly<Record<string, string>> = {}): unknown {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: FAULTS, annotations },
    spec: { selector: { app: pod }, ports: [{ name: 'http', port: 80, targetPort: 8080 }] },
  };
}

/** What can be wrong with what scrapes. */
export const SCRAPER_FAULTS: readonly Fault[] = [
  scraper({
    name: 'no job reads annotations',
    ids: ['annotations-not-read'],
    remedy: /bridge\.enabled/,
    place: 'deaf',
    jobs: () =>
      Promise.resolve([
        {
          job_name: 'by-label',
          ...discovery,
          relabel_configs: [
            { source_labels: ['__meta_kubernetes_pod_label_metrics'], regex: 'please', action: 'keep' },
          ],
        },
      ]),
  }),
  scraper({
    name: 'a rule drops it, after the one that reads annotations',
    ids: ['target-dropped'],
    remedy: /Service discovery|rule/,
    place: 'drops',
    jobs: () =>
      Promise.resolve([
        annotated([{ source_labels: ['__meta_kubernetes_pod_label_team'], regex: 'shop', action: 'keep' }]),
      ]),
  }),
  scraper({
    name: 'its account may not list pods',
    ids: ['target-not-discovered'],
    remedy: /get, list and watch on pods/,
    place: 'blind',
    jobs: communityJobs,
    mayDiscover: false,
  }),
  scraper({
    name: 'scraped by the annotations of its Service too',
    ids: ['target-doubled'],
    remedy: /off the Service/,
    place: 'twice',
    pod: 'twice',
    objects: [faultPod({ name: 'twice', kind: 'metrics' }), service('twice', 'twice', SCRAPE)],
    jobs: communityJobs,
    until: (_, prometheus) => severalTargets(prometheus, 'twice'),
  }),
  scraper({
    name: 'scraped by a monitor too',
    ids: ['target-doubled'],
    remedy: /monitor/,
    usually: true,
    place: 'monitored',
    pod: 'monitored',
    objects: [faultPod({ name: 'monitored', kind: 'metrics' }), service('monitored', 'monitored')],
    jobs: () => Promise.resolve([annotated([]), monitorJob('monitored')]),
    until: (_, prometheus) => severalTargets(prometheus, 'monitored'),
  }),
  scraper({
    name: 'more samples than sample_limit allows',
    ids: ['target-limit'],
    remedy: /limit/,
    usually: true,
    place: 'limited',
    pod: 'labelled',
    objects: [faultPod({ name: 'labelled', kind: 'labelled' })],
    jobs: () => Promise.resolve([annotated([], { sample_limit: 1 })]),
  }),
];

/** Returns once the pod has more than one target. */
async function severalTargets(prometheus: Prometheus, pod: string): Promise<void> {
  await waitFor(
    `${pod} to have two targets`,
    async () => {
      const targets = await prometheus.targets({});
      return (
        targets.filter(({ discoveredLabels }) => discoveredLabels['__meta_kubernetes_pod_name'] === pod).length > 1
      );
    },
    { seconds: 60 },
  );
}

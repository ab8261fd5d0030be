import { INTERVALS, startPrometheusPod } from '../installation/prometheus-pod.ts';
import type { Prometheus, PrometheusPod } from '../installation/prometheus-pod.ts';
import type { Setup } from '../installation/setup.ts';
import type { Fault } from './fault.ts';
import { FAULTS, ORDERS } from './fault-pods.ts';

/** A Prometheus of its own, with what is wrong with it. */
export interface FaultyScraper extends Pick<Fault, 'name' | 'ids' | 'remedy' | 'usually' | 'objects'> {
  readonly part?: Fault['part'];
  /** Follows `faults-prometheus-` in the name of its namespace. */
  readonly place: string;
  readonly jobs: () => Promise<readonly unknown[]>;
  readonly mayDiscover?: boolean;
  /** The pod that is looked at. */
  readonly pod?: string;
  /** What is done once it runs; it may return what takes that back. */
  readonly also?: (setup: Setup, scraper: RunningScraper) => Promise<(() => Promise<unknown>) | undefined>;
}

/** The Prometheus, as it runs. */
export interface RunningScraper {
  readonly namespace: string;
  readonly prometheus: Prometheus;
  readonly made: PrometheusPod;
}

/** Returns the fault that such a Prometheus is, while it runs. */
export function faultyScraper({ part, place, jobs, mayDiscover, pod = ORDERS, also, ...fault }: FaultyScraper): Fault {
  const namespace = scraperNamespace(place);
  return {
    ...fault,
    part: part ?? 'scraper',
    args: [`pod/${pod}`, `--namespace=${FAULTS}`, `--prometheus=svc/${namespace}/prometheus:9090`],
    async make(setup) {
      const made: PrometheusPod = {
        namespace,
        configuration: { global: INTERVALS, scrape_configs: await jobs() },
        ...(mayDiscover !== undefined && { mayDiscover }),
      };
      const prometheus = await startPrometheusPod(setup, made);
      const undo = await also?.(setup, { namespace, prometheus, made });
      return async () => {
        await undo?.();
        await setup.kubectl(['delete', 'namespace', namespace, '--wait=false']);
        const ofCluster = [`clusterrole/${namespace}`, `clusterrolebinding/${namespace}`];
        await setup.kubectl(['delete', '--ignore-not-found', ...ofCluster]);
      };
    },
  };
}

/** Returns the namespace of such a Prometheus. */
export function scraperNamespace(place: string): string {
  return `faults-prometheus-${place}`;
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

/** Without it, two pods that had one address after each other would be one target. */
const namePod = { source_labels: ['__meta_kubernetes_pod_name'], target_label: 'pod' };

/** Returns a job that reads annotations, with further rules and fields. */
export function annotated(rules: readonly unknown[] = [], fields: object = {}): unknown {
  return {
    job_name: 'annotated',
    ...discovery,
    relabel_configs: [keepAnnotated, takePort, ...rules, namePod],
    ...fields,
  };
}

/** Returns a job that reads no annotation. */
export function byLabel(): unknown {
  const rule = { source_labels: ['__meta_kubernetes_pod_label_metrics'], regex: 'please', action: 'keep' };
  return { job_name: 'by-label', ...discovery, relabel_configs: [rule] };
}

/** Returns a job as the Operator writes it for the monitor of a Service. */
export function monitorJob(service: string, port: string): unknown {
  return {
    job_name: `serviceMonitor/${FAULTS}/${service}/0`,
    kubernetes_sd_configs: [{ role: 'endpointslice', namespaces: { names: [FAULTS] } }],
    relabel_configs: [
      { source_labels: ['__meta_kubernetes_service_name'], regex: service, action: 'keep' },
      { source_labels: ['__meta_kubernetes_endpointslice_port_name'], regex: port, action: 'keep' },
    ],
  };
}

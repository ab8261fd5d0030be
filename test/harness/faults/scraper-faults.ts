import { communityJobs, configurationMap, proxyPath } from '../installation/prometheus-pod.ts';
import type { Prometheus } from '../installation/prometheus-pod.ts';
import type { Setup } from '../installation/setup.ts';
import { apply } from '../installation/workload.ts';
import { waitFor } from '../process/wait-for.ts';
import { CUSTOM_KINDS, defineKinds } from './custom-resources.ts';
import type { Fault } from './fault.ts';
import { FAULTS, faultPod, ORDERS, SCRAPE } from './fault-pods.ts';
import { annotated, byLabel, faultyScraper, monitorJob } from './faulty-scraper.ts';
import type { RunningScraper } from './faulty-scraper.ts';

/** What can be wrong with what scrapes. */
export const SCRAPER_FAULTS: readonly Fault[] = [
  {
    name: 'none has the labels that it is known by',
    part: 'scraper',
    ids: ['scraper-not-found'],
    remedy: /--prometheus/,
    args: [`pod/${ORDERS}`, `--namespace=${FAULTS}`],
    async make({ kubectl }) {
      const label = ['label', 'service', '--namespace=installation-prometheus', 'prometheus', '--overwrite'];
      await kubectl([...label, 'app.kubernetes.io/name-']);
      return () => kubectl([...label, 'app.kubernetes.io/name=prometheus']);
    },
  },
  faultyScraper({
    name: 'no job reads annotations',
    ids: ['annotations-not-read'],
    remedy: /bridge\.enabled/,
    place: 'deaf',
    jobs: () => Promise.resolve([byLabel()]),
  }),
  faultyScraper({
    name: "it is the Operator's, with monitors alone",
    ids: ['annotations-not-read'],
    remedy: /bridge\.enabled/,
    place: 'operated',
    jobs: () => Promise.resolve([monitorJob('twice', 'http')]),
    also: (setup, scraper) => withOperator(setup, scraper, []),
  }),
  faultyScraper({
    name: 'a ScrapeConfig that no Prometheus object selects',
    ids: ['monitor-not-selected'],
    remedy: /kubectl label scrapeconfig bridge -n faults --overwrite release=kps/,
    place: 'unselected',
    jobs: () => Promise.resolve([byLabel()]),
    also: (setup, scraper) => withOperator(setup, scraper, [bridge()]),
  }),
  faultyScraper({
    name: "a monitor that names a port which isn't there",
    ids: ['monitor-port-missing'],
    remedy: /spec\.endpoints\[\]\.port: http/,
    place: 'misnamed',
    pod: 'monitored',
    jobs: () => Promise.resolve([monitorJob('monitored', 'metrics')]),
    also: (setup, scraper) => withOperator(setup, scraper, [monitor('monitored', 'metrics')]),
  }),
  faultyScraper({
    name: 'a rule drops it, after the one that reads annotations',
    ids: ['target-dropped'],
    remedy: /label that rule 3 wants: team/,
    place: 'drops',
    jobs: () =>
      Promise.resolve([
        annotated([{ source_labels: ['__meta_kubernetes_pod_label_team'], regex: 'shop', action: 'keep' }]),
      ]),
  }),
  faultyScraper({
    name: 'its account has no right to list pods',
    ids: ['target-not-discovered'],
    remedy: /kubectl auth can-i list pods .*system:serviceaccount:faults-prometheus-blind:prometheus/,
    place: 'blind',
    jobs: communityJobs,
    mayDiscover: false,
  }),
  faultyScraper({
    name: 'it could not load its newest configuration',
    ids: ['scraper-reload-failed'],
    remedy: /promtool check config/,
    place: 'reload',
    jobs: () => Promise.resolve([byLabel()]),
    also: breakConfiguration,
  }),
  faultyScraper({
    name: 'no port in the annotations, and several declared',
    ids: ['target-other-ports', 'annotation-suspect'],
    remedy: /prometheus\.io\/port/,
    place: 'portless',
    pod: 'portless',
    objects: [
      faultPod({
        name: 'portless',
        kind: 'metrics',
        annotations: { 'prometheus.io/scrape': 'true' },
        container: {
          ports: [
            { name: 'http', containerPort: 8080 },
            { name: 'admin', containerPort: 9999 },
          ],
        },
      }),
    ],
    jobs: communityJobs,
    also: (_, { prometheus }) => severalTargets(prometheus, 'portless'),
  }),
  faultyScraper({
    name: 'scraped by the annotations of its Service too',
    ids: ['target-doubled'],
    remedy: /kubectl annotate service twice -n faults prometheus\.io\/scrape-/,
    place: 'twice',
    pod: 'twice',
    objects: [faultPod({ name: 'twice', kind: 'metrics' }), service('twice', SCRAPE)],
    jobs: communityJobs,
    also: (_, { prometheus }) => severalTargets(prometheus, 'twice'),
  }),
  faultyScraper({
    name: 'scraped by a monitor too',
    ids: ['target-doubled'],
    remedy: /monitor/i,
    usually: true,
    place: 'monitored',
    pod: 'monitored',
    objects: [faultPod({ name: 'monitored', kind: 'metrics' }), service('monitored')],
    jobs: () => Promise.resolve([annotated(), monitorJob('monitored', 'http')]),
    also: (_, { prometheus }) => severalTargets(prometheus, 'monitored'),
  }),
  faultyScraper({
    name: 'more samples than sample_limit allows',
    ids: ['target-limit'],
    remedy: /limit/,
    usually: true,
    place: 'limited',
    pod: 'labelled',
    objects: [faultPod({ name: 'labelled', kind: 'labelled' })],
    jobs: () => Promise.resolve([annotated([], { sample_limit: 1 })]),
  }),
  faultyScraper({
    name: "the app's own label namespace, which wins over the target's",
    ids: ['series-labels-collide'],
    remedy: /namespace/,
    place: 'colliding',
    pod: 'labelled',
    jobs: () =>
      Promise.resolve([
        annotated([{ source_labels: ['__meta_kubernetes_namespace'], target_label: 'namespace' }], {
          honor_labels: true,
        }),
      ]),
  }),
];

function service(name: string, annotations: Readonly<Record<string, string>> = {}): unknown {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: FAULTS, annotations, labels: { app: name } },
    spec: { selector: { app: name }, ports: [{ name: 'http', port: 80, targetPort: 8080 }] },
  };
}

/** Returns once the pod has more than one target. */
async function severalTargets(prometheus: Prometheus, pod: string): Promise<undefined> {
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

/** Defines the Operator's kinds, with a Prometheus object that selects by `release: kps`, and these monitors. */
async function withOperator(
  setup: Setup,
  { namespace }: RunningScraper,
  monitors: readonly unknown[],
): Promise<() => Promise<unknown>> {
  const undo = await defineKinds(setup, CUSTOM_KINDS);
  const selector = { matchLabels: { release: 'kps' } };
  const prometheus = {
    apiVersion: 'monitoring.coreos.com/v1',
    kind: 'Prometheus',
    metadata: { name: 'kps', namespace },
    spec: {
      scrapeConfigSelector: selector,
      scrapeConfigNamespaceSelector: {},
      serviceMonitorSelector: selector,
      serviceMonitorNamespaceSelector: {},
    },
  };
  await apply(setup, prometheus, ...monitors);
  return async () => {
    const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: [prometheus, ...monitors] });
    await setup.kubectl(['delete', '--filename=-', '--ignore-not-found'], list);
    await undo();
  };
}

/** The chart's bridge, in what matters, without the label that the Prometheus object selects by. */
function bridge(): unknown {
  return {
    apiVersion: 'monitoring.coreos.com/v1alpha1',
    kind: 'ScrapeConfig',
    metadata: { name: 'bridge', namespace: FAULTS },
    spec: {
      kubernetesSDConfigs: [{ role: 'Pod' }],
      relabelings: [
        {
          sourceLabels: ['__meta_kubernetes_pod_annotation_prometheus_io_scrape'],
          regex: 'true',
          action: 'keep',
        },
      ],
    },
  };
}

function monitor(name: string, port: string): unknown {
  return {
    apiVersion: 'monitoring.coreos.com/v1',
    kind: 'ServiceMonitor',
    metadata: { name, namespace: FAULTS, labels: { release: 'kps' } },
    spec: { selector: { matchLabels: { app: name } }, endpoints: [{ port }] },
  };
}

/** Writes a configuration that is not valid, and has it loaded. */
async function breakConfiguration(setup: Setup, { made, namespace }: RunningScraper): Promise<undefined> {
  await apply(setup, configurationMap({ ...made, configuration: { scrape_configs: [{}] } }));
  await waitFor(
    'the new configuration to be refused',
    async () => (await setup.request('POST', `${proxyPath(namespace)}/-/reload`)).status === 500,
    { seconds: 120, everyMs: 2000 },
  );
}

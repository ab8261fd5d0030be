import { nameOf, namespaceOf } from '../../core/metadata.ts';
import { isObject, objectIn, text } from '../../core/json.ts';
import type { JsonObject } from '../../core/json.ts';
import type { KnownPod } from './check-targets.ts';
import { COLLECTIONS } from '../object-cache.ts';
import type { ClusterReader } from '../object-cache.ts';
import { finding, quoted } from '../finding.ts';
import type { Line } from '../finding.ts';
import { kindOfPrometheus, monitorsOf, notReconciled } from './service-monitors.ts';
import type { MonitorFault, MonitorKind, OperatorObjects } from './service-monitors.ts';
import { readNamespaceLabels } from '../pod/namespace-labels.ts';
import type { ScraperState } from './read-scraper.ts';

/**
 * Returns why no monitor of the Prometheus Operator makes a target of the pod, where one means it; nothing where none does.
 * `label` is that of the scrape annotation: a ScrapeConfig that reads it, as the chart's bridge, means every annotated pod.
 */
export async function explainMonitors(
  { pod, namespace, now }: Pick<KnownPod, 'pod' | 'namespace' | 'now'>,
  state: Pick<ScraperState, 'jobs' | 'loadedAt' | 'scraper'> | undefined,
  cluster: ClusterReader,
  label: string | undefined,
): Promise<readonly Line[]> {
  const read = await readObjects(cluster, namespace);
  if ('needs' in read) return [{ state: 'unchecked', title: 'monitors of the Prometheus Operator', needs: read.needs }];
  const faults = monitorsOf(pod, read.services, read.objects, label);
  const selected = faults.find((each) => each.fault === 'none');
  const broken = faults.find((each) => each.fault !== 'none');
  if (selected !== undefined) {
    const line = await notLoaded(selected, state, cluster, now);
    if (line !== undefined) return [line];
    // One of them works: what others would do is no break.
    return [];
  }
  if (broken === undefined) return [];
  return [
    finding(
      broken.fault === 'port' ? 'monitor-port-missing' : 'monitor-not-selected',
      'no target',
      `${broken.monitor} ${broken.fault === 'port' ? 'selects the pod and makes no target' : 'is selected by no Prometheus, or selects nothing'}. ${broken.because}`,
      broken.todo,
    ),
  ];
}

/** A monitor that is selected, and whose pool is not loaded; undefined where it is, or what is loaded is not known. */
async function notLoaded(
  { monitor, object, pool, prometheus }: Extract<MonitorFault, { fault: 'none' }>,
  state: Pick<ScraperState, 'jobs' | 'loadedAt' | 'scraper'> | undefined,
  cluster: ClusterReader,
  now: number,
): Promise<Line | undefined> {
  if (state?.jobs === undefined || state.jobs.some(({ name }) => name === pool || name.startsWith(`${pool}/`)))
    return undefined;
  const title = 'no target';
  const created = Date.parse(text(objectIn(object, 'metadata').creationTimestamp));
  if (now - created < 2 * 60_000)
    return finding('target-not-yet', title, `${monitor} is younger than two minutes.`, 'Run this again in a minute.');
  const events = await cluster.list(COLLECTIONS.events, { namespace: namespaceOf(object) });
  const event = (events.ok ? events.value : []).findLast(
    ({ reason, involvedObject }) =>
      reason === 'InvalidConfiguration' && isObject(involvedObject) && involvedObject['name'] === nameOf(object),
  );
  const kind = kindOfPrometheus(prometheus);
  const owner = `${kind} ${namespaceOf(prometheus)}/${nameOf(prometheus)}`;
  const refused = event === undefined ? undefined : `The Operator refuses it: "${quoted(text(event['message']))}".`;
  const failed = notReconciled(prometheus);
  const because =
    refused ??
    (failed === undefined
      ? `${state.scraper.name} has loaded no job ${pool}; its configuration is of ${state.loadedAt === undefined ? 'unknown age' : new Date(state.loadedAt).toISOString()}.`
      : `The Operator does not reconcile ${owner}: "${quoted(failed)}".`);
  return finding(
    'monitor-not-loaded',
    title,
    `${monitor} is selected by ${owner}, and not loaded. ${because}`,
    refused === undefined
      ? `kubectl describe ${kind.toLowerCase()} ${nameOf(prometheus)} -n ${namespaceOf(prometheus)}; look at the log of the Operator, and of config-reloader in its pods`
      : `Correct what the Operator names in ${monitor}.`,
  );
}

const KINDS: readonly (readonly [MonitorKind, 'podMonitors' | 'serviceMonitors' | 'scrapeConfigs'])[] = [
  ['PodMonitor', 'podMonitors'],
  ['ServiceMonitor', 'serviceMonitors'],
  ['ScrapeConfig', 'scrapeConfigs'],
];

async function readObjects(
  cluster: ClusterReader,
  namespace: string,
): Promise<
  { readonly objects: OperatorObjects; readonly services: readonly JsonObject[] } | { readonly needs: string }
> {
  const [services, prometheuses, agents, ...monitors] = await Promise.all([
    cluster.list(COLLECTIONS.services, { namespace }),
    cluster.list(COLLECTIONS.prometheuses),
    cluster.list(COLLECTIONS.prometheusAgents),
    ...KINDS.map(([, collection]) => cluster.list(COLLECTIONS[collection])),
  ]);
  const failed = [prometheuses, agents, ...monitors].find((each) => !each.ok);
  if (failed?.ok === false) return { needs: failed.error };
  const found = monitors.flatMap((listed, index) => {
    const kind = KINDS[index]?.[0] ?? 'PodMonitor';
    return listed.ok ? listed.value.map((object) => ({ kind, object })) : [];
  });
  return {
    services: services.ok ? services.value : [],
    objects: {
      monitors: found,
      // The items of a list do not say their kind.
      prometheuses: [
        ...(prometheuses.ok ? prometheuses.value : []),
        ...(agents.ok ? agents.value.map((agent) => ({ ...agent, kind: 'PrometheusAgent' })) : []),
      ],
      namespaces: await readNamespaceLabels(
        cluster,
        found.map(({ object }) => namespaceOf(object)),
      ),
    },
  };
}

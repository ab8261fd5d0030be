import { nameOf, namespaceOf } from '../../core/metadata.ts';
import { objectIn, objectsIn, text, textEntries } from '../../core/json.ts';
import type { JsonObject } from '../../core/json.ts';
import type { Result } from '../../core/result.ts';
import type { PodProxy } from '../../kube/pod-proxy.ts';
import { COLLECTIONS } from '../object-cache.ts';
import type { ClusterReader } from '../object-cache.ts';
import { atUrl, throughPod, throughService } from './scraper-api.ts';
import type { ScraperApi } from './scraper-api.ts';

/** A Prometheus or vmagent that can be asked. */
export interface Scraper {
  /** Such as `Prometheus monitoring/prometheus-server`. */
  readonly name: string;
  readonly kind: 'Prometheus' | 'vmagent';
  readonly api: ScraperApi;
  /** Whether only its labels say that it is one: charts give some of them to what stands beside a Prometheus, too. */
  readonly isGuess: boolean;
  /** The pods in which it runs, as far as they can be read. */
  readonly pods: readonly JsonObject[];
}

/** Something that scrapes and has no API with targets: it is named, with the page where it tells. */
export interface OtherScraper {
  readonly name: string;
  readonly page: string;
}

/** What scrapes in the cluster, as far as its labels show. */
export interface FoundScrapers {
  readonly scrapers: readonly Scraper[];
  readonly others: readonly OtherScraper[];
  /** What is needed to find all of them; undefined where everything could be read. */
  readonly needs: string | undefined;
}

/**
 * The labels of their Services: those of the community's charts, of kube-prometheus and kube-prometheus-stack, of the
 * Operator's own Service, and of VictoriaMetrics' charts and operator.
 */
const SELECTORS = [
  'app.kubernetes.io/name in (prometheus,prometheus-agent,vmagent,victoria-metrics-agent)',
  'app in (prometheus,kube-prometheus-stack-prometheus,prometheus-operator-prometheus,vmagent)',
  'operated-prometheus=true',
] as const;

/** Scrapers without an API of targets that the API server could be asked for, by the label app.kubernetes.io/name of their pods. */
const OTHERS: Readonly<Record<string, readonly [name: string, page: string]>> = {
  alloy: ['Alloy', 'the page of its component prometheus.scrape, at port 12345'],
  'grafana-agent': ['Grafana Agent', '/agent/api/v1/metrics/targets, at its HTTP port'],
  'opentelemetry-collector': [
    'OpenTelemetry Collector',
    "the target allocator's /jobs, or the log of its prometheus receiver",
  ],
  'opentelemetry-targetallocator': ['OpenTelemetry target allocator', '/jobs, at port 8080'],
  datadog: ['Datadog Agent', '`agent status` in its pod, section openmetrics'],
  'datadog-agent': ['Datadog Agent', '`agent status` in its pod, section openmetrics'],
  telegraf: ['Telegraf', 'its log, input prometheus'],
  'ama-metrics': ["Azure's managed Prometheus", '/api/v1/targets at port 9090 of its pod'],
};

/** Of one kind: of more, those that have none of the pods say nothing new. */
const MAX_SCRAPERS = 8;

/** Returns the scrapers that have well-known labels. */
export async function findScrapers(cluster: ClusterReader, proxy: PodProxy): Promise<FoundScrapers> {
  const names = Object.keys(OTHERS).join(',');
  const [others, ...listed] = await Promise.all([
    cluster.list(COLLECTIONS.pods, { labelSelector: `app.kubernetes.io/name in (${names})` }),
    ...SELECTORS.map((labelSelector) => cluster.list(COLLECTIONS.services, { labelSelector })),
  ]);
  const failed = listed.find((each) => !each.ok);
  const services = listed.flatMap((each) => (each.ok ? each.value : []));
  const groups = new Map<string, JsonObject>();
  for (const service of services) {
    // The Operator's headless Service selects the same pods as the one of the chart: the first is asked.
    const selector = textEntries(objectIn(service, 'spec').selector)
      .map((pair) => pair.join('='))
      .toSorted((a, b) => (a < b ? -1 : 1))
      .join();
    const key = `${namespaceOf(service)} ${selector === '' ? nameOf(service) : selector}`;
    if (webPort(service) !== undefined && !groups.has(key)) groups.set(key, service);
  }
  const found = await Promise.all([...groups.values()].map((service) => ofService(service, true, { cluster, proxy })));
  return {
    scrapers: withoutTwins(found.flat()).slice(0, MAX_SCRAPERS),
    others: others.ok ? namedOthers(others.value) : [],
    needs: failed?.ok === false ? failed.error : undefined,
  };
}

/** Returns the scraper of a Service: where several pods are behind it, each, because they may be shards. */
async function ofService(
  service: JsonObject,
  isGuess: boolean,
  { cluster, proxy }: { readonly cluster: ClusterReader; readonly proxy: PodProxy },
): Promise<readonly Scraper[]> {
  const [namespace, name] = [namespaceOf(service), nameOf(service)];
  const port = webPort(service);
  if (port === undefined) return [];
  const selector = textEntries(objectIn(service, 'spec').selector);
  const labelSelector = selector.map((pair) => pair.join('=')).join(',');
  const listed = selector.length === 0 ? undefined : await cluster.list(COLLECTIONS.pods, { namespace, labelSelector });
  const pods = (listed?.ok === true ? listed.value : []).filter((pod) => objectIn(pod, 'status').phase === 'Running');
  const kind = /vmagent|victoria-metrics-agent/.test(JSON.stringify(objectIn(service, 'metadata').labels ?? {}))
    ? 'vmagent'
    : 'Prometheus';
  const scheme = [port['name'], port['appProtocol']].some((word) => text(word).startsWith('https')) ? 'https' : 'http';
  if (pods.length < 2)
    return [
      {
        name: `${kind} ${namespace}/${name}`,
        kind,
        api: throughService({ namespace, service: name, port: String(port['port']), scheme }, proxy),
        isGuess,
        pods,
      },
    ];
  return pods.flatMap((pod) => {
    const number = targetPort(port, pod);
    const api = number && throughPod({ namespace, pod: nameOf(pod), port: number, scheme }, proxy);
    return api === undefined || api === 0
      ? []
      : [{ name: `${kind} ${namespace}/${nameOf(pod)}`, kind, api, isGuess, pods: [pod] } as const];
  });
}

/** Replicas of one shard have the same targets: one of them is asked. */
function withoutTwins(scrapers: readonly Scraper[]): readonly Scraper[] {
  const seen = new Set<string>();
  return scrapers.filter(({ pods, name }) => {
    const [pod] = pods;
    const labels = objectIn(objectIn(pod, 'metadata'), 'labels');
    const shard = labels['operator.prometheus.io/shard'];
    if (pod === undefined || shard === undefined) return true;
    const key = `${namespaceOf(pod)} ${text(labels['operator.prometheus.io/name']) || name} ${text(shard)}`;
    const isNew = !seen.has(key);
    seen.add(key);
    return isNew;
  });
}

function webPort(service: JsonObject): JsonObject | undefined {
  const ports = objectsIn(objectIn(service, 'spec'), 'ports');
  return ports.find(({ name, port }) => port === 9090 || /^(?:https?|web|http-web)$/.test(text(name))) ?? ports[0];
}

function targetPort({ port, targetPort: target = port }: JsonObject, pod: JsonObject): number | undefined {
  if (typeof target === 'number') return target;
  const ports = objectsIn(objectIn(pod, 'spec'), 'containers').flatMap((container) => objectsIn(container, 'ports'));
  const number = ports.find(({ name }) => name === target)?.['containerPort'];
  return typeof number === 'number' ? number : undefined;
}

function namedOthers(pods: readonly JsonObject[]): readonly OtherScraper[] {
  const found = new Map<string, OtherScraper>();
  for (const pod of pods) {
    const label = text(objectIn(objectIn(pod, 'metadata'), 'labels')['app.kubernetes.io/name']);
    const [name, page] = OTHERS[label] ?? [];
    if (name === undefined || page === undefined) continue;
    const key = `${name} in namespace ${namespaceOf(pod)}`;
    if (!found.has(key)) found.set(key, { name: key, page });
  }
  return [...found.values()];
}

/** Returns the scraper at `svc/NAMESPACE/NAME:PORT` or at a URL; undefined for anything else. */
export function readScraperPlace(where: string): ScraperPlace | undefined {
  const [, namespace, service, port] = /^svc\/([a-z0-9-]+)\/([a-z0-9-]+):([a-z0-9-]+)$/.exec(where) ?? [];
  if (namespace !== undefined && service !== undefined && port !== undefined) return { namespace, service, port };
  const url = URL.parse(where);
  return url !== null && /^https?:$/.test(url.protocol) ? url : undefined;
}

/** Where the user says that a scraper is. */
export type ScraperPlace = URL | { readonly namespace: string; readonly service: string; readonly port: string };

/** Returns the scraper that the user named. The token is only for a URL: the API server does not pass one on. */
export async function givenScraper(
  place: ScraperPlace,
  token: string | undefined,
  { cluster, proxy }: { readonly cluster: ClusterReader; readonly proxy: PodProxy },
): Promise<Result<FoundScrapers, string>> {
  if (place instanceof URL) {
    const scraper = {
      name: `Prometheus ${place.host}`,
      kind: 'Prometheus',
      api: atUrl(place, token),
      isGuess: false,
      pods: [],
    } as const;
    return { ok: true, value: { scrapers: [scraper], others: [], needs: undefined } };
  }
  const { namespace, service, port } = place;
  const read = await cluster.get(COLLECTIONS.services, namespace, service);
  if (read.ok && read.value === undefined)
    return { ok: false, error: `there is no Service ${service} in namespace ${namespace}` };
  const ports = read.ok ? objectsIn(objectIn(read.value, 'spec'), 'ports') : [];
  const named = ports.find((each) => String(each['port']) === port || each['name'] === port) ?? { port, name: '' };
  const found = read.ok ? (read.value ?? {}) : { metadata: { namespace, name: service } };
  const only = {
    ...found,
    metadata: { ...objectIn(found, 'metadata'), namespace, name: service },
    spec: { ...objectIn(found, 'spec'), ports: [named] },
  };
  return {
    ok: true,
    value: { scrapers: await ofService(only, false, { cluster, proxy }), others: [], needs: undefined },
  };
}

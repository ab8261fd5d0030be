import { nameOf, namespaceOf } from '../core/metadata.ts';
import { objectIn, text } from '../core/json.ts';
import { ASK_LABEL } from '../core/ask-label.ts';
import type { Rules } from '../core/rules/rule.ts';
import { relate } from '../explain/related-objects.ts';
import type { Related } from '../explain/related-objects.ts';
import { podPath } from '../kube/api-paths.ts';
import { createSemaphore } from '../kube/semaphore.ts';
import type { Kube } from '../kube/client.ts';
import { podProxy, proxyRefusal } from '../kube/pod-proxy.ts';
import type { SelectorsRead } from '../live/selectors-in-force.ts';
import { readWorkloads } from '../manifest/workload.ts';
import { askEndpoint, findEndpoint } from './endpoint/ask-endpoint.ts';
import type { AskedOf, EndpointAsked } from './endpoint/ask-endpoint.ts';
import type { Stated } from './pod/check-pod.ts';
import { COLLECTIONS } from './object-cache.ts';
import type { ClusterReader } from './object-cache.ts';
import { diagnose } from './diagnose-pod.ts';
import type { Named, PodReport } from './finding.ts';
import { readOwner } from './pod/owner.ts';
import type { Scrapers } from './scraper/read-scraper.ts';
import { seriesReader } from './scraper/series.ts';
import { workloadOf } from './pod/select-pods.ts';

/** What looking at many pods needs. */
export interface DiagnosePodsOptions {
  readonly kube: Pick<Kube, 'request' | 'open'>;
  readonly cluster: ClusterReader;
  readonly rules: Rules;
  readonly selectors: SelectorsRead;
  readonly named: Named;
  readonly scrapers: Scrapers;
  /** Whether to ask the ports of pods in which no rule finds an endpoint. */
  readonly asksForEndpoints: boolean;
  /** Most pods to ask. */
  readonly askAtMost: number;
  readonly onProgress: (done: number, of: number) => void;
  /** Unix time in ms. */
  readonly now: number;
  readonly signal: AbortSignal;
}

/** Pods that are read at a time: reading is mostly waiting, and the API server has other work. */
const AT_ONCE = 8;

/** Returns a report of each pod, in their order. */
export async function diagnosePods(
  pods: readonly unknown[],
  options: DiagnosePodsOptions,
): Promise<readonly PodReport[]> {
  const { kube, named, onProgress } = options;
  const namespaces = new Map<string, Promise<Surroundings>>();
  const surroundingsOf = (name: string): Promise<Surroundings> => {
    const known = namespaces.get(name) ?? readSurroundings(name, options);
    namespaces.set(name, known);
    return known;
  };
  const proxy = podProxy(kube);
  const asked = chooseAsked(pods, options);
  const series = seriesReader(pods.length);
  const semaphore = createSemaphore(AT_ONCE);
  let done = 0;
  return Promise.all(
    pods.map((pod) =>
      semaphore.run(async () => {
        const namespace = namespaceOf(pod);
        const { related, mayAsk, services, askLabel } = await surroundingsOf(namespace);
        const of = { pod, namespace, proxy };
        const scraper = options.scrapers(pod);
        const isUp = 'active' in scraper && scraper.active.some(({ health }) => health === 'up');
        const report = await diagnose(pod, {
          namespace,
          related,
          rules: options.rules,
          selectorsNeed: options.selectors.needs,
          named,
          scraper,
          async ask(stated): Promise<EndpointAsked | undefined> {
            if (!mayAsk) return { needs: `get on pods/proxy in namespace ${namespace}` };
            if (asked.has(pod)) return askUnlessGone(of, stated, options);
            return isUp ? undefined : { needs: `--ask-at-most: ${asked.size} pods were asked` };
          },
          findEndpoint: async () =>
            options.asksForEndpoints && mayAsk && asked.has(pod)
              ? findEndpoint(of, { rules: options.rules, askLabel, services })
              : undefined,
          owner: () => readOwner(pod, options.cluster),
          series,
          sameAddress: () => sameAddress(pod, options.cluster),
          cluster: options.cluster,
          now: options.now,
        });
        onProgress(++done, pods.length);
        return report;
      }),
    ),
  );
}

/** The API server's answer for a pod that it does not have looks like one for a pod that it does not reach. */
async function askUnlessGone(
  of: AskedOf,
  stated: Stated,
  { kube, signal }: DiagnosePodsOptions,
): Promise<EndpointAsked> {
  const answer = await askEndpoint(of, stated);
  if (!('verdict' in answer) || answer.verdict.key !== 'waiting') return answer;
  const read = await kube.request({ method: 'GET', path: podPath(of.namespace, nameOf(of.pod)), signal });
  return !read.ok && read.error.status === 404 ? { isGone: true } : answer;
}

/** Returns the pods to ask: those that no scraper reports as up come first, and one pod of each workload before a second one. */
function chooseAsked(pods: readonly unknown[], { scrapers, askAtMost }: DiagnosePodsOptions): ReadonlySet<unknown> {
  const counts = new Map<string, number>();
  const ranked = pods.map((pod) => {
    const key = `${namespaceOf(pod)}/${workloadOf(pod)}`;
    const nth = counts.get(key) ?? 0;
    counts.set(key, nth + 1);
    const scraper = scrapers(pod);
    const isUp = 'active' in scraper && scraper.active.some(({ health }) => health === 'up');
    return { pod, nth, isUp };
  });
  const first = ranked.toSorted((a, b) => Number(a.isUp) - Number(b.isUp) || a.nth - b.nth);
  return new Set(first.slice(0, askAtMost).map(({ pod }) => pod));
}

/** Returns the running pod of the namespace that has the address of one that has finished: addresses are used again. */
async function sameAddress(pod: unknown, cluster: ClusterReader): Promise<string | undefined> {
  const listed = await cluster.list(COLLECTIONS.pods, { namespace: namespaceOf(pod) });
  const address = text(objectIn(pod, 'status').podIP);
  const other = (listed.ok ? listed.value : []).find(({ spec, status }) => {
    const { phase, podIP } = objectIn({ status }, 'status');
    return phase === 'Running' && podIP === address && objectIn({ spec }, 'spec').hostNetwork !== true;
  });
  return other === undefined || address === '' ? undefined : `${namespaceOf(other)}/${nameOf(other)}`;
}

interface Surroundings {
  readonly related: Related;
  readonly services: readonly unknown[];
  readonly askLabel: string | undefined;
  readonly mayAsk: boolean;
}

async function readSurroundings(
  namespace: string,
  { kube, cluster, named, selectors, signal }: DiagnosePodsOptions,
): Promise<Surroundings> {
  const [object, services, refusal] = await Promise.all([
    readNamespace(namespace, cluster, named),
    cluster.list(COLLECTIONS.services, { namespace }),
    proxyRefusal(kube, namespace, signal),
  ]);
  const found = services.ok ? services.value : [];
  const { others } = readWorkloads([
    ...(object === undefined ? [] : [typed(object, 'Namespace')]),
    ...found.map((service) => typed(service, 'Service')),
  ]);
  const label = objectIn(objectIn(object, 'metadata'), 'labels')[ASK_LABEL];
  return {
    related: relate(others, namespace, selectors.inForce),
    services: found,
    askLabel: typeof label === 'string' ? text(label) : undefined,
    mayAsk: refusal === undefined,
  };
}

async function readNamespace(name: string, cluster: ClusterReader, named: Named): Promise<unknown> {
  if (named !== 'nothing') {
    const read = await cluster.get(COLLECTIONS.namespaces, undefined, name);
    return read.ok ? read.value : undefined;
  }
  // For many namespaces, one list of all is quicker.
  const listed = await cluster.list(COLLECTIONS.namespaces);
  return listed.ok ? listed.value.find((object) => objectIn(object, 'metadata').name === name) : undefined;
}

/** Returns an object as a document: the API server leaves out apiVersion and kind in the items of a list. */
function typed(object: unknown, kind: string): { readonly value: unknown; readonly line: number } {
  return { value: { ...objectIn({ object }, 'object'), apiVersion: 'v1', kind }, line: 0 };
}

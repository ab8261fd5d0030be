import { objectIn, objectsIn, text, textEntries } from '../core/json.ts';
import type { JsonObject } from '../core/json.ts';
import type { Result } from '../core/result.ts';
import { SERVICES_PATH } from '../kube/api-paths.ts';
import type { Failure, Kube } from '../kube/client.ts';
import { listAll } from '../kube/list-pages.ts';
import { listWatch } from '../kube/list-watch.ts';
import type { ListReceiver } from '../kube/list-watch.ts';
import { SERVICES_SUBJECTS } from './failure-log.ts';
import type { FailureLog } from './failure-log.ts';
import type { ReconcileMetrics } from './metrics.ts';

/** What asking needs of the cluster's Services: the ports that they name, and their addresses. */
export interface KnownServices {
  /** Returns whether all Services have been listed. */
  isListed(): boolean;
  /**
   * Returns the namespace's Services that select pods, in the API's form: `metadata.name`, the
   * annotation `prometheus.io/scrape`, and `type`, `selector` and `ports` of `spec`. Nothing else
   * of them is kept. With labels, returns those that select a pod with these labels, at most 100.
   */
  inNamespace(name: string, labels?: ReadonlyMap<string, string>): readonly unknown[];
  /** Returns whether the address is a Service's: what answers there is not one pod. */
  isServiceAddress(address: string): boolean;
}

/** The same, kept up to date. */
export interface Services extends KnownServices {
  /** Lists and watches Services until the signal aborts; resolves then. */
  run(): Promise<void>;
}

export interface ServicesOptions {
  readonly kube: Kube;
  readonly metrics: Pick<ReconcileMetrics, 'failed'>;
  readonly failureLog: FailureLog;
  /** Time between two lists, in milliseconds. */
  readonly relistMs: number;
  /**
   * A Service has changed in a way that matters to pods with these labels (a label selector of the
   * API), after the Services were listed for the first time.
   */
  readonly onChange?: (namespace: string, labelSelector: string) => void;
  /** Aborts when nobody needs them any more. */
  readonly signal: AbortSignal;
}

/**
 * The most Services that are kept. Kubernetes is tested with 10,000, and 5,000 in a namespace, so
 * this limits what somebody can do to the memory, and no use. 10,000 with two ports and two labels
 * each take 8 MiB.
 * https://github.com/kubernetes/community/blob/main/sig-scalability/configs-and-limits/thresholds.md
 */
const MAX_SERVICES = 20_000;
const MAX_IN_NAMESPACE = 5000;

/**
 * The most TCP ports and labels of the selector that are kept of one Service. A Service with a
 * longer selector selects no pod of ours: pods have fewer labels.
 */
const MAX_PORTS = 100;
const MAX_SELECTOR = 100;

/** Logged once where the right is missing. */
const RIGHT_IS_MISSING = {
  effect: 'no pod is asked',
  remedy: 'grant the reconciler list and watch of services in the whole cluster, or run it without --ask',
};

/** A pod belongs to few Services. Who creates thousands must not slow the planning of each pod. */
const MAX_OF_POD = 100;

/** One Service. */
interface Service {
  /** Undefined where it selects no pods. */
  readonly object: JsonObject | undefined;
  readonly selector: readonly (readonly [string, string])[];
  readonly addresses: readonly string[];
  /** The number of the last list or watch that it was seen in. */
  readonly list: number;
}

/** Returns the cluster's Services, none before `run`. */
export function createServices(options: ServicesOptions): Services {
  const { kube, metrics, failureLog, relistMs, onChange, signal } = options;
  const store = createServiceStore(onChange);
  const handler = {
    beginList() {
      const list = store.beginList();
      return {
        add: (object: unknown) => list.add(object),
        finish() {
          list.finish();
          failureLog.resolve(SERVICES_SUBJECTS.list);
        },
      };
    },
    changed: (object: unknown) => store.upsert(object),
    deleted: (object: unknown) => store.remove(object),
    watchWorks: () => failureLog.resolve(SERVICES_SUBJECTS.watch),
    failed(verb: 'list' | 'watch', failure: Failure) {
      metrics.failed(`${verb} services`, failure);
      failureLog.report(SERVICES_SUBJECTS[verb], failure, failure.status === 403 ? RIGHT_IS_MISSING : {});
    },
  };
  return { ...store.known, run: () => listWatch(kube, { path: SERVICES_PATH }, handler, { signal, relistMs }) };
}

/** Returns the cluster's Services as they are now, or why they could not be listed. */
export async function listServices(
  kube: Pick<Kube, 'request'>,
  signal: AbortSignal,
): Promise<Result<KnownServices, Failure>> {
  const store = createServiceStore();
  const list = store.beginList();
  const listed = await listAll(kube, { path: SERVICES_PATH }, (object) => list.add(object), signal);
  if (!listed.ok) return listed;
  list.finish();
  return { ok: true, value: store.known };
}

/** What is known of Services, changed as they are read. */
interface ServiceStore {
  readonly known: KnownServices;
  /** Returns the receiver of a list that begins now: at its end, Services that it does not hold are removed. */
  beginList(): ListReceiver;
  upsert(object: unknown): void;
  remove(object: unknown): void;
}

function createServiceStore(onChange?: ServicesOptions['onChange']): ServiceStore {
  /** By namespace, then by name. */
  const namespaces = new Map<string, Map<string, Service>>();
  /** The Service that has the address: an address can pass from one to the next. */
  const addresses = new Map<string, Service>();
  let count = 0;
  let lists = 0;
  let isListed = false;

  function upsert(object: unknown): void {
    const ref = readRef(object);
    if (ref === undefined) return;
    const before = remove(ref);
    const inNamespace = namespaces.get(ref.namespace) ?? new Map<string, Service>();
    if (count >= MAX_SERVICES || inNamespace.size >= MAX_IN_NAMESPACE) return;
    const service = readService(object, ref.name, lists);
    namespaces.set(ref.namespace, inNamespace.set(ref.name, service));
    count += 1;
    for (const address of service.addresses) addresses.set(address, service);
    if (JSON.stringify(before?.object) !== JSON.stringify(service.object)) noteChange(ref, before, service);
  }

  function drop(ref: Ref): void {
    noteChange(ref, remove(ref));
  }

  /** Returns the Service that was there. */
  function remove({ namespace, name }: Ref): Service | undefined {
    const inNamespace = namespaces.get(namespace);
    const service = inNamespace?.get(name);
    if (inNamespace === undefined || service === undefined) return undefined;
    inNamespace.delete(name);
    if (inNamespace.size === 0) namespaces.delete(namespace);
    count -= 1;
    for (const address of service.addresses) if (addresses.get(address) === service) addresses.delete(address);
    return service;
  }

  function noteChange({ namespace }: Ref, ...services: readonly (Service | undefined)[]): void {
    if (!isListed || onChange === undefined) return;
    const selectors = services.flatMap((service) =>
      service?.object === undefined ? [] : [service.selector.map(([key, value]) => `${key}=${value}`).join(',')],
    );
    for (const selector of new Set(selectors)) onChange(namespace, selector);
  }

  return {
    beginList() {
      lists += 1;
      return {
        add: upsert,
        finish() {
          for (const [namespace, inNamespace] of namespaces) {
            for (const [name, { list }] of inNamespace) if (list < lists) drop({ namespace, name });
          }
          isListed = true;
        },
      };
    },
    upsert,
    remove(object) {
      const ref = readRef(object);
      if (ref !== undefined) drop(ref);
    },
    known: {
      isListed: () => isListed,
      inNamespace(name, labels) {
        const found: JsonObject[] = [];
        for (const { object, selector } of namespaces.get(name)?.values() ?? []) {
          if (object === undefined) continue;
          if (labels === undefined || selector.every(([key, value]) => labels.get(key) === value)) found.push(object);
          if (labels !== undefined && found.length === MAX_OF_POD) break;
        }
        return found;
      },
      isServiceAddress: (address) => addresses.has(address),
    },
  };
}

interface Ref {
  readonly namespace: string;
  readonly name: string;
}

function readRef(object: unknown): Ref | undefined {
  const metadata = objectIn(object, 'metadata');
  const [namespace, name] = [text(metadata.namespace), text(metadata.name)];
  return namespace === '' || name === '' ? undefined : { namespace, name };
}

function readService(object: unknown, name: string, list: number): Service {
  const spec = objectIn(object, 'spec');
  const clusterIPs = Array.isArray(spec.clusterIPs) ? spec.clusterIPs : [spec.clusterIP];
  // A headless Service has the word None in place of an address, a new one nothing.
  const addresses = clusterIPs.map(text).filter((address) => address !== '' && address !== 'None');
  const selector = textEntries(spec.selector);
  const isSelecting = text(spec.type) !== 'ExternalName' && selector.length > 0 && selector.length <= MAX_SELECTOR;
  return isSelecting
    ? { object: keep(object, name), selector, addresses, list }
    : { object: undefined, selector: [], addresses, list };
}

/** Returns a Service with only the fields that are read. */
function keep(object: unknown, name: string): JsonObject {
  const spec = objectIn(object, 'spec');
  const scrape = objectIn(objectIn(object, 'metadata'), 'annotations')[SCRAPE];
  return {
    metadata: { name, ...(typeof scrape === 'string' && { annotations: { [SCRAPE]: scrape } }) },
    spec: {
      ...(spec.type !== 'ClusterIP' && { type: spec.type }),
      selector: spec.selector,
      ports: objectsIn(spec, 'ports')
        .filter(({ protocol }) => (text(protocol) || 'TCP') === 'TCP')
        .slice(0, MAX_PORTS)
        .map((port) => Object.fromEntries(PORT_FIELDS.flatMap((key) => (key in port ? [[key, port[key]]] : [])))),
    },
  };
}

const SCRAPE = 'prometheus.io/scrape';
const PORT_FIELDS = ['name', 'appProtocol', 'port', 'targetPort'];

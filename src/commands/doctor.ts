import { objectIn, text } from '../core/json.ts';
import { askPort } from '../ask/ask-port.ts';
import { randomName } from '../ask/random-name.ts';
import { isAskablePath } from '../core/ask/ask-path.ts';
import { readAskedPod } from '../core/ask/asked-pod.ts';
import type { Result } from '../core/result.ts';
import type { EndpointAsked } from '../doctor/check-endpoint.ts';
import type { Stated } from '../doctor/check-pod.ts';
import { diagnose } from '../doctor/diagnose.ts';
import { atUrl, findPrometheus, throughService } from '../doctor/prometheus.ts';
import type { Prometheus } from '../doctor/prometheus.ts';
import { readScrapers } from '../doctor/read-scraper.ts';
import type { Scrapers } from '../doctor/read-scraper.ts';
import { renderReports, reportsRecord } from '../doctor/render.ts';
import { MAX_PODS, readTarget, selectPods } from '../doctor/select-pods.ts';
import { namespacePath, podPath, podsPath } from '../kube/api-paths.ts';
import { connect } from '../kube/client.ts';
import type { Kube } from '../kube/client.ts';
import { SYSTEM_CLOCK } from '../kube/clock.ts';
import { listAll } from '../kube/list.ts';
import { podProxy, proxyRefusal } from '../kube/pod-proxy.ts';
import type { PodProxy } from '../kube/pod-proxy.ts';
import { createSemaphore } from '../kube/semaphore.ts';
import { UserError } from '../process/user-error.ts';
import { VERSION } from '../process/version.ts';
import { loadRules } from '../rules/load.ts';
import { Argument, Command, contextOption, kubeconfigOption, nonEmpty, Option, option } from './options.ts';
import type { OptionsOf } from './options.ts';
import { podSender } from './pod-sender.ts';
import { examples } from './usage.ts';

const flags = new Command('doctor')
  .description(
    'Says why the metrics of a pod, or of the pods of a workload, are not in Prometheus: the pod, its endpoint, the ' +
      'target. Changes nothing. Exits with 1 where it finds a break. Needs the rights to get namespaces, list pods, get ' +
      'pods/proxy, and for Prometheus list Services and get services/proxy; without one of them the rest is checked.',
  )
  .addArgument(new Argument('<target>', 'pod or workload: pod/x, deploy/x, sts/x, ds/x, job/x …').argParser(nonEmpty))
  .addOption(new Option('-n, --namespace <name>', "namespace; defaults to the context's").argParser(nonEmpty))
  .addOption(new Option('-o, --output <format>', 'output format').choices(['text', 'json']).default('text'))
  .addOption(
    new Option(
      '--prometheus <where>',
      'Prometheus: a URL, or svc/NAMESPACE/NAME:PORT; defaults to the Services with its well-known labels',
    ).argParser(nonEmpty),
  )
  .addOption(option('--rules <file>', 'rules file in use; defaults to the shipped rules').argParser(nonEmpty))
  .addOption(kubeconfigOption)
  .addOption(contextOption)
  .addHelpText(
    'after',
    examples(
      ['Why has the Deployment no metrics?', 'autoscrape doctor deploy/shop -n web'],
      [
        'With a Prometheus that is not found by its labels',
        'autoscrape doctor pod/shop-1 --prometheus svc/monitoring/prom:9090',
      ],
    ),
  );

/** `autoscrape doctor`. */
export const command = flags.action(async (target, options) => {
  process.exitCode = await doctor(target, options);
});

/** The options of `autoscrape doctor`. */
export type DoctorOptions = OptionsOf<typeof flags>;

/** Pods at a time. */
const AT_ONCE = 4;

/**
 * Prints what is found about the target's pods. Returns the exit code: 1 where there is a cross.
 * Throws a UserError where the target can't be read or is not there.
 */
export async function doctor(target: string, options: DoctorOptions): Promise<number> {
  const wanted = readTarget(target);
  if (!wanted.ok) throw new UserError(wanted.error);
  const rules = await loadRules(options.rules);
  const connection = await connect(options);
  if (!connection.ok) throw new UserError(connection.error);
  const kube = connection.value;
  const proxy = podProxy(kube);
  const namespace = options.namespace ?? kube.namespace;
  // A signal ends the process at once: nothing has to be finished.
  const { signal } = new AbortController();
  try {
    const found = selectPods(wanted.value, await readPods(kube, namespace, wanted.value, signal));
    if (found.length === 0) throw new UserError(`namespace ${namespace} has no pod of ${target}: 0 pods looked at`);
    const pods = found.slice(0, MAX_PODS).toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
    const namespaceObject = await readNamespace(kube, namespace, signal);
    const scrapers = await scrapersOf(
      pods,
      { kube, proxy, namespace, signal, key: rules.annotationKeys.scrape },
      options,
    );
    const mayAsk = (await proxyRefusal(kube, namespace, signal)) === undefined;
    const semaphore = createSemaphore(AT_ONCE);
    const reports = await Promise.all(
      pods.map((pod) =>
        semaphore.run(() =>
          diagnose(pod, {
            namespace,
            namespaceObject,
            rules,
            scraper: scrapers(pod),
            ask: (stated) => (mayAsk ? ask(pod, namespace, stated, proxy) : NOT_ALLOWED),
            now: Date.now(),
          }),
        ),
      ),
    );
    process.stdout.write(
      options.output === 'json' ? `${JSON.stringify(reportsRecord(reports))}\n` : renderReports(reports),
    );
    const rest = found.length - pods.length;
    if (rest > 0) process.stderr.write(`The newest ${MAX_PODS} pods were looked at, and ${rest} were not.\n`);
    return reports.some(({ lines }) => lines.some(({ state }) => state === 'cross')) ? 1 : 0;
  } finally {
    await kube.close();
  }
}

function nameOf(pod: unknown): string {
  return text(objectIn(pod, 'metadata').name);
}

const NOT_ALLOWED: Promise<EndpointAsked> = Promise.resolve({ needs: 'get on pods/proxy' });

async function readPods(
  kube: Kube,
  namespace: string,
  { kind, name }: { readonly kind: string; readonly name: string },
  signal: AbortSignal,
): Promise<readonly unknown[]> {
  if (kind === 'Pod') {
    const read = await kube.request({ method: 'GET', path: podPath(namespace, name), signal });
    if (read.ok) return [read.value];
    throw new UserError(`pod ${name} can't be read: ${read.error.message}`);
  }
  const pods: unknown[] = [];
  const listed = await listAll(kube, { path: podsPath(namespace) }, (pod) => pods.push(pod), signal);
  if (!listed.ok) throw new UserError(`the pods of namespace ${namespace} can't be listed: ${listed.error.message}`);
  return pods;
}

/** Returns the namespace, or undefined where it can't be read. */
async function readNamespace(kube: Kube, namespace: string, signal: AbortSignal): Promise<unknown> {
  const read = await kube.request({ method: 'GET', path: namespacePath(namespace), signal });
  return read.ok ? read.value : undefined;
}

interface Place {
  readonly kube: Kube;
  readonly proxy: PodProxy;
  readonly namespace: string;
  /** The scrape annotation. */
  readonly key: string;
  readonly signal: AbortSignal;
}

async function scrapersOf(
  pods: readonly unknown[],
  { kube, proxy, namespace, key, signal }: Place,
  options: DoctorOptions,
): Promise<Scrapers> {
  const found =
    options.prometheus === undefined
      ? await findPrometheus(kube, proxy, signal)
      : readPrometheus(options.prometheus, proxy);
  if (!found.ok) return () => ({ title: 'Prometheus', needs: found.error });
  return readScrapers(found.value, pods, namespace, key);
}

function readPrometheus(where: string, proxy: PodProxy): Result<readonly Prometheus[], string> {
  const [, namespace, service, port] = /^svc\/([a-z0-9-]+)\/([a-z0-9-]+):([a-z0-9-]+)$/.exec(where) ?? [];
  if (namespace !== undefined && service !== undefined && port !== undefined)
    return { ok: true, value: [throughService({ namespace, service, port }, proxy)] };
  const url = URL.parse(where);
  if (url !== null && /^https?:$/.test(url.protocol)) return { ok: true, value: [atUrl(url)] };
  throw new UserError('--prometheus takes a URL, such as http://localhost:9090, or svc/NAMESPACE/NAME:PORT');
}

/** Asks the annotated endpoint through the API server. */
async function ask(object: unknown, namespace: string, stated: Stated, proxy: PodProxy): Promise<EndpointAsked> {
  const { port, path, scheme } = stated;
  if (port === undefined) return { needs: 'a port in the annotations' };
  if (scheme !== 'http') return { needs: 'http: other schemes are not asked' };
  if (!isAskablePath(path)) return { needs: 'a plain path in the annotations' };
  const asked = await askPort({ address: readAskedPod(object).podIP, port }, [path], {
    version: VERSION,
    after: SYSTEM_CLOCK.after,
    refuses: () => false,
    mayAsk: () => Promise.resolve(true),
    randomName,
    send: podSender(proxy, namespace, nameOf(object)),
  });
  return { verdict: asked.verdict };
}

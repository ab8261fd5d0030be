import { randomUUID } from 'node:crypto';
import { askThroughProxy } from '../ask/ask-through-proxy.ts';
import type { AskTools } from '../ask/ask-port.ts';
import { refusedAddresses } from '../ask/refused-address.ts';
import { ASK_LABEL } from '../core/ask-label.ts';
import { objectIn, objectsIn, text } from '../core/ask/asked-pod.ts';
import { stripControls } from '../core/control-characters.ts';
import { member } from '../core/json.ts';
import { namespacePath, podsPath, servicesPath } from '../kube/api-paths.ts';
import { connect } from '../kube/client.ts';
import type { Kube } from '../kube/client.ts';
import { listAll } from '../kube/list.ts';
import { connectPodProxy, podProxyPath } from '../kube/pod-proxy.ts';
import type { PodProxy } from '../kube/pod-proxy.ts';
import { createRateLimiter } from '../kube/rate-limiter.ts';
import { learn as learnRules } from '../learn/learn.ts';
import { renderLearned } from '../learn/learned-rule.ts';
import { UserError } from '../process/user-error.ts';
import { VERSION } from '../process/version.ts';
import { readNamespace, SYSTEM_NAMESPACES } from '../reconcile/namespace.ts';
import { loadRules } from '../rules/load.ts';
import { readShipped } from '../rules/shipped.ts';
import {
  askAnnotatedServicesOption,
  askPortsOption,
  Command,
  contextOption,
  kubeconfigOption,
  nonEmpty,
  Option,
  option,
} from './options.ts';
import type { OptionsOf } from './options.ts';
import { showProgress } from './progress.ts';
import { examples } from './usage.ts';

// Needs in the namespace: get it; list pods and Services; get pods; get pods/proxy outside the cluster;
// and, so that rules last, get replicasets, statefulsets and daemonsets.

const flags = new Command('learn')
  .description(
    'Prints a rules file for the workloads of a namespace whose metrics only asking finds, so that the webhook annotates ' +
      'their next pods at creation. Asks one pod of each workload over HTTP, unless the reconciler has asked it already.',
  )
  .addOption(new Option('-n, --namespace <name>', "namespace; defaults to the context's").argParser(nonEmpty))
  .addOption(
    option(
      '--rules <file>',
      'rules file in use; defaults to the shipped rules. What it finds is not learned',
    ).argParser(nonEmpty),
  )
  .addOption(askPortsOption)
  .addOption(askAnnotatedServicesOption)
  .addOption(kubeconfigOption)
  .addOption(contextOption)
  .addHelpText(
    'after',
    examples(
      [
        'Learn in staging, check, and commit',
        'autoscrape learn -n shop > learned.yaml && autoscrape check learned.yaml',
      ],
      ['Only what has come since', 'autoscrape learn -n shop --rules rules.yaml'],
    ),
  );

/** `autoscrape learn`. */
export const command = flags.action(async (options) => {
  process.exitCode = await learn(options);
});

/** The options of `autoscrape learn`. */
export type LearnOptions = OptionsOf<typeof flags>;

/** Requests in a second. */
const PER_SECOND = 5;

/**
 * Prints the learned rules on standard output, and what was not learned on standard error. Returns
 * the exit code, which is 0. Throws a UserError where the cluster can't be read
 * or must not be asked.
 */
export async function learn(options: LearnOptions): Promise<number> {
  const rules = await loadRules(options.rules);
  const connection = await connect(options);
  if (!connection.ok) throw new UserError(connection.error);
  const kube = connection.value;
  const namespace = options.namespace ?? kube.namespace;
  if (SYSTEM_NAMESPACES.includes(namespace)) throw new UserError(`the namespace ${namespace} is always skipped`);
  // A signal ends the process at once: nothing has to be finished.
  const { signal } = new AbortController();
  const limiter = createRateLimiter(PER_SECOND);
  let proxy: PodProxy | undefined;
  try {
    const labels = await readLabels(kube, namespace, signal);
    const pods = await listIn(kube, podsPath(namespace), signal);
    const services = await listIn(kube, servicesPath(namespace), signal);
    proxy = kube.inCluster ? undefined : await openProxy(kube, namespace, options, signal);
    const way = proxy === undefined ? 'directly, as a scraper does' : "through the API server's proxy";
    process.stderr.write(`Pods in namespace ${namespace} are asked ${way}.\n`);
    const refuses = refusedIn(kube, pods, services);
    const progress = showProgress('workloads');
    const learned = await learnRules({
      kube,
      namespace,
      ...labels,
      rules,
      shipped: readShipped(),
      settings: { ports: options.askPorts, annotatedServices: options.askAnnotatedServices },
      pods,
      services,
      toolsFor: (pod) => toolsFor(pod, namespace, { proxy, limiter, refuses, signal }),
      onProgress: (done, of) => progress.show(done, of),
      onNote(note) {
        progress.end();
        process.stderr.write(`${stripControls(note)}\n`);
      },
      signal,
    });
    progress.end();
    const rendered = renderLearned(learned.rules, headOf(namespace, way), readShipped());
    if (!rendered.ok) throw new UserError(rendered.error);
    process.stdout.write(rendered.value);
    process.stderr.write(`${learned.rules.length} learned; ${learned.known} need no rule.\n`);
    return 0;
  } finally {
    proxy?.close();
    await kube.close();
  }
}

function headOf(namespace: string, way: string): readonly string[] {
  return [
    `Learned by autoscrape ${VERSION} in the namespace ${namespace}, whose pods were asked ${way}.`,
    'A rule with exclude says that the workload has no metrics: remove it when it gets them.',
  ];
}

async function readLabels(
  kube: Kube,
  namespace: string,
  signal: AbortSignal,
): Promise<{ readonly mesh: boolean; readonly askLabel: string | undefined }> {
  const read = await kube.request({ method: 'GET', path: namespacePath(namespace), signal });
  const found = read.ok ? readNamespace(read.value) : undefined;
  if (!read.ok || found === undefined)
    throw new UserError(
      `the namespace ${namespace} can't be read: ${read.ok ? 'it is no namespace' : read.error.message}`,
    );
  const askLabel = member(member(member(read.value, 'metadata'), 'labels'), ASK_LABEL);
  return { mesh: found.mesh, askLabel: typeof askLabel === 'string' ? askLabel : undefined };
}

async function listIn(kube: Kube, path: string, signal: AbortSignal): Promise<readonly unknown[]> {
  const items: unknown[] = [];
  const listed = await listAll(kube, { path }, (item) => items.push(item), signal);
  if (!listed.ok) throw new UserError(`${path} can't be listed: ${listed.error.message}`);
  return items;
}

/** Returns the proxy, after a check that it may be used: its refusals would look like a pod's. */
async function openProxy(kube: Kube, namespace: string, options: LearnOptions, signal: AbortSignal): Promise<PodProxy> {
  const reviewed = await kube.request({
    method: 'POST',
    path: '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
    body: {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SelfSubjectAccessReview',
      spec: { resourceAttributes: { namespace, verb: 'get', resource: 'pods', subresource: 'proxy' } },
    },
    signal,
  });
  if (!reviewed.ok || member(member(reviewed.value, 'status'), 'allowed') !== true) {
    const why = reviewed.ok ? 'your account does not have it' : reviewed.error.message;
    throw new UserError(
      `outside the cluster pods are asked through the API server, which needs the right to get pods/proxy in namespace ${namespace}: ${why}`,
    );
  }
  const proxy = await connectPodProxy(options);
  if (!proxy.ok) throw new UserError(proxy.error);
  return proxy.value;
}

/** Returns what says which addresses must not be asked: nodes', Services' and the API server's, too. */
function refusedIn(
  { server }: Kube,
  pods: readonly unknown[],
  services: readonly unknown[],
): (address: string) => boolean {
  const hosts = pods.flatMap((pod) => {
    const status = objectIn(pod, 'status');
    return [text(status.hostIP), ...objectsIn(status, 'hostIPs').map(({ ip }) => text(ip))];
  });
  const clusterIPs = services.map((service) => text(objectIn(service, 'spec').clusterIP));
  return refusedAddresses([...hosts, ...clusterIPs, new URL(server).hostname.replaceAll(/[[\]]/g, '')]);
}

interface Surroundings {
  readonly proxy: PodProxy | undefined;
  readonly limiter: ReturnType<typeof createRateLimiter>;
  readonly refuses: (address: string) => boolean;
  readonly signal: AbortSignal;
}

function after(ms: number, action: () => void): () => void {
  const timer = setTimeout(action, ms);
  return () => clearTimeout(timer);
}

function toolsFor(pod: string, namespace: string, { proxy, limiter, refuses, signal }: Surroundings): AskTools {
  const tools: AskTools = {
    version: VERSION,
    refuses,
    after,
    async mayAsk() {
      await limiter.wait(signal);
      return !signal.aborted;
    },
    randomName: () => randomUUID().replaceAll('-', ''),
  };
  if (proxy === undefined) return tools;
  return {
    ...tools,
    send: (place, path) =>
      askThroughProxy(place, path, {
        version: VERSION,
        after,
        open: (port, at, headers) => proxy.get({ namespace, pod, port }, at, headers),
        prefix: (port) => podProxyPath({ namespace, pod, port }),
      }),
  };
}

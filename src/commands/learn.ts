import { objectIn, objectsIn, text } from '../core/json.ts';
import type { AskTools } from '../ask/ask-port.ts';
import { podSender } from '../ask/pod-sender.ts';
import { randomName } from '../ask/random-name.ts';
import { hostOf, refusedAddresses } from '../ask/refused-address.ts';
import { stripControls } from '../core/control-characters.ts';
import { namespacePath, podsPath, servicesPath } from '../kube/api-paths.ts';
import { openCluster } from './open-cluster.ts';
import type { Kube } from '../kube/client.ts';
import { listAll } from '../kube/list-pages.ts';
import { SYSTEM_CLOCK } from '../kube/clock.ts';
import { podProxy, proxyRefusal } from '../kube/pod-proxy.ts';
import type { PodProxy } from '../kube/pod-proxy.ts';
import { createRateLimiter } from '../kube/rate-limiter.ts';
import { learn as learnRules } from '../learn/learn.ts';
import { renderLearned } from '../learn/learned-rule.ts';
import { UserError } from '../process/user-error.ts';
import { VERSION } from '../process/version.ts';
import { readNamespace } from '../reconcile/namespace.ts';
import { SYSTEM_NAMESPACES } from '../core/pod-selectors.ts';
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
import { examples } from './help.ts';

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
  const kube = await openCluster(options);
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
    proxy = kube.inCluster ? undefined : await openProxy(kube, namespace, signal);
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
  return { mesh: found.mesh, askLabel: found.askLabel };
}

async function listIn(kube: Kube, path: string, signal: AbortSignal): Promise<readonly unknown[]> {
  const items: unknown[] = [];
  const listed = await listAll(kube, { path }, (item) => items.push(item), signal);
  if (!listed.ok) throw new UserError(`${path} can't be listed: ${listed.error.message}`);
  return items;
}

/** Returns the proxy, after a check that it may be used. */
async function openProxy(kube: Kube, namespace: string, signal: AbortSignal): Promise<PodProxy> {
  const refusal = await proxyRefusal(kube, namespace, signal);
  if (refusal !== undefined) {
    throw new UserError(
      `outside the cluster pods are asked through the API server, which needs the right to get pods/proxy in namespace ${namespace}: ${refusal}`,
    );
  }
  return podProxy(kube);
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
  return refusedAddresses([...hosts, ...clusterIPs, hostOf(server)]);
}

interface Surroundings {
  readonly proxy: PodProxy | undefined;
  readonly limiter: ReturnType<typeof createRateLimiter>;
  readonly refuses: (address: string) => boolean;
  readonly signal: AbortSignal;
}

function toolsFor(pod: string, namespace: string, { proxy, limiter, refuses, signal }: Surroundings): AskTools {
  const tools: AskTools = {
    version: VERSION,
    refuses,
    after: SYSTEM_CLOCK.after,
    async mayAsk() {
      await limiter.wait(signal);
      return !signal.aborted;
    },
    randomName,
  };
  return proxy === undefined ? tools : { ...tools, send: podSender(proxy, namespace, pod) };
}

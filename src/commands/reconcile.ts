// What `autoscrape reconcile` needs from the API server, as the chart grants it:
//
//   ClusterRole   ""                    namespaces  get, list, watch     (get: --once)
//                 ""                    pods        get, list, watch, patch
//                 ""                    services    list, watch          (with --ask; watch: not --once)
//   Role          coordination.k8s.io   leases      get, list, watch, create, update   (in its own namespace only)
//
// Nothing else: no events, no owners, no secrets. `reconcile --once` and `uninject` need no leases.
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { startHealth } from '../process/health.ts';
import { openCluster } from './open-cluster.ts';
import { createLog, withoutMessage } from '../process/log.ts';
import { createRegistry } from '../process/metrics.ts';
import { unknownOptIn } from '../core/inject-label.ts';
import { createAskMemory } from '../reconcile/remembered-answers.ts';
import type { AskSettings } from '../reconcile/ask-plan.ts';
import { createFailureLog } from '../reconcile/failure-log.ts';
import { createGuard } from '../reconcile/guard.ts';
import type { Guard, GuardOptions } from '../reconcile/guard.ts';
import { runAsLeader } from '../kube/leader-election.ts';
import { createReconcileMetrics } from '../reconcile/metrics.ts';
import { BY_LABEL, bySelector } from '../reconcile/namespace.ts';
import { SYSTEM_NAMESPACES } from '../core/pod-selectors.ts';
import type { Namespace, OptIn } from '../reconcile/namespace.ts';
import { createRateLimiter } from '../kube/rate-limiter.ts';
import { annotatePlanner } from '../reconcile/plan-annotate.ts';
import { createReconciler } from '../reconcile/reconciler.ts';
import type { Reconciler } from '../reconcile/reconciler.ts';
import { reloadingRules } from '../rules/reload-rules.ts';
import { loadRules } from '../rules/load.ts';
import { handleShutdown } from '../process/shutdown.ts';
import { VERSION } from '../process/version.ts';
import { runOnce } from './run-once.ts';
import {
  askAnnotatedServicesOption,
  askPortsOption,
  Command,
  contextOption,
  healthPortOption,
  hostOption,
  kubeconfigOption,
  logLevelOption,
  namespaceSelectorOption,
  nonEmpty,
  objectSelectorOption,
  Option,
  option,
  patchesPerSecondOption,
  toggle,
} from './options.ts';
import type { OptionsOf } from './options.ts';
import { examples } from './help.ts';

const flags = new Command('reconcile')
  .description('Annotates live pods in opted-in namespaces as the webhook would have: continuously, or once.')
  .addOption(new Option('--once', 'annotate once and exit').default(false))
  .addOption(new Option('--dry-run', 'print what would be done without changing anything').default(false))
  .addOption(
    new Option('-o, --output <format>', 'format of the report of --once and --dry-run')
      .choices(['text', 'json', 'yaml'])
      .default('text'),
  )
  .addOption(new Option('-n, --namespace <name>', 'only this namespace').argParser(nonEmpty))
  .addOption(kubeconfigOption)
  .addOption(contextOption)
  .addOption(
    option('--rules <file>', 'rules file, reloaded when it changes; defaults to the shipped rules').argParser(nonEmpty),
  )
  .addOption(
    option(
      '--exclude-namespaces <names>',
      'comma-separated namespaces to skip, in addition to kube-system, kube-public and kube-node-lease',
    ),
  )
  .addOption(namespaceSelectorOption)
  .addOption(objectSelectorOption)
  .addOption(patchesPerSecondOption)
  .addOption(toggle('--ask', 'ask ports of pods without a sure sign of metrics over HTTP, once for each workload'))
  .addOption(askPortsOption)
  .addOption(askAnnotatedServicesOption)
  .addOption(
    option('--lease-name <name>', 'Lease for the leader election among replicas')
      .default('autoscrape-reconciler')
      .argParser(nonEmpty),
  )
  .addOption(option('--lease-namespace <name>', "namespace of the Lease; defaults to the pod's").argParser(nonEmpty))
  .addOption(
    option(
      '--require-guard <policy>',
      'change no pod before this ValidatingAdmissionPolicy refuses to let the process change its own labels',
    ).argParser(nonEmpty),
  )
  .addOption(hostOption)
  .addOption(healthPortOption)
  .addOption(logLevelOption)
  .addHelpText(
    'after',
    examples(
      ['What would happen?', 'autoscrape reconcile --once --dry-run'],
      ['Do it for one namespace', 'autoscrape reconcile --once -n shop'],
      ['Which requests would be sent to pods?', 'autoscrape reconcile --once --dry-run --ask'],
      ['As the chart runs it', 'autoscrape reconcile --rules /etc/autoscrape/rules.yaml'],
    ),
  );

/** `autoscrape reconcile`. */
export const command = flags.action(async (options) => {
  process.exitCode = await reconcile(options);
});

/** The flags of `autoscrape reconcile`. */
export type ReconcileOptions = OptionsOf<typeof flags>;

/**
 * Time between two lists of the same collection: 10 pages for 5,000 pods, so that a missed event
 * does not last.
 */
const RELIST_MS = 30 * 60_000;

/** How long a leader keeps the lease without renewing it: client-go's default. */
const LEASE_MS = 15_000;

/** Runs the reconciler once, or until a signal ends it. Returns the exit code. */
export async function reconcile(options: ReconcileOptions): Promise<number> {
  return options.once || options.dryRun ? reconcileOnce(options) : reconcileContinuously(options);
}

async function reconcileOnce(options: ReconcileOptions): Promise<number> {
  const rules = await loadRules(options.rules);
  return runOnce(options, (kube) => {
    const excluded = excludedNamespaces(options, kube.inCluster ? kube.namespace : undefined);
    return {
      selection: options.namespace === undefined ? 'optIn' : { name: options.namespace },
      optIn: optInOf(options),
      isWanted: ({ name, optedIn, terminating }) => optedIn && !terminating && !excluded.has(name),
      finishesPatch: true,
      plannerFor: ({ mesh }, asking) => annotatePlanner(rules, mesh, asking, options.objectSelector),
      ask: options.ask ? { rules, settings: askSettings(options), podSelector: options.objectSelector } : undefined,
      onNamespaces(namespaces, found) {
        let isExplained = false;
        for (const { name, unknownOptIn: value } of found) {
          if (value === undefined || excluded.has(name)) continue;
          process.stderr.write(`The namespace ${name} is not opted in: ${unknownOptIn(value)}\n`);
          isExplained = true;
        }
        if (namespaces.length === 0 && !isExplained) process.stderr.write(`${whyNone(found, options, excluded)}\n`);
      },
    };
  });
}

/** Runs until a signal ends it. Returns 0 after SIGTERM or SIGINT, 1 after an uncaught error. */
async function reconcileContinuously(options: ReconcileOptions): Promise<number> {
  const log = createLog(options.logLevel);
  const shutdown = handleShutdown((error) => log.fatal(withoutMessage(error), 'uncaught error (a bug), stopping'));
  const stop = new AbortController();
  const stopped = shutdown.requested.then((reason) => {
    log.info({ reason }, 'stopping');
    stop.abort();
    return reason;
  });

  const registry = createRegistry();
  let reconciler: Reconciler | undefined;
  let isConnected = false;
  const metrics = createReconcileMetrics(registry, {
    namespaces: () => reconciler?.namespaces() ?? 0,
    pods: () => reconciler?.pods() ?? new Map<string, number>(),
    suspects: () => reconciler?.suspects() ?? new Map(),
    workloads: () => reconciler?.workloads(),
  });
  const rules = await reloadingRules(options.rules, {
    log,
    onReload(result) {
      metrics.rulesReloaded(result);
      if (result === 'success') reconciler?.reload();
    },
  });
  const kube = await openCluster({
    ...options,
    onResponse(method, status) {
      isConnected ||= status >= 200 && status < 300;
      metrics.response(method, status);
    },
  });
  const failureLog = createFailureLog(log);
  const memory = createAskMemory({
    now: () => Date.now(),
    onFull: (namespace) => log.warn({ namespace }, 'namespace has more workloads to ask than are stored'),
  });
  const excluded = excludedNamespaces(options, kube.inCluster ? kube.namespace : undefined);
  const rateLimiter = createRateLimiter(options.patchesPerSecond);

  const health = await startHealth({ unready, registry }, options.host, options.healthPort);
  const lease = { namespace: options.leaseNamespace ?? kube.namespace, name: options.leaseName };
  log.info({ version: VERSION, server: kube.server, lease, healthPort: health.port }, 'reconciler started');
  await runAsLeader(
    {
      kube,
      ...lease,
      identity: `${hostname()}_${randomUUID()}`,
      durationMs: LEASE_MS,
      signal: stop.signal,
      onLeader(isLeader) {
        metrics.leading(isLeader);
        failureLog.resolve('lease');
        log.info(lease, isLeader ? 'became leader' : 'lost leadership');
      },
      onFailure(failure) {
        metrics.failed('lease', failure);
        failureLog.report('lease', failure);
      },
    },
    async (signal, wasLed) => {
      reconciler = createReconciler({
        kube,
        rules: rules.current,
        metrics,
        failureLog: createFailureLog(log), // each term logs its own failures
        log,
        rateLimiter,
        optIn: optInOf(options),
        podSelector: options.objectSelector,
        excluded,
        only: options.namespace,
        relistMs: RELIST_MS,
        guard: guardOf(options.requireGuard, { kube, metrics, log, signal }),
        ask: options.ask ? { ...askSettings(options), version: VERSION, memory, wasAsked: wasLed } : undefined,
        signal,
      });
      await reconciler.run();
      reconciler = undefined;
    },
  );
  rules.close();
  await kube.close();
  await health.close();
  log.info('stopped');
  return (await stopped) === 'failure' ? 1 : 0;

  function unready(): string[] {
    if (!isConnected) return ['no response from the API server yet'];
    if (reconciler?.hasStarted() === false) return ['the namespaces have not been listed yet'];
    return [];
  }
}

function optInOf({ namespaceSelector }: ReconcileOptions): OptIn {
  return namespaceSelector === undefined ? BY_LABEL : bySelector(namespaceSelector);
}

/** In a pod the host's name is the pod's. */
function guardOf(policy: string | undefined, options: Omit<GuardOptions, 'policy' | 'pod'>): Guard | undefined {
  if (policy === undefined) return undefined;
  return createGuard({ ...options, policy, pod: { namespace: options.kube.namespace, name: hostname() } });
}

function askSettings({ askPorts, askAnnotatedServices }: ReconcileOptions): AskSettings {
  return { ports: askPorts, annotatedServices: askAnnotatedServices };
}

function excludedNamespaces(options: ReconcileOptions, own: string | undefined): ReadonlySet<string> {
  const named = (options.excludeNamespaces ?? '').split(',').map((name) => name.trim());
  return new Set([...SYSTEM_NAMESPACES, ...(own === undefined ? [] : [own]), ...named].filter((name) => name !== ''));
}

function whyNone(
  found: readonly Namespace[],
  { namespace, namespaceSelector }: ReconcileOptions,
  excluded: ReadonlySet<string>,
): string {
  if (namespace === undefined && namespaceSelector !== undefined) return '--namespace-selector selects no namespace.';
  if (namespace === undefined) {
    return 'No namespace is opted in. Opt one in with: kubectl label namespace NAME autoscrape.io/inject=enabled';
  }
  if (excluded.has(namespace)) return `The namespace ${namespace} is always skipped.`;
  if (found.some(({ terminating }) => terminating)) return `The namespace ${namespace} is being deleted.`;
  return namespaceSelector === undefined
    ? `The namespace ${namespace} is not opted in. Opt it in with: kubectl label namespace ${namespace} autoscrape.io/inject=enabled`
    : `The namespace ${namespace} is not selected by --namespace-selector.`;
}

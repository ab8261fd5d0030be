// What `autoscrape reconcile` needs from the API server, as the chart grants it:
//
//   ClusterRole   ""                    namespaces  get, list, watch     (get: --once)
//                 ""                    pods        get, list, watch, patch
//   Role          coordination.k8s.io   leases      get, list, watch, create, update   (in its own namespace only)
//
// Nothing else: no events, no owners, no secrets. `reconcile --once` and `uninject` need no leases.
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { startHealth } from '../process/health.ts';
import { connect } from '../kube/client.ts';
import { createLog, withoutMessage } from '../process/log.ts';
import { createRegistry } from '../process/metrics.ts';
import { unknownOptIn } from '../core/opt-in.ts';
import { createComplaints } from '../reconcile/failure-log.ts';
import { lead } from '../kube/leader-election.ts';
import { createReconcileMetrics } from '../reconcile/metrics.ts';
import { SYSTEM_NAMESPACES } from '../reconcile/namespace.ts';
import type { Namespace } from '../reconcile/namespace.ts';
import { createPace } from '../kube/rate-limiter.ts';
import { annotatePlanner } from '../reconcile/plan.ts';
import { createReconciler } from '../reconcile/reconciler.ts';
import type { Reconciler } from '../reconcile/reconciler.ts';
import { followRules } from '../rules/follow.ts';
import { loadRules } from '../rules/load.ts';
import { handleShutdown } from '../process/shutdown.ts';
import { UserError } from '../process/user-error.ts';
import { VERSION } from '../process/version.ts';
import { onePass } from './run-once.ts';
import {
  Command,
  contextOption,
  healthPortOption,
  hostOption,
  kubeconfigOption,
  logLevelOption,
  nonEmpty,
  Option,
  option,
  patchesPerSecondOption,
} from './options.ts';
import type { OptionsOf } from './options.ts';
import { examples } from './usage.ts';

const flags = new Command('reconcile')
  .description(
    'Annotates pods that exist already in opted-in namespaces, as the webhook would have: for as long as it runs, or once.',
  )
  .addOption(new Option('--once', 'do it once and end').default(false))
  .addOption(new Option('--dry-run', 'print what would be done, and change nothing').default(false))
  .addOption(
    new Option('-o, --output <format>', 'how --once and --dry-run report')
      .choices(['text', 'json', 'yaml'])
      .default('text'),
  )
  .addOption(new Option('-n, --namespace <name>', 'work on this namespace only').argParser(nonEmpty))
  .addOption(kubeconfigOption)
  .addOption(contextOption)
  .addOption(
    option('--rules <file>', 'rules file, reloaded when it changes; without it the shipped rules apply').argParser(
      nonEmpty,
    ),
  )
  .addOption(
    option(
      '--exclude-namespaces <names>',
      'never work on these, besides kube-system and the like; with commas between',
    ),
  )
  .addOption(patchesPerSecondOption)
  .addOption(
    option('--lease-name <name>', 'Lease by which one of several replicas works')
      .default('autoscrape-reconciler')
      .argParser(nonEmpty),
  )
  .addOption(option('--lease-namespace <name>', 'namespace of the Lease; else the own one').argParser(nonEmpty))
  .addOption(hostOption)
  .addOption(healthPortOption)
  .addOption(logLevelOption)
  .addHelpText(
    'after',
    examples(
      ['What would happen?', 'autoscrape reconcile --once --dry-run'],
      ['Do it for one namespace', 'autoscrape reconcile --once -n shop'],
      ['As the chart runs it', 'autoscrape reconcile --rules /etc/autoscrape/rules.yaml'],
    ),
  );

/** `autoscrape reconcile`. */
export const command = flags.action(async (options) => {
  process.exitCode = await reconcile(options);
});

/** What `autoscrape reconcile` is told. */
export type ReconcileOptions = OptionsOf<typeof flags>;

/** Every list is made anew this often: 10 pages for 5,000 pods, to be right even if a watch ever lied. */
const RELIST_MS = 30 * 60_000;

/** How long a replica that says nothing keeps the lease: client-go's default. */
const LEASE_MS = 15_000;

/** The exit code: of one pass, or of a reconciler that has run until it was told to stop. */
export async function reconcile(options: ReconcileOptions): Promise<number> {
  return options.once || options.dryRun ? reconcileOnce(options) : reconcileOn(options);
}

async function reconcileOnce(options: ReconcileOptions): Promise<number> {
  const rules = await loadRules(options.rules);
  return onePass(options, (kube) => {
    const excluded = excludedNamespaces(options, kube.inCluster ? kube.namespace : undefined);
    return {
      which: options.namespace === undefined ? 'labelled' : { name: options.namespace },
      isWanted: ({ name, optedIn, terminating }) => optedIn && !terminating && !excluded.has(name),
      plannerFor: ({ mesh }) => annotatePlanner(rules, mesh),
      remark(namespaces, found) {
        let isExplained = false;
        for (const { name, unknownOptIn: value } of found) {
          if (value === undefined || excluded.has(name)) continue;
          process.stderr.write(`The namespace ${name} is not opted in: ${unknownOptIn(value)}\n`);
          isExplained = true;
        }
        if (namespaces.length === 0 && !isExplained)
          process.stderr.write(`${whyNone(found, options.namespace, excluded)}\n`);
      },
    };
  });
}

/** 0 after SIGTERM or SIGINT, 1 after an uncaught error. */
async function reconcileOn(options: ReconcileOptions): Promise<number> {
  const log = createLog(options.logLevel);
  const shutdown = handleShutdown((error) => log.fatal(withoutMessage(error), 'bug: stopping after an uncaught error'));
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
  });
  const rules = await followRules(options.rules, {
    log,
    onReload(result) {
      metrics.rulesReloaded(result);
      if (result === 'success') reconciler?.reload();
    },
  });
  const connection = await connect({
    ...options,
    onAnswer(method, status) {
      isConnected ||= status >= 200 && status < 300;
      metrics.answer(method, status);
    },
  });
  if (!connection.ok) throw new UserError(connection.message);
  const { kube } = connection;
  const complaints = createComplaints(log);
  const excluded = excludedNamespaces(options, kube.inCluster ? kube.namespace : undefined);
  const pace = createPace(options.patchesPerSecond);

  const health = await startHealth({ unready, registry }, options.host, options.healthPort);
  const lease = { namespace: options.leaseNamespace ?? kube.namespace, name: options.leaseName };
  log.info({ version: VERSION, server: kube.server, lease, healthPort: health.port }, 'reconciling');
  await lead(
    {
      kube,
      ...lease,
      identity: `${hostname()}_${randomUUID()}`,
      durationMs: LEASE_MS,
      signal: stop.signal,
      onLeader(isLeader) {
        metrics.leading(isLeader);
        complaints.settle('lease');
        log.info(lease, isLeader ? 'this replica works now' : 'this replica has stopped working');
      },
      onFailure(failure) {
        metrics.failed('lease', failure);
        complaints.raise('lease', failure);
      },
    },
    async (signal) => {
      reconciler = createReconciler({
        kube,
        rules: rules.current,
        metrics,
        complaints: createComplaints(log), // another term is another story
        log,
        pace,
        excluded,
        only: options.namespace,
        relistMs: RELIST_MS,
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
    if (!isConnected) return ['the API server has not answered yet'];
    if (reconciler?.hasStarted() === false) return ['the namespaces have not been listed yet'];
    return [];
  }
}

function excludedNamespaces(options: ReconcileOptions, own: string | undefined): ReadonlySet<string> {
  const named = (options.excludeNamespaces ?? '').split(',').map((name) => name.trim());
  return new Set([...SYSTEM_NAMESPACES, ...(own === undefined ? [] : [own]), ...named].filter((name) => name !== ''));
}

function whyNone(found: readonly Namespace[], namespace: string | undefined, excluded: ReadonlySet<string>): string {
  if (namespace === undefined) {
    return 'No namespace is opted in. Opt one in with: kubectl label namespace NAME autoscrape.io/inject=enabled';
  }
  if (excluded.has(namespace)) return `The namespace ${namespace} is never worked on.`;
  return found.some(({ terminating }) => terminating)
    ? `The namespace ${namespace} is being deleted.`
    : `The namespace ${namespace} is not opted in. Opt it in with: kubectl label namespace ${namespace} autoscrape.io/inject=enabled`;
}

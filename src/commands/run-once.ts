import { openCluster } from './open-cluster.ts';
import type { Kube } from '../kube/client.ts';
import { createRateLimiter } from '../kube/rate-limiter.ts';
import { handleInterruption } from '../process/shutdown.ts';
import { UserError } from '../process/user-error.ts';
import { VERSION } from '../process/version.ts';
import { createAskOnce } from '../reconcile/ask-once.ts';
import type { AskOnce, AskOnceOptions, PodRequest } from '../reconcile/ask-once.ts';
import type { NamespaceAsking } from '../reconcile/asking.ts';
import { runBulk } from '../reconcile/bulk.ts';
import type { BulkOptions } from '../reconcile/bulk.ts';
import { findNamespaces } from '../reconcile/namespace.ts';
import type { Namespace, NamespaceSelection } from '../reconcile/namespace.ts';
import type { Planner } from '../reconcile/plan.ts';
import { hasFailed, renderReport } from '../reconcile/report.ts';
import type { ReportFormat } from '../reconcile/report.ts';
import { showProgress } from './progress.ts';

/** The flags of every command that goes over live pods once. */
export interface RunOnceOptions {
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly dryRun: boolean;
  readonly output: ReportFormat;
  readonly patchesPerSecond: number;
}

/** What to do with the pods of which namespaces. */
export interface Task extends Pick<BulkOptions, 'optIn' | 'isWanted' | 'finishesPatch'> {
  readonly selection: NamespaceSelection;
  /** Returns the planner of a namespace, with what asks its pods where `ask` is given. */
  plannerFor(namespace: Namespace, asking: NamespaceAsking | undefined): Planner;
  /** Asks pods before they are planned; undefined where asking is off. */
  readonly ask?: Pick<AskOnceOptions, 'rules' | 'settings' | 'podSelector'> | undefined;
  /**
   * Called before anything is changed, with the namespaces to work on and all that were found.
   * Writes to stderr what the user should know about them.
   */
  onNamespaces(namespaces: readonly Namespace[], found: readonly Namespace[]): void;
}

/**
 * Runs the task once, prints the report, and returns the exit code: 0 when there was nothing to do
 * or everything is done (or planned), 1 when something failed or a signal ended it before. Throws a
 * UserError where there is no cluster, or its namespaces can't be read.
 */
export async function runOnce(options: RunOnceOptions, taskFor: (kube: Kube) => Task): Promise<number> {
  const kube = await openCluster(options);
  try {
    const task = taskFor(kube);
    const { optIn, isWanted } = task;
    const found = await findNamespaces(kube, task.selection, new AbortController().signal, optIn);
    if (!found.ok) throw new UserError(`the namespaces can't be read: ${found.error.message}`);
    const namespaces = found.value.filter(isWanted);
    task.onNamespaces(namespaces, found.value);
    const interruption = handleInterruption();
    const { signal } = interruption;
    const asked = task.ask === undefined ? undefined : await askAll(kube, namespaces, task.ask, options.dryRun, signal);
    const progress = showProgress('pods changed');
    const planned = await runBulk({
      kube,
      namespaces,
      optIn,
      plannerFor: (namespace) => task.plannerFor(namespace, asked?.once.inNamespace(namespace)),
      isWanted,
      rateLimiter: createRateLimiter(options.patchesPerSecond),
      dryRun: options.dryRun,
      onProgress: (done, of) => progress.show(done, of),
      signal,
      finishesPatch: task.finishesPatch,
    });
    progress.end();
    const report =
      asked === undefined
        ? planned
        : { ...planned, requests: asked.requests, problems: [...asked.once.problems, ...planned.problems] };
    process.stdout.write(renderReport(report, options.output));
    interruption.end();
    return hasFailed(report) ? 1 : 0;
  } finally {
    await kube.close();
  }
}

/**
 * Asks one pod of each workload, or in a dry run finds out what it would ask. Throws a UserError
 * where the Services can't be listed: they have ports and addresses that asking must know.
 */
async function askAll(
  kube: Kube,
  namespaces: readonly Namespace[],
  ask: Pick<AskOnceOptions, 'rules' | 'settings' | 'podSelector'>,
  dryRun: boolean,
  signal: AbortSignal,
): Promise<{ readonly once: AskOnce; readonly requests: readonly PodRequest[] }> {
  const progress = showProgress('workloads asked');
  const onProgress = (done: number, of: number) => progress.show(done, of);
  const made = await createAskOnce({ ...ask, kube, namespaces, version: VERSION, onProgress, signal });
  if (!made.ok) throw new UserError(`the Services can't be listed, which --ask needs: ${made.error.message}`);
  const once = made.value;
  const planned = await once.prepare();
  const requests = dryRun ? planned : await once.ask();
  progress.end();
  return { once, requests };
}

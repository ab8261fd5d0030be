import { connect } from '../kube/client.ts';
import type { Kube } from '../kube/client.ts';
import { createRateLimiter } from '../kube/rate-limiter.ts';
import { handleInterruption } from '../process/shutdown.ts';
import { UserError } from '../process/user-error.ts';
import { runBulk } from '../reconcile/bulk.ts';
import type { BulkOptions } from '../reconcile/bulk.ts';
import { findNamespaces } from '../reconcile/namespace.ts';
import type { Namespace, NamespaceSelection } from '../reconcile/namespace.ts';
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
export interface Task extends Pick<BulkOptions, 'plannerFor' | 'isWanted'> {
  readonly selection: NamespaceSelection;
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
  const connection = await connect(options);
  if (!connection.ok) throw new UserError(connection.error);
  const kube = connection.value;
  try {
    const task = taskFor(kube);
    const { isWanted, plannerFor } = task;
    const found = await findNamespaces(kube, task.selection, new AbortController().signal);
    if (!found.ok) throw new UserError(`the namespaces can't be read: ${found.error.message}`);
    const namespaces = found.value.filter(isWanted);
    task.onNamespaces(namespaces, found.value);
    const interruption = handleInterruption();
    const progress = showProgress('pods changed');
    const report = await runBulk({
      kube,
      namespaces,
      plannerFor,
      isWanted,
      rateLimiter: createRateLimiter(options.patchesPerSecond),
      dryRun: options.dryRun,
      onProgress: (done, of) => progress.show(done, of),
      signal: interruption.signal,
    });
    progress.end();
    process.stdout.write(renderReport(report, options.output));
    interruption.end();
    return hasFailed(report) ? 1 : 0;
  } finally {
    await kube.close();
  }
}

import { connect } from '../kube/client.ts';
import type { Kube } from '../kube/client.ts';
import type { Namespace } from '../reconcile/namespace.ts';
import { findNamespaces, pass } from '../reconcile/bulk.ts';
import type { PassOptions, Wanted } from '../reconcile/bulk.ts';
import { createPace } from '../kube/rate-limiter.ts';
import { showProgress } from './progress.ts';
import { hasFailed, renderReport } from '../reconcile/report.ts';
import type { ReportFormat } from '../reconcile/report.ts';
import { handleInterruption } from '../process/shutdown.ts';
import { UserError } from '../process/user-error.ts';

/** What the flags say of every command that goes over pods once. */
export interface OnePassOptions {
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly dryRun: boolean;
  readonly output: ReportFormat;
  readonly patchesPerSecond: number;
}

/** What is to be done, and where. */
export interface Errand extends Pick<PassOptions, 'plannerFor' | 'isWanted'> {
  readonly which: Wanted;
  /** Called before anything is done; says on stderr what the user should know of the namespaces to work on, and of all that were found. */
  readonly remark: (namespaces: readonly Namespace[], found: readonly Namespace[]) => void;
}

/**
 * Runs the errand once, prints what came of it, and returns the exit code: 0 when there was nothing to do or all is done (or
 * planned), 1 when something failed or a signal ended it before. Throws a UserError where there is no cluster, or its namespaces can't be read.
 */
export async function onePass(options: OnePassOptions, errandOn: (kube: Kube) => Errand): Promise<number> {
  const connection = await connect(options);
  if (!connection.ok) throw new UserError(connection.message);
  const { kube } = connection;
  try {
    const { which, isWanted, plannerFor, remark } = errandOn(kube);
    const found = await findNamespaces(kube, which, new AbortController().signal);
    if (!found.ok) throw new UserError(`the namespaces can't be read: ${found.failure.message}`);
    const namespaces = found.namespaces.filter(isWanted);
    remark(namespaces, found.namespaces);
    const interruption = handleInterruption();
    const progress = showProgress('pods changed');
    const report = await pass({
      kube,
      namespaces,
      plannerFor,
      isWanted,
      pace: createPace(options.patchesPerSecond),
      dryRun: options.dryRun,
      onProgress: progress.show,
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

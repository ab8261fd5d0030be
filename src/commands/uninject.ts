import { connect } from '../kube.ts';
import type { Namespace } from '../reconcile/namespace.ts';
import { SYSTEM_NAMESPACES } from '../reconcile/namespace.ts';
import { findNamespaces, pass } from '../reconcile/once.ts';
import { createPace } from '../reconcile/pace.ts';
import { takeBackPlanner } from '../reconcile/plan.ts';
import { showProgress } from '../reconcile/progress.ts';
import { hasFailed, renderReport } from '../reconcile/report.ts';
import type { ReportFormat } from '../reconcile/report.ts';
import { loadRules } from '../rules/load.ts';
import { UserError } from '../user-error.ts';

/** What `autoscrape uninject` was told by flags and environment. */
export interface UninjectOptions {
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly namespace?: string;
  readonly allNamespaces: boolean;
  readonly rules?: string;
  readonly dryRun: boolean;
  readonly output: ReportFormat;
  readonly patchesPerSecond: number;
}

/** The exit code after taking back what autoscrape added to pods: 0 when there was nothing to do or all is done, 1 when something failed. */
export async function uninject(options: UninjectOptions): Promise<number> {
  const { namespace, allNamespaces, dryRun, output } = options;
  if (allNamespaces && namespace !== undefined) throw new UserError('give either --namespace or --all-namespaces');
  const rules = await loadRules(options.rules);
  const connection = await connect(options);
  if (!connection.ok) throw new UserError(connection.message);
  const { kube } = connection;
  const { signal } = new AbortController();
  try {
    const which = allNamespaces ? 'all' : { name: namespace ?? kube.namespace };
    const found = await findNamespaces(kube, which, signal);
    if (!found.ok) throw new UserError(`the namespaces can't be read: ${found.message}`);
    const namespaces = found.namespaces.filter(isWanted);
    for (const { name } of namespaces.filter(({ optedIn }) => optedIn)) {
      process.stderr.write(
        `The namespace ${name} is still opted in, so what is taken back will come again. ` +
          `Opt it out first: kubectl label namespace ${name} autoscrape.io/inject-\n`,
      );
    }
    const progress = showProgress('pods changed');
    const report = await pass({
      kube,
      namespaces,
      plannerFor: () => takeBackPlanner(rules),
      isWanted,
      pace: createPace(options.patchesPerSecond),
      dryRun,
      onProgress: progress.show,
      signal,
    });
    progress.end();
    process.stdout.write(renderReport(report, output));
    return hasFailed(report) ? 1 : 0;
  } finally {
    await kube.close();
  }
}

function isWanted({ name, terminating }: Namespace): boolean {
  return !terminating && !SYSTEM_NAMESPACES.includes(name);
}

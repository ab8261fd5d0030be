import type { Namespace } from '../reconcile/namespace.ts';
import { SYSTEM_NAMESPACES } from '../reconcile/namespace.ts';
import { takeBackPlanner } from '../reconcile/plan.ts';
import { loadRules } from '../rules/load.ts';
import { onePass } from './one-pass.ts';
import type { OnePassOptions } from './one-pass.ts';

/** What `autoscrape uninject` was told by flags and environment. */
export interface UninjectOptions extends OnePassOptions {
  readonly namespace?: string;
  readonly allNamespaces: boolean;
  readonly rules?: string;
}

/** The exit code after taking back what autoscrape added to pods: 0 when there was nothing to do or all is done, 1 when something failed. */
export async function uninject(options: UninjectOptions): Promise<number> {
  const { namespace, allNamespaces } = options;
  const rules = await loadRules(options.rules);
  return onePass(options, (kube) => ({
    which: allNamespaces ? 'all' : { name: namespace ?? kube.namespace },
    isWanted,
    plannerFor: () => takeBackPlanner(rules),
    remark(namespaces, found) {
      // Of many namespaces it goes without saying.
      if (!allNamespaces) for (const one of found) if (!isWanted(one)) process.stderr.write(`${whyNot(one)}\n`);
      warnOfOptedIn(namespaces);
    },
  }));
}

function warnOfOptedIn(namespaces: readonly Namespace[]): void {
  for (const { name } of namespaces.filter(({ optedIn }) => optedIn)) {
    process.stderr.write(
      `The namespace ${name} is still opted in, so what is taken back will come again. ` +
        `Opt it out first: kubectl label namespace ${name} autoscrape.io/inject-\n`,
    );
  }
}

function whyNot({ name, terminating }: Namespace): string {
  return terminating ? `The namespace ${name} is being deleted.` : `The namespace ${name} is never worked on.`;
}

function isWanted({ name, terminating }: Namespace): boolean {
  return !terminating && !SYSTEM_NAMESPACES.includes(name);
}

import type { Namespace } from '../reconcile/namespace.ts';
import { SYSTEM_NAMESPACES } from '../core/pod-selectors.ts';
import { uninjectPlanner } from '../reconcile/plan-uninject.ts';
import { loadRules } from '../rules/load.ts';
import { runOnce } from './run-once.ts';
import {
  Command,
  contextOption,
  kubeconfigOption,
  nonEmpty,
  Option,
  option,
  patchesPerSecondOption,
} from './options.ts';
import type { OptionsOf } from './options.ts';
import { examples } from './help.ts';

const flags = new Command('uninject')
  .description(
    "Removes from a namespace's pods exactly the annotations that autoscrape added and nobody has changed since.",
  )
  .addOption(new Option('--dry-run', 'print what would be done without changing anything').default(false))
  .addOption(
    new Option('-o, --output <format>', 'format of the report').choices(['text', 'json', 'yaml']).default('text'),
  )
  .addOption(new Option('-n, --namespace <name>', "namespace; defaults to the context's").argParser(nonEmpty))
  .addOption(
    new Option('-A, --all-namespaces', 'all namespaces except kube-system, kube-public and kube-node-lease')
      .default(false)
      .conflicts('namespace'),
  )
  .addOption(kubeconfigOption)
  .addOption(contextOption)
  .addOption(option('--rules <file>', 'rules file that was in use, if it sets annotation keys').argParser(nonEmpty))
  .addOption(patchesPerSecondOption)
  .addHelpText(
    'after',
    examples(
      ['What would be removed?', 'autoscrape uninject -n shop --dry-run'],
      ['Opt out for good', 'kubectl label namespace shop autoscrape.io/inject- && autoscrape uninject -n shop'],
    ),
  );

/** `autoscrape uninject`. */
export const command = flags.action(async (options) => {
  process.exitCode = await uninject(options);
});

/** The flags of `autoscrape uninject`. */
export type UninjectOptions = OptionsOf<typeof flags>;

/**
 * Removes from pods what autoscrape added. Returns the exit code: 0 when there was nothing to do or
 * everything is done, 1 when something failed.
 */
export async function uninject(options: UninjectOptions): Promise<number> {
  const { namespace, allNamespaces } = options;
  const rules = await loadRules(options.rules);
  return runOnce(options, (kube) => ({
    selection: allNamespaces ? 'all' : { name: namespace ?? kube.namespace },
    isWanted,
    // A second run removes the same again, so nothing is lost by ending at once.
    finishesPatch: false,
    plannerFor: () => uninjectPlanner(rules),
    onNamespaces(namespaces, found) {
      // With --all-namespaces these are skipped without a message.
      if (!allNamespaces) for (const one of found) if (!isWanted(one)) process.stderr.write(`${whyNot(one)}\n`);
      warnOfOptedIn(namespaces);
    },
  }));
}

function warnOfOptedIn(namespaces: readonly Namespace[]): void {
  for (const { name } of namespaces.filter(({ optedIn }) => optedIn)) {
    process.stderr.write(
      `The namespace ${name} is still opted in, so new pods and a running reconciler will annotate again. ` +
        `Opt it out first: kubectl label namespace ${name} autoscrape.io/inject-\n`,
    );
  }
}

function whyNot({ name, terminating }: Namespace): string {
  return terminating ? `The namespace ${name} is being deleted.` : `The namespace ${name} is always skipped.`;
}

function isWanted({ name, terminating }: Namespace): boolean {
  return !terminating && !SYSTEM_NAMESPACES.includes(name);
}

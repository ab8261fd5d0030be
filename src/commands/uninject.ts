import type { Namespace } from '../reconcile/namespace.ts';
import { SYSTEM_NAMESPACES } from '../reconcile/namespace.ts';
import { takeBackPlanner } from '../reconcile/plan.ts';
import { loadRules } from '../rules/load.ts';
import { onePass } from './run-once.ts';
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
import { examples } from './usage.ts';

const flags = new Command('uninject')
  .description(
    "Removes from a namespace's pods exactly the annotations that autoscrape added and nobody has changed since.",
  )
  .addOption(new Option('--dry-run', 'print what would be done, and change nothing').default(false))
  .addOption(new Option('-o, --output <format>', 'how to report').choices(['text', 'json', 'yaml']).default('text'))
  .addOption(new Option('-n, --namespace <name>', "namespace; else the context's").argParser(nonEmpty))
  .addOption(
    new Option('-A, --all-namespaces', 'all namespaces but kube-system and the like')
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
      ['What would be taken back?', 'autoscrape uninject -n shop --dry-run'],
      ['Opt out for good', 'kubectl label namespace shop autoscrape.io/inject- && autoscrape uninject -n shop'],
    ),
  );

/** `autoscrape uninject`. */
export const command = flags.action(async (options) => {
  process.exitCode = await uninject(options);
});

/** What `autoscrape uninject` is told. */
export type UninjectOptions = OptionsOf<typeof flags>;

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

import { reportError } from './commands/exit-code.ts';
import { Command } from './commands/options.ts';
import { refuseExcessArguments } from './commands/excess-arguments.ts';
import { examples, help } from './commands/help.ts';
import { VERSION } from './process/version.ts';

// Each command's file has its flags, its examples and what it does. It sets the exit code: 0 for
// success, 1 for a finding or an error that it has reported. What it throws is reported by
// commands/exit-code.ts: a usage error exits with 2.

/** The summary of each command, and how to load it. Only the requested one is loaded: `serve` needs no Kubernetes client. */
const COMMANDS = {
  serve: ['run the admission webhook', async () => (await import('./commands/serve.ts')).command],
  explain: [
    'explain whether a workload would be annotated, how, and why',
    async () => (await import('./commands/explain.ts')).command,
  ],
  doctor: ["say why a pod's metrics are not in Prometheus", async () => (await import('./commands/doctor.ts')).command],
  check: ['check a rules file', async () => (await import('./commands/check.ts')).command],
  test: ['test a rules file', async () => (await import('./commands/test.ts')).command],
  reconcile: ['annotate live pods', async () => (await import('./commands/reconcile.ts')).command],
  uninject: ['remove what autoscrape added to pods', async () => (await import('./commands/uninject.ts')).command],
  learn: ['print rules for what only asking finds', async () => (await import('./commands/learn.ts')).command],
  'scrape-config': [
    'print what a scraper needs to read the annotations',
    async () => (await import('./commands/scrape-config.ts')).command,
  ],
  sample: ['run a small app with metrics', async () => (await import('./commands/sample.ts')).command],
  verify: [
    'check that new pods in a namespace are annotated',
    async () => (await import('./commands/verify.ts')).command,
  ],
  certificate: [
    "make or renew the webhook's certificate, in a Secret",
    async () => (await import('./commands/certificate.ts')).command,
  ],
  'ca-bundle': [
    'have the API server trust the CA of a certificate',
    async () => (await import('./commands/ca-bundle.ts')).command,
  ],
  version: ['print the version', async () => (await import('./commands/version.ts')).command],
  completion: ['print a completion script', async () => (await import('./commands/completion.ts')).command],
  help: ['print the help of a command', async () => help],
} as const;

/** What bin/kubectl_complete-autoscrape.js calls, under the name that Cobra has for it. No parser sees the words behind it. */
const COMPLETE = '__complete';

async function parse(args: readonly string[]): Promise<void> {
  const program = new Command('autoscrape')
    .description('Writes Prometheus scrape annotations onto pods as they are created, and explains why.')
    .version(VERSION)
    .configureHelp({ showGlobalOptions: true, subcommandTerm: (command) => command.name() })
    .showSuggestionAfterError()
    .showHelpAfterError('(add --help for usage)')
    .exitOverride()
    .helpCommand(false)
    .allowExcessArguments()
    .hook('preAction', (_program, command) => refuseExcessArguments(command))
    .addHelpText(
      'after',
      examples(
        ['Would this workload be annotated, and why?', 'autoscrape explain -f deployment.yaml'],
        ['Is my rules file valid?', 'autoscrape check rules.yaml'],
        ['Run the admission webhook', 'autoscrape serve --cert-dir /tls'],
      ),
    );
  for (const [name, [summary, load]] of Object.entries(COMMANDS)) {
    // `autoscrape serve …` or `autoscrape help serve` loads serve. The help needs only the names of the others; completion
    // needs their flags.
    const isLoaded = args[0] === 'completion' || args[0] === COMPLETE || args.slice(0, 2).includes(name);
    const command = isLoaded ? await load() : new Command(name);
    program.addCommand(command.summary(summary).copyInheritedSettings(program));
  }
  if (args[0] === COMPLETE) {
    const [{ completed }, { completionReply }] = await Promise.all([
      import('./commands/completion.ts'),
      import('./commands/kubectl-complete.ts'),
    ]);
    process.stdout.write(completionReply(program.commands.map(completed), args.slice(1)));
    return;
  }
  await program.parseAsync(args, { from: 'user' });
}

/**
 * Runs the command that the arguments name, and sets `process.exitCode` where that is not 0. It resolves when the command has
 * ended; what it threw is printed.
 */
export async function runCommandLine(args: readonly string[]): Promise<void> {
  try {
    await parse(args);
  } catch (error) {
    process.exitCode = reportError(error);
  }
}

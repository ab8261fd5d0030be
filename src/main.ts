#!/usr/bin/env node
import { enableCompileCache } from 'node:module';
import { CommanderError } from 'commander';
import { Command } from './commands/options.ts';
import { examples, help, refuseMisuse } from './commands/usage.ts';
import { endUntilHandled } from './process/shutdown.ts';
import { UserError } from './process/user-error.ts';
import { VERSION } from './process/version.ts';

// A command's file holds its flags, its examples and what it does. It sets the exit code: 0 fine, 1 a finding or an error that
// it has reported. What is wrong with the command line itself is reported here: exit code 2.

// Node keeps what it has compiled of the modules that commands import, for the next start: a third of an explain's time.
enableCompileCache();

endUntilHandled();

/** Of each command its summary, and its module, of which only the one asked for is loaded: `serve` has no use for a client. */
const COMMANDS = {
  serve: ['run the admission webhook', async () => (await import('./commands/serve.ts')).command],
  explain: [
    'say what would be done with a workload, and why',
    async () => (await import('./commands/explain.ts')).command,
  ],
  check: ['find what is wrong with a rules file', async () => (await import('./commands/check.ts')).command],
  reconcile: ['annotate live pods', async () => (await import('./commands/reconcile.ts')).command],
  uninject: ['remove what autoscrape added to pods', async () => (await import('./commands/uninject.ts')).command],
  sample: ['run a small app with metrics', async () => (await import('./commands/sample.ts')).command],
  verify: [
    'show that new pods in a namespace come out annotated',
    async () => (await import('./commands/verify.ts')).command,
  ],
  help: ['show what a command takes', async () => help],
} as const;

async function main(args: readonly string[]): Promise<void> {
  const program = new Command('autoscrape')
    .description('Writes Prometheus scrape annotations onto pods as they are created, and explains why.')
    .version(VERSION)
    .configureHelp({ showGlobalOptions: true, subcommandTerm: (command) => command.name() })
    .showSuggestionAfterError()
    .showHelpAfterError('(add --help to see what it takes)')
    .exitOverride()
    .helpCommand(false)
    .allowExcessArguments()
    .hook('preAction', (_program, command) => refuseMisuse(command))
    .addHelpText(
      'after',
      examples(
        ['Why would this workload be annotated, or not?', 'autoscrape explain -f deployment.yaml'],
        ['Is my rules file right?', 'autoscrape check rules.yaml'],
        ['Run the admission webhook', 'autoscrape serve --cert-dir /tls'],
      ),
    );
  for (const [name, [summary, load]] of Object.entries(COMMANDS)) {
    // `autoscrape serve …` and `autoscrape help serve`: of the others only the name is needed.
    const command = args.slice(0, 2).includes(name) ? await load() : new Command(name);
    program.addCommand(command.summary(summary).copyInheritedSettings(program));
  }
  await program.parseAsync(args, { from: 'user' });
}

/** The exit code for whatever a command threw, after telling the user: 2 usage, 1 a user's error or a bug. */
function report(error: unknown): number {
  // commander has printed its own message already; help and version are no errors.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  if (error instanceof UserError) console.error(`autoscrape: ${error.message}`);
  else console.error(error);
  return 1;
}

// `autoscrape explain … | head` closes the pipe early: that is the reader's choice and no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

try {
  await main(process.argv.slice(2));
} catch (error) {
  process.exitCode = report(error);
}
// Pipes are written asynchronously on some systems; exit only when everything before this empty write is out.
process.stdout.write('', () => process.exit());

#!/usr/bin/env node
import { enableCompileCache } from 'node:module';
import { Command, CommanderError, Option } from 'commander';
import { integer, labels, nonEmpty, option, toggle } from './config.ts';
import { endUntilHandled } from './shutdown.ts';
import { UserError } from './user-error.ts';
import { VERSION } from './version.ts';
import type { CheckOptions } from './commands/check.ts';
import type { ExplainOptions } from './commands/explain.ts';
import type { ReconcileOptions } from './commands/reconcile.ts';
import type { SampleOptions } from './commands/sample.ts';
import type { ServeOptions } from './commands/serve.ts';
import type { VerifyOptions } from './commands/verify.ts';
import type { UninjectOptions } from './commands/uninject.ts';

// Each command is one block below: what it is called, what it takes, examples, and an action that imports its module
// only when it is called, so that `serve` never loads the Kubernetes client and `--help` loads nothing at all.
// A command is an async function that returns its exit code: 0 fine, 1 a finding or an error that it has reported. That
// something is missing or too much is told here: exit code 2.

// Node keeps what it has compiled of the modules that commands import, for the next start: a third of an explain's time.
enableCompileCache();

endUntilHandled();

let exitCode = 0;

/** The flags without which a command can't be run. */
const NEEDED = new Set<Option>();

const program = new Command('autoscrape')
  .description('Writes Prometheus scrape annotations onto pods as they are created, and explains why.')
  .version(VERSION)
  .configureHelp({ showGlobalOptions: true })
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

program
  .command('serve')
  .summary('run the admission webhook')
  .description('Runs the mutating admission webhook: HTTPS for the API server, plain HTTP for health and metrics.')
  .addOption(
    needed(
      option('--cert-dir <dir>', 'folder with tls.crt and tls.key, reloaded when they change').argParser(nonEmpty),
    ),
  )
  .addOption(
    option('--rules <file>', 'rules file, reloaded when it changes; without it the shipped rules apply').argParser(
      nonEmpty,
    ),
  )
  .addOption(hostOption())
  .addOption(
    option('--port <number>', 'port for the API server (HTTPS); 0 picks a free one')
      .default(10250)
      .argParser(integer(0, 65535)),
  )
  .addOption(healthPortOption())
  .addOption(logLevelOption())
  .addOption(
    option('--tls-min-version <version>', 'oldest TLS version to accept').choices(['1.2', '1.3']).default('1.3'),
  )
  .addOption(
    option('--drain-seconds <number>', 'how long to go on serving after SIGTERM, until no new call comes')
      .default(10)
      .argParser(integer(0, 300)),
  )
  .addOption(toggle('--observe', 'decide, log and count, but patch nothing'))
  .addHelpText(
    'after',
    examples(
      ['As the chart runs it', 'autoscrape serve --cert-dir /tls --rules /etc/autoscrape/rules.yaml'],
      [
        'Try rules on a live cluster without touching a pod',
        'autoscrape serve --cert-dir /tls --rules rules.yaml --observe',
      ],
    ),
  )
  .action(async (options: ServeOptions) => {
    const { serve } = await import('./commands/serve.ts');
    exitCode = await serve(options);
  });

program
  .command('explain')
  .summary('say what would be done with a workload, and why')
  .description(
    'Says for each workload in the files what the webhook would do with its pods, and why. Needs no cluster.',
  )
  .addOption(
    needed(
      new Option(
        '-f, --filename <file>',
        'file, folder or - for standard input; YAML or JSON; can be given several times',
      ).argParser(several),
    ),
  )
  .addOption(new Option('-R, --recursive', 'look in the folders below a folder, too'))
  .addOption(
    new Option('-o, --output <format>', 'text for people; json: one object a line; yaml: one document each')
      .choices(['text', 'json', 'yaml'])
      .default('text'),
  )
  .addOption(option('--rules <file>', 'rules file; without it the shipped rules apply').argParser(nonEmpty))
  .addOption(new Option('--mesh', 'decide as in a namespace where Istio injects its proxy'))
  .addHelpText(
    'after',
    examples(
      ['A file, or a folder of them', 'autoscrape explain -f deployment.yaml -f k8s/'],
      ['What a Helm chart installs', 'helm template my-release ./chart | autoscrape explain -f -'],
      ['What runs in a cluster', 'kubectl get pods -A -o json | autoscrape explain -f - -o json'],
    ),
  )
  .action(async (options: ExplainOptions) => {
    const { explain } = await import('./commands/explain.ts');
    exitCode = await explain(options);
  });

program
  .command('check')
  .summary('find what is wrong with a rules file')
  .description('Checks a rules file and lists everything that is wrong with it, each with its line and the way out.')
  .argument('[file]', 'rules file, or - for standard input')
  .addOption(new Option('-f, --filename <file>', 'the same, as kubectl would have it').argParser(nonEmpty))
  .addOption(new Option('--print', 'show the rules that hold, in their order: yours, then the shipped ones'))
  .addOption(
    new Option('-o, --output <format>', 'text for people; json for machines').choices(['text', 'json']).default('text'),
  )
  .addHelpText(
    'after',
    examples(
      ['Is it right?', 'autoscrape check rules.yaml'],
      ['Which rules hold, and in which order?', 'autoscrape check rules.yaml --print'],
      ['What is shipped?', "echo 'extends: default' | autoscrape check - --print"],
    ),
  )
  .action(async (argument: string | undefined, options: CheckOptions & { filename?: string }, command: Command) => {
    const [file, ...more] = [argument, options.filename].filter((name) => name !== undefined);
    if (file === undefined || more.length > 0) command.error('error: give one rules file: autoscrape check rules.yaml');
    const { check } = await import('./commands/check.ts');
    exitCode = await check(file, options);
  });

program
  .command('reconcile')
  .summary('annotate the pods that were there first')
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
  .addOption(new Option('--kubeconfig <file>', 'kubeconfig file; else as kubectl finds it').argParser(nonEmpty))
  .addOption(new Option('--context <name>', 'context in the kubeconfig').argParser(nonEmpty))
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
  .addOption(
    option('--patches-per-second <number>', 'most pods to change in a second').default(20).argParser(integer(1, 1000)),
  )
  .addOption(
    option('--lease-name <name>', 'Lease by which one of several replicas works')
      .default('autoscrape-reconciler')
      .argParser(nonEmpty),
  )
  .addOption(option('--lease-namespace <name>', 'namespace of the Lease; else the own one').argParser(nonEmpty))
  .addOption(hostOption())
  .addOption(healthPortOption())
  .addOption(logLevelOption())
  .addHelpText(
    'after',
    examples(
      ['What would happen?', 'autoscrape reconcile --once --dry-run'],
      ['Do it for one namespace', 'autoscrape reconcile --once -n shop'],
      ['As the chart runs it', 'autoscrape reconcile --rules /etc/autoscrape/rules.yaml'],
    ),
  )
  .action(async (options: ReconcileOptions) => {
    const { reconcile } = await import('./commands/reconcile.ts');
    exitCode = await reconcile(options);
  });

program
  .command('uninject')
  .summary('take back what was added to pods')
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
  .addOption(new Option('--kubeconfig <file>', 'kubeconfig file; else as kubectl finds it').argParser(nonEmpty))
  .addOption(new Option('--context <name>', 'context in the kubeconfig').argParser(nonEmpty))
  .addOption(option('--rules <file>', 'rules file that was in use, if it sets annotation keys').argParser(nonEmpty))
  .addOption(
    option('--patches-per-second <number>', 'most pods to change in a second').default(20).argParser(integer(1, 1000)),
  )
  .addHelpText(
    'after',
    examples(
      ['What would be taken back?', 'autoscrape uninject -n shop --dry-run'],
      ['Opt out for good', 'kubectl label namespace shop autoscrape.io/inject- && autoscrape uninject -n shop'],
    ),
  )
  .action(async (options: UninjectOptions) => {
    const { uninject } = await import('./commands/uninject.ts');
    exitCode = await uninject(options);
  });

program
  .command('sample')
  .summary('run a small app with metrics')
  .description('Runs a small app with one metric of its own, the counter count_total, on /metrics.')
  .addOption(hostOption())
  .addOption(
    option('--port <number>', 'port for /metrics (HTTP); 0 picks a free one')
      .default(8000)
      .argParser(integer(0, 65535)),
  )
  .addHelpText('after', examples(['Look at it in a browser', 'autoscrape sample --port 8000']))
  .action(async (options: SampleOptions) => {
    const { sample } = await import('./commands/sample.ts');
    exitCode = await sample(options);
  });

program
  .command('verify')
  .summary('show that new pods in a namespace come out annotated')
  .description(
    'Sends a pod to the API server as a dry run and checks that it comes back with annotations: what `helm test` runs.',
  )
  .addOption(
    new Option('-n, --namespace <name>', 'an opted-in namespace; without it that of the context').argParser(nonEmpty),
  )
  .addOption(
    option('--rules <file>', 'rules file that the webhook has; without it the shipped rules').argParser(nonEmpty),
  )
  .addOption(
    option(
      '--labels <labels>',
      'labels of the pod, where the webhook is asked about certain ones only; such as tier=web',
    )
      .default({}, 'none')
      .argParser(labels),
  )
  .addOption(
    option('--image <image>', 'image of the pod, which nobody pulls, where policies allow certain ones only')
      .default('registry.k8s.io/pause:3.10')
      .argParser(nonEmpty),
  )
  .addOption(option('--timeout-seconds <number>', 'how long to try').default(30).argParser(integer(1, 600)))
  .addOption(
    new Option('--kubeconfig <file>', 'without it $KUBECONFIG, ~/.kube/config, or the pod it runs in').argParser(
      nonEmpty,
    ),
  )
  .addOption(new Option('--context <name>', 'context of the kubeconfig').argParser(nonEmpty))
  .addHelpText('after', examples(['Are new pods annotated here?', 'autoscrape verify -n shop']))
  .action(async (options: VerifyOptions) => {
    const { verify } = await import('./commands/verify.ts');
    exitCode = await verify(options);
  });

program
  .command('help')
  .summary('show what a command takes')
  .description('Shows what a command takes, as its --help does.')
  .argument('[command]')
  .action(async (name?: string) => {
    if (name === undefined) return program.help();
    program.commands.find((command) => command.name() === name)?.help();
    // Has commander say what it says of any command that doesn't exist.
    await program.parseAsync([name], { from: 'user' });
  });

// What every process that listens or logs takes alike. An Option belongs to one command, so each gets its own.

function hostOption(): Option {
  return option('--host <address>', 'address to listen on; without it every address, IPv6 and IPv4').argParser(
    nonEmpty,
  );
}

function healthPortOption(): Option {
  return option('--health-port <number>', 'port for /livez, /readyz and /metrics (HTTP); 0 picks a free one')
    .default(8080)
    .argParser(integer(0, 65535));
}

function logLevelOption(): Option {
  return option('--log-level <level>', 'least important level to log')
    .choices(['debug', 'info', 'warn', 'error'])
    .default('info');
}

/**
 * A flag without which its command can't be run. Commander looks for mandatory flags before it looks for unknown ones, so of a
 * mandatory flag that is mistyped it says that it is missing: `refuseMisuse` comes after both.
 */
function needed(flag: Option): Option {
  NEEDED.add(flag);
  return flag;
}

/** Ends with a usage error where a needed flag is missing, or, which is often why, arguments are given that nobody takes. */
function refuseMisuse(command: Command): void {
  const missing = command.options.find(
    (flag) => NEEDED.has(flag) && command.getOptionValue(flag.attributeName()) === undefined,
  );
  if (missing !== undefined) command.error(`error: required option '${missing.flags}' not specified`);
  const excess = command.args.slice(command.registeredArguments.length);
  if (excess.length > 0) command.error(`error: '${command.name()}' does not take '${excess.join("', '")}'`);
}

/** A parser of a flag that can be given several times. */
function several(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, nonEmpty(value)];
}

/** Help text with one command a line, each below what it is good for. */
function examples(...lines: readonly (readonly [what: string, command: string])[]): string {
  return ['', 'Examples:', ...lines.map(([what, command]) => `  # ${what}\n  ${command}`)].join('\n');
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
  await program.parseAsync();
} catch (error) {
  exitCode = report(error);
}
// Pipes are written asynchronously on some systems; exit only when everything before this empty write is out.
process.stdout.write('', () => process.exit(exitCode));

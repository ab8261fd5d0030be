// A process of its own: it starts processes, and waits for them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import packageJson from '../../package.json' with { type: 'json' };
import { runAutoscrape } from '../harness/autoscrape/run-autoscrape.ts';
import { run } from '../harness/autoscrape/serving.ts';

test('--version and version print the version and nothing else', async () => {
  for (const args of [['--version'], ['version']])
    assert.deepEqual(await runAutoscrape(args), { code: 0, stdout: `${packageJson.version}\n`, stderr: '' });
});

test('--help prints commands and examples; a command’s help prints its flags and their environment variables', async () => {
  const help = await runAutoscrape(['--help']);
  assert.equal(help.code, 0);
  assert.match(help.stdout, /^ {2}serve .*run the admission webhook$/m);
  assert.match(help.stdout, /^Examples:$/m);
  const serveHelp = await runAutoscrape(['serve', '--help']);
  assert.equal(serveHelp.code, 0);
  assert.match(serveHelp.stdout, /--cert-dir <dir>[^]*env: AUTOSCRAPE_CERT_DIR[^]*^Examples:\n {2}# /m);
});

test('help prints what --help prints', async () => {
  const [help, serveHelp, ...asked] = await Promise.all(
    [['help'], ['help', 'serve'], ['--help'], ['serve', '--help']].map((args) => runAutoscrape(args)),
  );
  assert.deepEqual([help, serveHelp], asked);
  assert.equal(help?.code, 0);
});

test('--help loads no command, and a command no other one', async () => {
  const trace = new URL('../harness/autoscrape/loaded-modules.ts', import.meta.url).href;
  const loaded = async (...args: string[]): Promise<string[]> => {
    const { stdout } = await run(args, { nodeFlags: [`--import=${trace}`] });
    return stdout.trimEnd().split('\n').at(-1)?.replace('loaded: ', '').split(' ') ?? [];
  };
  assert.deepEqual(await loaded('--help'), ['commander']);
  const sample = await loaded('sample', '--help');
  assert.deepEqual(
    sample.filter((name) => ['fastify', 'zod', 'yaml', 're2js'].includes(name)),
    [],
  );
  assert.ok((await loaded('serve', '--help')).includes('fastify'));
});

const MISTAKES: Readonly<
  Record<string, readonly [args: readonly string[], message: RegExp, env?: Record<string, string>]>
> = {
  'no command': [[], /^Usage: autoscrape/],
  'an unknown command': [['srve'], /unknown command 'srve'\n\(Did you mean serve\?\)\n\(add --help/],
  'an unknown flag': [
    ['serve', '--cert-dir', '.', '--prot', '1'],
    /unknown option '--prot'\n\(Did you mean --port\?\)/,
  ],
  'help for an unknown command': [['help', 'srve'], /unknown command 'srve'\n\(Did you mean serve\?\)/],
  'a mistyped mandatory flag': [
    ['serve', '--certdir', '.'],
    /unknown option '--certdir'\n\(Did you mean --cert-dir\?\)/,
  ],
  'another one': [['explain', '--file', 'x.yaml'], /unknown option '--file'/],
  'an argument too many': [['serve', '--cert-dir', '.', 'now', 'then'], /'serve' does not take 'now', 'then'/],
  'no rules file': [['check'], /give one rules file: autoscrape check rules\.yaml/],
  'two rules files': [['check', 'a.yaml', '-f', 'b.yaml'], /give one rules file/],
  'all namespaces and one': [['uninject', '-n', 'a', '-A'], /--all-namespaces' cannot be used with .*--namespace/],
  'an empty name of the Lease': [['reconcile', '--lease-name', ''], /'--lease-name <name>' argument '' is invalid/],
  'an empty kubeconfig': [['verify', '--kubeconfig', ''], /'--kubeconfig <file>' argument '' is invalid/],
  'an empty context': [['verify', '--context='], /'--context <name>' argument '' is invalid/],
  'a missing flag': [['serve'], /required option '--cert-dir <dir>' not specified/],
  'two certificates': [
    ['serve', '--cert-dir', '.', '--self-signed'],
    /'--self-signed' cannot be used with option '--cert-dir <dir>'/,
  ],
  'an empty flag': [['serve', '--cert-dir', ''], /'--cert-dir <dir>' argument '' is invalid\. It is empty\./],
  'a port that is no number': [
    ['serve', '--cert-dir', '.', '--port', '0x50'],
    /'--port <number>' argument '0x50' is invalid\. Give a whole number from 0 to 65535\./,
  ],
  'a port that is too high': [['serve', '--cert-dir', '.', '--port', '65536'], /Give a whole number from 0 to 65535/],
  'a wrong choice': [
    ['serve', '--cert-dir', '.', '--log-level', 'loud'],
    /Allowed choices are debug, info, warn, error\./,
  ],
  'a wrong variable': [
    ['serve', '--cert-dir', '.'],
    /'--drain-seconds <number>' value '10s' from env 'AUTOSCRAPE_DRAIN_SECONDS' is invalid\. Give a whole number/,
    { AUTOSCRAPE_DRAIN_SECONDS: '10s' },
  ],
  'a service link for a port': [
    ['serve', '--cert-dir', '.'],
    /from env 'AUTOSCRAPE_PORT' is invalid.* Set enableServiceLinks: false/,
    { AUTOSCRAPE_PORT: 'tcp://10.96.0.10:443' },
  ],
  'a switch that is neither on nor off': [
    ['serve', '--cert-dir', '.'],
    /from env 'AUTOSCRAPE_OBSERVE' is invalid\. Give true or false\./,
    { AUTOSCRAPE_OBSERVE: 'yes' },
  ],
};

for (const [title, [args, message, env]] of Object.entries(MISTAKES)) {
  test(`a usage error says what to do, without a stack, exit code 2: ${title}`, async () => {
    const { code, stdout, stderr } = await runAutoscrape(args, '', env);
    assert.equal(code, 2);
    assert.match(stderr, message);
    assert.doesNotMatch(stderr, /^ {4}at /m);
    assert.equal(stdout, '');
  });
}

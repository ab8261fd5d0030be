import * as commander from 'commander';
import { InvalidArgumentError } from 'commander';
import type * as typed from '@commander-js/extra-typings';

// What the flags of every command are made of, and the flags that several commands take.

/**
 * commander's own classes, with the types of its companion package: what a command is told is inferred from its flags.
 * That package is types only, so it isn't loaded.
 */
// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- its index.js is `export * from 'commander'`
export const { Command, Option } = commander as unknown as typeof typed;

/** What a command is told by its flags and the environment. */
export type OptionsOf<C extends { opts(): unknown }> = ReturnType<C['opts']>;

/**
 * A flag of the command line that can also be given as an environment variable: `--cert-dir` as `AUTOSCRAPE_CERT_DIR`.
 * The flag wins. Nothing else in the program reads the environment.
 */
export function option<Flags extends string>(flags: Flags, description: string) {
  const made = new Option(flags, description);
  return made.env(`AUTOSCRAPE_${made.name().toUpperCase().replaceAll('-', '_')}`);
}

/**
 * A switch, off unless given. `--observe` alone means true; the optional value is there for the environment, where
 * `AUTOSCRAPE_OBSERVE=false` must not switch it on, as commander's own boolean options would.
 */
export function toggle<Name extends string>(name: Name, description: string) {
  return option(`${name} [true|false]`, description).preset('true').argParser(boolean).default(false);
}

/** The address that a command listens on. */
export const hostOption = option(
  '--host <address>',
  'address to listen on; without it every address, IPv6 and IPv4',
).argParser(nonEmpty);

/** The port of the probes and metrics of `serve` and `reconcile`. */
export const healthPortOption = option(
  '--health-port <number>',
  'port for /livez, /readyz and /metrics (HTTP); 0 picks a free one',
)
  .default(8080)
  .argParser(integer(0, 65535));

/** What `serve` and `reconcile` log. */
export const logLevelOption = option('--log-level <level>', 'least important level to log')
  .choices(['debug', 'info', 'warn', 'error'])
  .default('info');

/** Which cluster, for commands that need one. */
export const kubeconfigOption = new Option(
  '--kubeconfig <file>',
  'kubeconfig file; without it $KUBECONFIG, ~/.kube/config, or the pod it runs in',
).argParser(nonEmpty);

/** Which of a kubeconfig's clusters. */
export const contextOption = new Option('--context <name>', 'context in the kubeconfig').argParser(nonEmpty);

/** The speed of `reconcile` and `uninject`. */
export const patchesPerSecondOption = option('--patches-per-second <number>', 'most pods to change in a second')
  .default(20)
  .argParser(integer(1, 1000));

/** A parser of whole numbers from `minimum` to `maximum`, both included. */
export function integer(minimum: number, maximum: number): (text: string) => number {
  return (text) => {
    const value = /^[0-9]{1,9}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= minimum && value <= maximum) return value;
    throw new InvalidArgumentError(`Give a whole number from ${minimum} to ${maximum}.${serviceLinkHint(text)}`);
  };
}

/** The text itself, unless it is empty: what a shell makes of an unset variable. */
export function nonEmpty(text: string): string {
  if (text !== '') return text;
  throw new InvalidArgumentError('It is empty.');
}

/** Labels as `kubectl label` and selectors write them: `team=shop,tier=`. What Kubernetes takes as one, the API server says. */
export function labels(text: string): Readonly<Record<string, string>> {
  const pairs = text.split(',').map((label) => /^(?<key>[^=]+)=(?<value>.*)$/.exec(label)?.groups);
  return Object.fromEntries(
    pairs.map((pair) => {
      if (pair === undefined) throw new InvalidArgumentError('Give labels such as team=shop,tier=web.');
      return [pair['key'], pair['value']];
    }),
  );
}

function boolean(text: string): boolean {
  if (text === 'true') return true;
  if (text === 'false') return false;
  throw new InvalidArgumentError('Give true or false.');
}

/** The kubelet sets AUTOSCRAPE_PORT=tcp://… in every pod beside a Service named `autoscrape`, unless it is told not to. */
function serviceLinkHint(text: string): string {
  return text.includes('://') ? ' Is it a Kubernetes service link? Set enableServiceLinks: false in the pod.' : '';
}

/** A parser of a flag that can be given several times. */
export function several(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, nonEmpty(value)];
}

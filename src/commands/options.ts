import * as commander from 'commander';
import { InvalidArgumentError } from 'commander';
import { parseSelector } from '../core/rules/selector-text.ts';
import type { SelectorText } from '../core/rules/selector-text.ts';
import type * as typed from '@commander-js/extra-typings';

// The parsers of flags, and the flags that several commands have.

/**
 * commander's own classes with the types of @commander-js/extra-typings, which infer a command's options
 * from its flags. That package is types only, so it is never loaded.
 */
// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- its index.js is `export * from 'commander'`
export const { Argument, Command, Option } = commander as unknown as typeof typed;

/** The options of a command, from flags and environment. */
export type OptionsOf<C extends { opts(): unknown }> = ReturnType<C['opts']>;

/**
 * Returns a flag that can also be set by an environment variable: `--cert-dir` by
 * `AUTOSCRAPE_CERT_DIR`. The flag wins. Nothing else in the program reads the environment.
 */
export function option<Flags extends string>(flags: Flags, description: string) {
  const made = new Option(flags, description);
  return made.env(`AUTOSCRAPE_${made.name().toUpperCase().replaceAll('-', '_')}`);
}

/**
 * Returns a switch that is off by default. `--observe` alone means true. The optional value is for the
 * environment: `AUTOSCRAPE_OBSERVE=false` must not switch it on, as it does with commander's own
 * boolean options.
 */
export function toggle<Name extends string>(name: Name, description: string) {
  return option(`${name} [true|false]`, description).preset('true').argParser(boolean).default(false);
}

/** The address that a command listens on. */
export const hostOption = option('--host <address>', 'address to listen on; defaults to all, IPv6 and IPv4').argParser(
  nonEmpty,
);

/** The port of the probes and metrics of `serve` and `reconcile`. */
export const healthPortOption = option(
  '--health-port <number>',
  'port for /livez, /readyz and /metrics (HTTP); 0 chooses a free one',
)
  .default(8080)
  .argParser(integer(0, 65535));

/** The lowest level that `serve` and `reconcile` log. */
export const logLevelOption = option('--log-level <level>', 'lowest level to log')
  .choices(['debug', 'info', 'warn', 'error'])
  .default('info');

/** The cluster, for commands that need one. */
export const kubeconfigOption = new Option(
  '--kubeconfig <file>',
  'kubeconfig file; defaults to $KUBECONFIG, ~/.kube/config, or the service account of the pod',
).argParser(nonEmpty);

/** The context of the kubeconfig. */
export const contextOption = new Option(
  '--context <name>',
  'context of the kubeconfig; defaults to its current one',
).argParser(nonEmpty);

/** The time limit of each request to the API server, in milliseconds. */
export const requestTimeoutOption = new Option(
  '--request-timeout <time>',
  'longest time for one request to the API server, such as 5s, 1m, or 0 for none; defaults to 10s, and 30s for a list',
).argParser(duration);

/** The namespaces of `reconcile` and `explain`, as the chart's webhook.namespaceSelector. */
export const namespaceSelectorOption = option(
  '--namespace-selector <selector>',
  'namespaces to work on, such as team=shop,env in (prod,test), in place of the label autoscrape.io/inject',
).argParser(selector);

/** The pods of `reconcile` and `explain`, as the chart's webhook.objectSelector. */
export const objectSelectorOption = option(
  '--object-selector <selector>',
  'labels of the pods to annotate, such as tier!=canary',
).argParser(selector);

/** Which ports `reconcile --ask` and `learn` ask. */
export const askPortsOption = option('--ask-ports <which>', 'which ports may be asked, by their signs of HTTP')
  .choices(['probed', 'web', 'likely', 'all'])
  .default('likely');

/** What `reconcile --ask` and `learn` do about Services that are scraped already. */
export const askAnnotatedServicesOption = option(
  '--ask-annotated-services <leave|ask>',
  'whether pods are asked whose Service has the annotation prometheus.io/scrape: "true"',
)
  .choices(['leave', 'ask'])
  .default('leave');

/** The rate limit of `reconcile` and `uninject`. */
export const patchesPerSecondOption = option('--patches-per-second <number>', 'most pods to change per second')
  .default(20)
  .argParser(integer(1, 1000));

/** Returns a parser of integers from `minimum` to `maximum`, both inclusive. */
export function integer(minimum: number, maximum: number): (text: string) => number {
  return (text) => {
    const value = /^[0-9]{1,9}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= minimum && value <= maximum) return value;
    throw new InvalidArgumentError(`Give a whole number from ${minimum} to ${maximum}.${serviceLinkHint(text)}`);
  };
}

/** Returns the argument, and refuses an empty one: a shell passes it for an unset variable. */
export function nonEmpty(text: string): string {
  if (text !== '') return text;
  throw new InvalidArgumentError('It is empty.');
}

/** Parses labels as `kubectl label` writes them: `team=shop,tier=`. The API server validates them. */
export function labels(text: string): Readonly<Record<string, string>> {
  const pairs = text.split(',').map((label) => /^(?<key>[^=]+)=(?<value>.*)$/.exec(label)?.groups);
  return Object.fromEntries(
    pairs.map((pair) => {
      if (pair === undefined)
        throw new InvalidArgumentError('Give comma-separated labels, such as team=shop,tier=web.');
      return [pair['key'], pair['value']];
    }),
  );
}

/** Parses a label selector as kubectl has it. */
function selector(text: string): SelectorText {
  const parsed = parseSelector(text);
  if (parsed.ok) return parsed.value;
  throw new InvalidArgumentError(`${parsed.error}: give one such as team=shop,env in (prod,test),!legacy.`);
}

/** What setTimeout can wait for, in milliseconds: three weeks are no limit. */
const LONGEST_MS = 2 ** 31 - 1;

/** Parses a time as kubectl's --request-timeout takes it: a number of seconds, or with a unit. Returns milliseconds. */
function duration(text: string): number {
  const [, number = '', unit = 's'] = /^([0-9]{1,6})(ms|s|m|h)?$/.exec(text) ?? [];
  if (number === '') throw new InvalidArgumentError('Give a time such as 5s, 1m, or 0 for no limit.');
  const ms = Number(number) * ({ ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }[unit] ?? 0);
  return ms === 0 ? LONGEST_MS : Math.min(ms, LONGEST_MS);
}

function boolean(text: string): boolean {
  if (text === 'true') return true;
  if (text === 'false') return false;
  throw new InvalidArgumentError('Give true or false.');
}

/** The kubelet sets AUTOSCRAPE_PORT=tcp://… in pods of a namespace with a Service named `autoscrape`, unless enableServiceLinks is false. */
function serviceLinkHint(text: string): string {
  return text.includes('://') ? ' Is it a Kubernetes service link? Set enableServiceLinks: false in the pod.' : '';
}

/** Parses a repeatable flag. */
export function several(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, nonEmpty(value)];
}

import { InvalidArgumentError, Option } from 'commander';

/**
 * A flag of the command line that can also be given as an environment variable: `--cert-dir` as `AUTOSCRAPE_CERT_DIR`.
 * The flag wins. Nothing else in the program reads the environment.
 */
export function option(flags: string, description: string): Option {
  const made = new Option(flags, description);
  return made.env(`AUTOSCRAPE_${made.name().toUpperCase().replaceAll('-', '_')}`);
}

/**
 * A switch, off unless given. `--observe` alone means true; the optional value is there for the environment, where
 * `AUTOSCRAPE_OBSERVE=false` must not switch it on, as commander's own boolean options would.
 */
export function toggle(name: string, description: string): Option {
  return option(`${name} [true|false]`, description).preset('true').argParser(boolean).default(false);
}

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

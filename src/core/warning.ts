import { isDnsLabel } from './annotations/dns-label.ts';
import * as optIn from './inject-label.ts';
import { didYouMean } from './did-you-mean.ts';

// Warnings for the person who applies the pod: kubectl prints them. The API server cuts a warning
// at 256 bytes and drops one with control characters, so they quote only short, checked values of
// the pod.

/** Returns a warning where the value was probably meant to be "true". */
export function nearMiss(key: string, value: string): string[] {
  return /^\s*(?:true|t|yes|y|on|1)\s*$/i.test(value)
    ? [fit(`autoscrape: ${key} must be exactly "true" for Prometheus; ${JSON.stringify(value.slice(0, 16))} means no`)]
    : [];
}

/** Returns the warning for an opt-in label that says neither yes nor no. */
export function unknownOptIn(value: string): string {
  return fit(`autoscrape: not annotated: ${optIn.unknownOptIn(value)}`);
}

/** Returns the warning for an ask label that says neither yes nor no. */
export function unknownAsk(problem: string): string {
  return fit(`autoscrape: not asked: ${problem}`);
}

/** Returns the warning for two spellings of one key. */
export function conflict(key: string): string {
  return fit(
    `autoscrape: Prometheus reads two annotations as ${key}, with different values, and picks one at random: remove one`,
  );
}

/** Returns the warning for a port that no scraper can use. */
export function unusablePort(key: string): string {
  return fit(
    `autoscrape: ${key} is not a TCP port that a scraper can use: set it to one decimal port number that the pod serves`,
  );
}

/** Returns the warning for `scrape: "true"` without a port; `rule` finds `found`, where one does. */
export function everyPort(key: string, candidates: number, rule?: string, found?: number): string {
  const which = rule === undefined ? 'the one that serves metrics' : `"${found}", which rule ${rule} finds`;
  return candidates === 0
    ? fit(
        `autoscrape: scrape is "true", but the pod declares no TCP port and ${key} is missing, so scrapers guess: add ${key}` +
          (rule === undefined ? '' : `: ${which}`),
      )
    : fit(`autoscrape: without ${key} Prometheus scrapes all ${candidates} declared ports: set it to ${which}`);
}

/** Returns the warning for endpoints that no annotation carries. */
export function notScraped(
  endpoints: readonly { readonly port: number; readonly container: string }[],
  because: string,
  todo: string,
): string {
  const named = endpoints.map(({ port, container }) =>
    isDnsLabel(container) ? `${port} (${container})` : String(port),
  );
  const which = named.length > 3 ? `${named.slice(0, 2).join(', ')} and ${named.length - 2} more` : named.join(', ');
  const [verb, noun] = named.length === 1 ? ['is', 'port'] : ['are', 'ports'];
  return fit(`autoscrape: ${noun} ${which} ${verb} not scraped, because ${because}: ${todo}`);
}

/** Returns the warning for a label that names an unknown rule. */
export function unknownRule(name: string, known: readonly string[]): string {
  return fit(`autoscrape: label autoscrape.io/rule names an unknown rule${didYouMean(name, known)}`);
}

/** Returns the warning for a named rule that finds no single port. */
export function ruleFindsNoPort(rule: string): string {
  return fit(
    `autoscrape: rule ${rule} (label autoscrape.io/rule) finds no single port in this pod: add the label autoscrape.io/port`,
  );
}

/** Returns the warning for a port that no container declares. */
export function undeclared(port: number): string {
  return fit(
    `autoscrape: no container declares port ${port}, and VictoriaMetrics ignores undeclared ports: declare it under ports`,
  );
}

/** Returns the warning for an endpoint of a native sidecar. */
export function nativeSidecar(port: number): string {
  return fit(
    `autoscrape: port ${port} belongs to a native sidecar, and VictoriaMetrics' chart ignores init containers`,
  );
}

/** Returns the warning for an https endpoint. */
export function https(): string {
  return "autoscrape: this endpoint uses https; VictoriaMetrics' chart and Azure scrape it over http, which fails";
}

/** Returns the warning for a marker that lists annotations which the pod does not have. */
export function brokenMarker(): string {
  return 'autoscrape: not annotated, because autoscrape.io/injected lists annotations that are missing: remove it, or the annotations that it lists';
}

/** Returns the warning for a pod that takes too many steps. */
export function tooComplex(): string {
  return 'autoscrape: not annotated, because the pod is too complex to be read within the limit: write its scrape annotations yourself';
}

/** Returns the warning for annotations near the API server's limit. */
export function tooLarge(): string {
  return "autoscrape: not annotated, because the annotations would come too close to 256 KiB, the API server's limit";
}

/** Returns the warning for annotations near the API server's limit that have no room for other dialects. */
export function dialectsTooLarge(): string {
  return "autoscrape: annotated in prometheus.io/* alone, because more would come too close to 256 KiB, the API server's limit";
}

/** Returns the text, cut to the length that the API server lets through. */
export function fit(text: string): string {
  return text.length <= 256 ? text : `${text.slice(0, 255)}…`;
}

import * as optIn from './opt-in.ts';
import { didYouMean } from './suggest.ts';

// What is said to the person who applied the pod. kubectl prints it; the API server cuts a warning at 256 bytes and drops
// one with control characters, so nothing of the pod but short, checked words goes into them.

/** Returns a warning where the value was probably meant to be "true". */
export function nearMiss(key: string, value: string): string[] {
  return /^\s*(?:true|t|yes|y|on|1)\s*$/i.test(value)
    ? [
        fit(
          `autoscrape: ${key} must be exactly "true" for Prometheus; ${JSON.stringify(value.slice(0, 16))} is read as no`,
        ),
      ]
    : [];
}

/** Returns the warning for an opt-in label that says neither yes nor no. */
export function unknownOptIn(value: string): string {
  return fit(`autoscrape: not annotated: ${optIn.unknownOptIn(value)}`);
}

/** Returns the warning for two spellings of one key. */
export function conflict(key: string): string {
  return fit(
    `autoscrape: two annotations are ${key} to Prometheus and have different values; it takes one at random: remove one`,
  );
}

/** Returns the warning for a port that no scraper reads. */
export function unusablePort(key: string): string {
  return fit(
    `autoscrape: ${key} is not one TCP port that a scraper can use: give a single decimal number that the pod serves`,
  );
}

/** Returns the warning for `scrape: "true"` without a port. */
export function everyPort(key: string, candidates: number): string {
  return candidates === 0
    ? fit(`autoscrape: scrape is "true", but no TCP port is declared and ${key} is missing: scrapers guess; add ${key}`)
    : fit(
        `autoscrape: without ${key} Prometheus scrapes all ${candidates} declared ports; name the one that serves metrics`,
      );
}

/** Returns the warning for a label that names no rule. */
export function unknownRule(name: string, known: readonly string[]): string {
  return fit(`autoscrape: label autoscrape.io/rule names no rule${didYouMean(name, known)}`);
}

/** Returns the warning for a named rule that leaves open which port it means. */
export function ruleFindsNoPort(rule: string): string {
  return fit(
    `autoscrape: rule ${rule} (label autoscrape.io/rule) finds no single port here: add the label autoscrape.io/port`,
  );
}

/** Returns the warning for a port that is scraped though nobody declares it. */
export function undeclared(port: number): string {
  return fit(
    `autoscrape: port ${port} is not declared by any container; VictoriaMetrics ignores such targets: declare it under ports`,
  );
}

/** Returns the warning for an endpoint of a native sidecar. */
export function nativeSidecar(port: number): string {
  return fit(
    `autoscrape: port ${port} is a native sidecar's; VictoriaMetrics' chart sees no init containers and ignores it`,
  );
}

/** Returns the warning for an https endpoint. */
export function https(): string {
  return "autoscrape: this endpoint speaks https; the rules of VictoriaMetrics' chart and of Azure scrape it by http, in vain";
}

/** Returns the warning for a marker that says only a part of the truth. */
export function brokenMarker(): string {
  return 'autoscrape: not annotated, because autoscrape.io/injected names more than the pod has: remove it, or what it names';
}

/** Returns the warning for a pod that takes too many steps. */
export function tooComplex(): string {
  return 'autoscrape: not annotated, because there is too much in this pod to read all of it: write its scrape annotations yourself';
}

/** Returns the warning for annotations near the API server's limit. */
export function tooLarge(): string {
  return 'autoscrape: not annotated, because the annotations would come too close to 256 KiB, beyond which the pod is refused';
}

function fit(text: string): string {
  return text.length <= 256 ? text : `${text.slice(0, 255)}…`;
}

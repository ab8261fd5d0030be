import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** A command and what it printed, as the README shows it. */
export interface Transcript {
  readonly command: string;
  readonly output: string;
}

/** Returns the transcripts in the README: its blocks that begin with `$ `. */
export function readTranscripts(): Transcript[] {
  const readme = readFileSync(fileURLToPath(new URL('../../README.md', import.meta.url)), 'utf8');
  return [...readme.matchAll(/^```console\n\$ ([^\n]*)\n(.*?)^```$/gms)].map(([, command = '', output = '']) => ({
    command,
    output,
  }));
}

/** Returns the output without what differs from run to run (ports, counts, seconds) and with every rule that is shipped. */
export function timeless(output: string): string {
  return output
    .replace(/^ {2}\(8000 is taken .*\n/m, '')
    .replaceAll(/:(?:8000|[0-9]{5})(?=[/ ])/g, ':PORT')
    .replaceAll(/'(?:8000|[0-9]{5})'/g, "'PORT'")
    .replaceAll(/(?<=count_total |in )[0-9.]+/g, 'N')
    .replaceAll(/[0-9]+ shipped/g, 'N shipped')
    .replaceAll(/(earlier rules, not matched:).*?(?=\n {2}\S|\n\n)/gs, '$1 RULES')
    .replaceAll(/ {2,}/g, '  ')
    .trimEnd();
}

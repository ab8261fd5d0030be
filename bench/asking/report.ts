import { askablePorts } from '../../src/core/ask/askable-ports.ts';
import type { Sign } from '../../src/core/ask/askable-ports.ts';
import { readAskedPod } from '../../src/core/ask/asked-pod.ts';
import { table } from '../statistics.ts';
import type { Play, Played } from './play.ts';
import { isGuarded, podOf, rightPlaces } from './row.ts';
import type { Row } from './row.ts';
import { outcomeOf, renderScore, score } from './score.ts';
import type { Outcome } from './score.ts';

/** One row with what came of it. */
interface Result {
  readonly row: Row;
  readonly played: Played;
  readonly byWords: Outcome;
  readonly byAsking: Outcome;
}

/** Returns the figures of a corpus that was played, in lines; with `misses` also each row that is not right. */
export function report(play: Play, misses: boolean): string[] {
  const results = [...play.rows].map(([row, played]): Result => ({
    row,
    played,
    byWords: outcomeOf(row, played.words),
    byAsking: outcomeOf(row, played.asking),
  }));
  const guarded = results.filter(({ row }) => isGuarded(row));
  const counted = results.filter(({ row }) => !isGuarded(row));
  return [
    ...(misses ? counted.flatMap(missOf) : []),
    `${sizeOf(counted, 'pos', 'to scrape')}, ${sizeOf(counted, 'neg', 'without metrics')}`,
    `https or guarded endpoints: ${guarded.length} left out, ${guarded.filter(isAnnotated).length} of them annotated`,
    `words:  ${renderScore(score(counted.map(({ row, byWords }) => ({ row, outcome: byWords }))))}`,
    `asking: ${renderScore(score(counted.map(({ row, byAsking }) => ({ row, outcome: byAsking }))))}`,
    '',
    ...byClass(results),
    '',
    ...requests(results, play.seconds),
  ];
}

function isAnnotated({ byAsking }: Result): boolean {
  return byAsking.annotated;
}

function sizeOf(results: readonly Result[], label: Row['label'], what: string): string {
  const rows = results.map(({ row }) => row).filter((row) => row.label === label);
  return `${rows.length} pods ${what} in ${new Set(rows.map(({ project }) => project)).size} projects`;
}

function sum(results: readonly Result[], figure: (result: Result) => number): number {
  return results.reduce((total, result) => total + figure(result), 0);
}

/** Of pods with metrics those with the right port count, of others all that were annotated. */
function found({ row }: Result, { port, annotated }: Outcome): number {
  return Number(row.label === 'pos' ? port : annotated);
}

function byClass(results: readonly Result[]): string[] {
  const classes = [...Map.groupBy(results, classOf)].toSorted(([one], [other]) => one.localeCompare(other));
  return table([
    ['class', 'pods', 'annotated by words', 'with asking', 'requests'],
    ...classes.map(([name, of]) => [
      name,
      String(of.length),
      String(sum(of, (result) => found(result, result.byWords))),
      String(sum(of, (result) => found(result, result.byAsking))),
      String(sum(of, ({ played }) => played.requests)),
    ]),
  ]).split('\n');
}

function requests(results: readonly Result[], seconds: number): string[] {
  const asked = results.filter(({ played }) => played.requests > 0);
  const elsewhere = results.flatMap(({ row, played }) =>
    [...played.elsewhere].map(([port, times]) => ({ row, port, times })),
  );
  return [
    `${sum(results, ({ played }) => played.firstRequests)} requests to ${asked.length} pods, and ` +
      `${sum(results, ({ played }) => played.requests - played.firstRequests)} after ten minutes; ` +
      `${elsewhere.reduce((total, { times }) => total + times, 0)} connections to ports that don't speak HTTP; ${seconds.toFixed(0)} s`,
    ...elsewhere.map(({ row, port, times }) => `  ${row.id} ${row.name}, port ${port}: ${times}`),
  ];
}

/** Returns what the row is an example of: by what its endpoint could be found, or why it has none. */
function classOf({ row, byWords }: Result): string {
  if (isGuarded(row)) return 'metrics: https or guarded';
  if (row.label === 'neg') return `none: ${row.truth.reason ?? 'no reason told'}`;
  if (byWords.port) return 'metrics: words tell the port';
  const pod = readAskedPod(podOf(row, { address: '', node: { name: '', address: '' }, since: '' }));
  const numbers = rightPlaces(row).map(({ port }) => port);
  const { ask, never } = askablePorts(pod, [], { mode: 'all', never: [], isInjected: () => false });
  const sign = ask.find(({ number }) => numbers.includes(number))?.sign;
  if (sign !== undefined) return `metrics: ${SIGNS[sign]}`;
  const isNever = never.some(({ number }) => numbers.includes(number));
  return isNever ? 'metrics: a port that is never asked' : 'metrics: the pod does not name the port';
}

const SIGNS: Readonly<Record<Sign, string>> = {
  probed: 'a port that the kubelet GETs',
  name: 'a port with a word of the web in its name',
  number: 'a port with a usual number of the web',
  declared: 'a port without any sign of HTTP',
};

function missOf({ row, played, byAsking }: Result): string[] {
  const annotations = JSON.stringify(played.asking);
  const [right] = rightPlaces(row);
  if (right === undefined) return byAsking.annotated ? [`${row.id} ${row.name}: no metrics, got ${annotations}`] : [];
  return byAsking.endpoint ? [] : [`${row.id} ${row.name}: ${right.port}${right.path}, got ${annotations}`];
}

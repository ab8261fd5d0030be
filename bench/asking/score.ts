import { rightPlaces } from './row.ts';
import type { Row } from './row.ts';

/** The scrape annotations that a pod ended up with. */
export type Annotations = Readonly<Record<string, string>>;

/** How a row came out. */
export interface Outcome {
  /** The pod is a target. */
  readonly annotated: boolean;
  /** It is one at a port with metrics. */
  readonly port: boolean;
  /** Its path and scheme are right, too. */
  readonly endpoint: boolean;
}

/** Returns how a row came out with these annotations. */
export function outcomeOf(row: Row, annotations: Annotations): Outcome {
  const annotated = annotations['prometheus.io/scrape'] === 'true';
  const atPort = annotated
    ? rightPlaces(row).filter(({ port }) => String(port) === annotations['prometheus.io/port'])
    : [];
  return {
    annotated,
    port: atPort.length > 0,
    endpoint: atPort.some(
      ({ path, scheme }) =>
        path === (annotations['prometheus.io/path'] ?? '/metrics') &&
        scheme === (annotations['prometheus.io/scheme'] ?? 'http'),
    ),
  };
}

/** The figures of a corpus. Those that have nothing to count are NaN. */
export interface Score {
  /** Mean over projects of the share of their endpoints whose port was found. */
  readonly macroRecall: number;
  readonly recall: number;
  /** Of the pods with metrics that were annotated, the share whose port is right. */
  readonly portRight: number;
  /** Of those, the share whose path and scheme are right as well. */
  readonly endpointRight: number;
  /** Of the pods without metrics, the share that was annotated. */
  readonly falsePositives: number;
  readonly macroFalsePositives: number;
}

/** A row and how it came out. */
export interface Scored {
  readonly row: Row;
  readonly outcome: Outcome;
}

/** Returns the figures of these rows. */
export function score(rows: readonly Scored[]): Score {
  const positives = rows.filter(({ row }) => row.label === 'pos');
  const negatives = rows.filter(({ row }) => row.label === 'neg');
  const found = positives.filter(isFound);
  return {
    macroRecall: macro(positives, isFound),
    recall: found.length / positives.length,
    portRight: found.length / positives.filter(isAnnotated).length,
    endpointRight: found.filter(({ outcome }) => outcome.endpoint).length / found.length,
    falsePositives: negatives.filter(isAnnotated).length / negatives.length,
    macroFalsePositives: macro(negatives, isAnnotated),
  };
}

function isFound({ outcome }: Scored): boolean {
  return outcome.port;
}

function isAnnotated({ outcome }: Scored): boolean {
  return outcome.annotated;
}

/** Returns the mean over projects of the share of their rows for which it holds. */
function macro(rows: readonly Scored[], holds: (scored: Scored) => boolean): number {
  const shares = [...Map.groupBy(rows, ({ row }) => row.project).values()].map(
    (of) => of.filter(holds).length / of.length,
  );
  return shares.reduce((total, share) => total + share, 0) / shares.length;
}

/** Returns the figures as one line. */
export function renderScore(figures: Score): string {
  const [macroRecall, recall, portRight, endpointRight, falsePositives, macroFalsePositives] = [
    figures.macroRecall,
    figures.recall,
    figures.portRight,
    figures.endpointRight,
    figures.falsePositives,
    figures.macroFalsePositives,
  ].map((figure) => figure.toFixed(3));
  return (
    `macro recall ${macroRecall}  recall ${recall}  port right ${portRight}  endpoint right ${endpointRight}  ` +
    `false positives ${falsePositives} (macro ${macroFalsePositives})`
  );
}

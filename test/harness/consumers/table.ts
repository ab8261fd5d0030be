import { format } from 'prettier';
import { CONSUMERS } from './consumer.ts';
import type { ConsumerName } from './consumer.ts';
import type { Outcome } from './verdict.ts';

/** What every consumer made of one pod. */
export interface Row {
  readonly pod: string;
  /** Whether we wrote the annotations. */
  readonly annotated: boolean;
  readonly cells: ReadonlyMap<ConsumerName, Cell>;
}

/** What one consumer made of it, and the exception that says so. */
export interface Cell {
  readonly outcome: Outcome;
  readonly exception?: string;
}

const WORDS: Readonly<Record<Outcome, string>> = {
  one: '1',
  all: '1 each',
  none: '–',
  twice: '2',
  plain: '1, by http',
  wrong: 'wrong port',
  stale: '1, too long',
  theirs: 'as written',
};

/** Returns the table with a line for each pod, for a terminal. */
export function renderLong(rows: readonly Row[]): string {
  const lines = [
    ['pod', ...CONSUMERS.map(({ name }) => name)],
    ...rows.map(({ pod, cells }) => [pod, ...CONSUMERS.map(({ name }) => words(cells.get(name)))]),
  ];
  const widths = lines[0]?.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0))) ?? [];
  return lines
    .map((line) =>
      line
        .map((text, column) => text.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/**
 * Returns the table in Markdown, with one line for all pods that are read alike; those without exceptions come first. The
 * names of many pods stand below the table, by a letter.
 */
export function renderShort(rows: readonly Row[]): string {
  const groups = Map.groupBy(rows, ({ annotated, cells }) =>
    [annotated ? 'annotated' : 'left alone', ...CONSUMERS.map(({ name }) => words(cells.get(name)))].join(' | '),
  );
  const below: string[] = [];
  const lines = [...groups]
    .toSorted(([one], [other]) => rank(one) - rank(other))
    .map(([cells, pods]) => {
      const names = pods.map(({ pod }) => `\`${pod}\``).join(', ');
      if (pods.length < 3) return `| ${names} | ${cells} |`;
      const letter = String.fromCodePoint(65 + below.length);
      below.push(`${letter}: ${names}.`);
      return `| ${pods.length} pods (${letter}) | ${cells} |`;
    });
  const head = ['pods', 'autoscrape', ...CONSUMERS.map(({ name }) => name)];
  return [`| ${head.join(' | ')} |`, `|${head.map(() => ' --- |').join('')}`, ...lines, '', below.join('\n\n')].join(
    '\n',
  );
}

/** Annotated pods first, and of them those that everybody reads alike. */
function rank(cells: string): number {
  return (cells.startsWith('left alone') ? 2 : 0) + (cells.includes('(') ? 1 : 0);
}

function words(cell: Cell | undefined): string {
  if (cell === undefined) return '?';
  return cell.exception === undefined ? WORDS[cell.outcome] : `${WORDS[cell.outcome]} (${cell.exception})`;
}

const BEGIN =
  '<!-- This table is printed by test/cluster/consumers.test.ts; to renew it, run that file with --update. -->';
const END = '<!-- The end of the table. -->';

/** Returns the page with the table in its place, formatted as the repository's pages are. */
export function withTable(page: string, table: string): Promise<string> {
  const [before, rest] = page.split(BEGIN);
  const after = rest?.split(END)[1];
  if (before === undefined || after === undefined) throw new Error(`the page has no place for the table: ${BEGIN}`);
  return format(`${before}${BEGIN}\n\n${table}\n\n${END}${after}`, { parser: 'markdown', printWidth: 120 });
}

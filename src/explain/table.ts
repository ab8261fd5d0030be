import type { Examined } from './examine.ts';
import { cut, paint, visible, wrap } from './terminal-text.ts';
import { naming, placeOf, renderWarnings, titleOf } from './text.ts';
import { EXPLAINED_REASONS } from './unselected.ts';

/** How a table is printed. */
export interface TableStyle {
  /** The width of the terminal; undefined where it is none, so that nothing is cut. */
  readonly columns: number | undefined;
  /** Whether the columns that not everybody needs are shown, too. */
  readonly wide: boolean;
  /** Whether the input has several files. */
  readonly withFile: boolean;
  /** Whether the warnings stand below the table. */
  readonly withWarnings: boolean;
}

interface Column {
  readonly title: string;
  readonly of: (examined: Examined) => string;
}

const TARGET: Column = {
  title: 'BECOMES THE TARGET',
  of({ decision, optIn }) {
    if (decision.outcome === 'skip') return 'none: skipped';
    if (optIn === 'never') return 'none: never here';
    const targets = decision.endpoints.filter(({ left }) => left === undefined);
    const others = decision.endpoints.length - targets.length;
    const lost = others === 0 ? '' : ` (${others} more not scraped)`;
    return `${targets.map(({ port, path, scheme }) => `${scheme === 'https' ? 'https ' : ''}:${port}${path}`).join(', ')}${lost}`;
  },
};

/** To how many columns names are cut, so that the columns beside them are on the screen. */
const SHORTEST_NAME = 16;

/** Returns one line for each workload, below a line of titles, and then what the reasons mean. */
export function renderTable(all: readonly Examined[], style: TableStyle): string {
  const columns: readonly Column[] = [
    { title: 'WORKLOAD', of: ({ workload }) => titleOf(workload) },
    TARGET,
    { title: 'BY', of: ({ decision }) => (decision.outcome === 'annotate' ? naming(decision.rule) : decision.reason) },
    ...(style.wide
      ? [
          { title: 'PODS', of: ({ pods }: Examined) => String(pods) },
          { title: 'OPTED IN', of: ({ optIn }: Examined) => optIn ?? '' },
          { title: 'WARNINGS', of: ({ warnings }: Examined) => (warnings.length === 0 ? '' : String(warnings.length)) },
        ]
      : []),
    ...((style.withFile || style.wide) && all.some(({ file }) => file !== '') ? [{ title: 'FILE', of: placeOf }] : []),
  ];
  const rows = all.map((examined) => columns.map(({ of }) => visible(of(examined))));
  const widths = columns.map(({ title }, i) =>
    rows.reduce((most, row) => Math.max(most, row[i]?.length ?? 0), title.length),
  );
  const [longest = 0, ...others] = widths;
  // A name may have 253 characters, and it is the target that people look for.
  const left = (style.columns ?? Infinity) - others.reduce((sum, width) => sum + 2 + width, 0);
  const first = Math.min(longest, Math.max(left, SHORTEST_NAME));
  const line = ([name = '', ...cells]: readonly string[]): string => {
    const padded = cells.map((cell, i) => (i + 1 < cells.length ? cell.padEnd(others[i] ?? 0) : cell));
    const text = [cut(name, first).padEnd(first), ...padded].join('  ');
    return style.columns === undefined ? text.trimEnd() : cut(text.trimEnd(), style.columns);
  };
  const lines = [paint('dim', line(columns.map(({ title }) => title)))];
  for (const [i, row] of rows.entries()) {
    const examined = all[i];
    lines.push(
      examined?.decision.outcome === 'annotate' && examined.optIn !== 'never' ? paint('green', line(row)) : line(row),
    );
    if (style.withWarnings && examined !== undefined)
      lines.push(...renderWarnings(examined.warnings, style.columns ?? 100, '    '));
  }
  return `${lines.join('\n')}\n`;
}

/** Returns a line for each reason that a workload is skipped for, with what it means. */
export function renderReasons(all: readonly Examined[], columns: number): string {
  const reasons = new Set<keyof typeof EXPLAINED_REASONS>();
  for (const { decision } of all) if (decision.outcome === 'skip') reasons.add(decision.reason);
  const width = Math.max(0, ...[...reasons].map(({ length }) => length));
  return [...reasons]
    .flatMap((reason) =>
      wrap(`${reason.padEnd(width)}  ${EXPLAINED_REASONS[reason]}`, columns, '  ', ' '.repeat(width + 4)),
    )
    .map((line) => `${line}\n`)
    .join('');
}

import { styleText } from 'node:util';

const WIDTHS = [22, 26, 27];

/** Returns one line of the table, in columns that together stay below 100 characters. */
export function renderRow(cells: readonly string[]): string {
  return `  ${cells.map((cell, i) => cell.padEnd(WIDTHS[i] ?? 0)).join('')}`.trimEnd();
}

/** Returns annotations as they stand in a pod, each marked as added. */
export function renderAdded(annotations: Readonly<Record<string, string>>): string {
  const added = Object.entries(annotations).map(([key, value]) =>
    styleText('green', cut(`  +     ${key}: '${value}'`)),
  );
  return ['    metadata:', '      annotations:', ...added].join('\n');
}

function cut(line: string): string {
  return line.length <= 98 ? line : `${line.slice(0, 97)}…`;
}

import type { Examined } from './examine.ts';
import { paint, visible } from './terminal-text.ts';

/**
 * Returns a table of the namespaces: whether each is opted in, how many of its pods would become targets, and how many would
 * not. The namespace with the most targets comes first.
 */
export function renderNamespaces(all: readonly Examined[]): string {
  const rows = [...Map.groupBy(all, ({ workload }) => workload.namespace)].map(([name, examined]) => {
    const optIn = examined[0]?.optIn;
    const targets = podsOf(examined, 'annotate');
    return { name, optIn, targets: optIn === 'never' ? 0 : targets, others: podsOf(examined, 'skip') };
  });
  const cells = rows
    .toSorted((a, b) => b.targets - a.targets || (a.name < b.name ? -1 : 1))
    .map(({ name, optIn, targets, others }) => [
      visible(name),
      optIn ?? 'not known',
      optIn === 'never' ? 'none: never here' : pods(targets),
      pods(others),
    ]);
  const lines = [['NAMESPACE', 'OPTED IN', 'WOULD BECOME TARGETS', 'SKIPPED'], ...cells];
  const widths = [0, 1, 2].map((i) => Math.max(...lines.map((line) => line[i]?.length ?? 0)));
  return lines
    .map((line, row) => {
      const text = line.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join('  ');
      return `${row === 0 ? paint('dim', text) : text}\n`;
    })
    .join('');
}

function podsOf(all: readonly Examined[], outcome: Examined['decision']['outcome']): number {
  return all.reduce((sum, { decision, pods: of }) => sum + (decision.outcome === outcome ? of : 0), 0);
}

function pods(number: number): string {
  return `${number.toLocaleString('en')} pod${number === 1 ? '' : 's'}`;
}

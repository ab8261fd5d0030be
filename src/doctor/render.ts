import { visible } from '../explain/paint.ts';
import type { Line, PodReport } from './finding.ts';

const SIGNS = { ok: '✔', warning: '!', cross: '✖', unchecked: '–', unreached: '–' } as const;

/** Returns the reports as text; the last line of each is the answer. */
export function renderReports(reports: readonly PodReport[]): string {
  return reports.map((report) => `${renderReport(report).map(visible).join('\n')}\n`).join('\n');
}

function renderReport({ namespace, name, lines, answer }: PodReport): string[] {
  const place = `${namespace}/${name}`;
  return [place, ...lines.flatMap(renderLine), `${place} ${answer}`.replace(/^(\S+) not scraped/, '$1 is not scraped')];
}

function renderLine(line: Line): string[] {
  const sign = `  ${SIGNS[line.state]} `;
  switch (line.state) {
    case 'ok':
      return [sign + line.title];
    case 'unchecked':
      return [`${sign}not checked: ${line.title} (needs ${line.needs})`];
    case 'unreached':
      return [`${sign}not reached: ${line.title}`];
    case 'warning':
    case 'cross':
      return [`${sign}${line.title}  [${line.id}]`, `    ${line.because}`, `    → ${line.todo}`];
  }
}

/** Returns the reports as one JSON object, in which every key is always present. */
export function reportsRecord(reports: readonly PodReport[]): object {
  return {
    pods: reports.map(({ namespace, name, lines, scraped, answer }) => ({
      namespace,
      name,
      scraped: scraped ?? null,
      answer,
      checks: lines.map((line) => ({
        state: line.state,
        id: 'id' in line ? line.id : null,
        title: line.title,
        because: 'because' in line ? line.because : null,
        todo: 'todo' in line ? line.todo : null,
        needs: 'needs' in line ? line.needs : null,
      })),
    })),
  };
}

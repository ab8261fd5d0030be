import { visible } from '../explain/terminal-text.ts';
import { answerOf } from './conclusion.ts';
import type { Line, PodReport, Section } from './finding.ts';

/** What is printed. */
export interface Diagnosis {
  /** What is not about one pod; it comes first. */
  readonly sections: readonly Section[];
  readonly reports: readonly PodReport[];
  /** Such as `autoscrape 0.1.0`. */
  readonly versions: readonly string[];
}

/** How much is printed: everything of each pod, one line of pods without a finding, or only findings with the versions. */
export type Detail = 'full' | 'brief' | 'short';

const SIGNS = { ok: '✔', note: '–', warning: '!', cross: '✖', unchecked: '–', unreached: '–' } as const;

/** Returns the diagnosis as text; the last line is the answer. */
export function renderDiagnosis({ sections, reports, versions }: Diagnosis, detail: Detail): string {
  const blocks: string[][] = [];
  for (const { title, lines } of sections) {
    const shown = detail === 'short' ? lines.filter(isFinding) : lines;
    if (shown.length > 0) blocks.push([title, ...shown.flatMap(renderLine)]);
  }
  const brief: string[] = [];
  for (const alike of alikes(reports)) {
    const [first] = alike;
    if (first === undefined) continue;
    if (detail === 'full') blocks.push([titleOf(alike), ...first.lines.flatMap(renderLine)]);
    else if (first.lines.some(isFinding)) {
      const shown = first.lines.filter(detail === 'short' ? isFinding : isShown);
      blocks.push([titleOf(alike), ...shown.flatMap(renderLine)]);
    } else if (detail === 'brief') brief.push(renderBriefly(alike, first));
  }
  if (brief.length > 0) blocks.push(brief);
  const last = [...(detail === 'short' ? [versions.join(', ')] : []), answerOf(reports, sections)];
  const text = blocks.map((block) => `${block.map(visible).join('\n')}\n`).join('\n');
  // One pod's answer belongs to what is above it.
  const gap = blocks.length > 1 || (reports.length !== 1 && blocks.length > 0) ? '\n' : '';
  return `${text}${gap}${last.map((line) => `${visible(line)}\n`).join('')}`;
}

function isFinding({ state }: Line): boolean {
  return state === 'cross' || state === 'warning';
}

/** In a brief report ticks say only what leads to the finding. */
function isShown({ state }: Line): boolean {
  return state !== 'unreached';
}

/** Returns the pods of one workload together that have the same findings, in the order of the first of each. */
function alikes(reports: readonly PodReport[]): readonly (readonly PodReport[])[] {
  const groups = Map.groupBy(reports, (report) => {
    const { namespace, name, workload, scraped, lines } = report;
    const found = lines.filter(({ state }) => state !== 'ok').map((line) => [line.state, 'id' in line ? line.id : '']);
    // Nobody wants to read of each pod of a namespace that is not opted in.
    const isOfNamespace = lines.some((line) => 'id' in line && line.id === 'namespace-not-opted-in');
    return JSON.stringify([namespace, isOfNamespace ? '' : workload || name, scraped, found]);
  });
  return [...groups.values()];
}

const MAX_NAMED = 3;

function titleOf(alike: readonly PodReport[]): string {
  const [first, ...others] = alike;
  if (first === undefined) return '';
  const { namespace, name, workload } = first;
  const title = `${namespace}/${name}${workload === '' ? '' : ` (${workload})`}`;
  if (others.length === 0) return title;
  const named = others.slice(0, MAX_NAMED).map((other) => other.name);
  const rest = others.length - named.length;
  return `${title}, and alike ${named.join(', ')}${rest === 0 ? '' : ` and ${rest} more`}`;
}

function renderBriefly(
  alike: readonly PodReport[],
  { namespace, name, workload, lines, scraped, answer }: PodReport,
): string {
  const place = alike.length === 1 ? `${namespace}/${name}` : `${namespace}/${workload || name} (${alike.length} pods)`;
  const note = lines.find((line) => line.state === 'note');
  if (note !== undefined && 'id' in note) return `– ${place}: ${note.title}: ${note.because}  [${note.id}]`;
  return `${scraped === true ? SIGNS.ok : SIGNS.unchecked} ${place} ${answer}`;
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
    case 'note':
      return [`${sign}${line.title}  [${line.id}]`, `    ${line.because}`];
    case 'warning':
    case 'cross':
      return [`${sign}${line.title}  [${line.id}]`, `    ${line.because}`, `    → ${line.todo}`];
  }
}

/** Returns the diagnosis as one JSON object, in which every key is always present. */
export function diagnosisRecord({ sections, reports, versions }: Diagnosis): object {
  return {
    versions,
    sections: sections.map(({ title, lines }) => ({ title, checks: lines.map(lineRecord) })),
    pods: reports.map(({ namespace, name, workload, lines, scraped, answer }) => ({
      namespace,
      name,
      workload,
      scraped: scraped ?? null,
      answer,
      checks: lines.map(lineRecord),
    })),
    answer: answerOf(reports, sections),
  };
}

function lineRecord(line: Line): object {
  return {
    state: line.state,
    id: 'id' in line ? line.id : null,
    title: line.title,
    because: 'because' in line ? line.because : null,
    todo: 'todo' in line ? line.todo : null,
    checked: line.state !== 'unchecked' && line.state !== 'unreached',
    needs: 'needs' in line ? line.needs : null,
  };
}

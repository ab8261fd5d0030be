import type { Line, PodReport, Section } from './finding.ts';

/** Returns the answer in one line: of one pod whether it is scraped, of several how many are, and the first cause where one is not. */
export function answerOf(reports: readonly PodReport[], sections: readonly Section[]): string {
  const lines = [...sections, ...reports].flatMap((each) => each.lines);
  const unread = lines.some(({ state }) => state === 'unchecked') ? ', as far as could be read' : '';
  const [first] = reports;
  if (first === undefined) return firstCross(sections) ?? `0 pods looked at${unread}`;
  if (reports.length === 1) return answerOfOne(first) + (first.scraped === true ? unread : '');
  const scraped = reports.filter((report) => report.scraped === true).length;
  const broken = reports.filter(isBroken);
  const unknown = reports.filter((report) => report.scraped === undefined).length;
  const others = reports.length - scraped - broken.length - unknown;
  const parts = [
    `${scraped} of ${reports.length} pods are scraped`,
    ...(broken.length === 0 ? [] : [`${broken.length} should be and ${broken.length === 1 ? 'is' : 'are'} not`]),
    ...(unknown === 0 ? [] : [`of ${unknown} it is not known`]),
    ...(others === 0 ? [] : [`${others} need not be`]),
  ];
  const cause = broken.find(({ lines }) => lines.some(({ state }) => state === 'cross')) ?? broken[0];
  const named = cause === undefined ? firstCross(sections) : answerOfOne(cause);
  return parts.join('; ') + unread + (named === undefined ? '' : `. First: ${named}`);
}

function isBroken({ scraped, lines }: PodReport): boolean {
  return scraped === false && lines.some(({ state }) => state === 'cross' || state === 'warning');
}

function answerOfOne({ namespace, name, answer }: PodReport): string {
  return `${namespace}/${name} ${answer}`.replace(/^(\S+) not scraped/, '$1 is not scraped');
}

function firstCross(sections: readonly Section[]): string | undefined {
  const found = sections.flatMap(({ lines }) => lines).find((line: Line) => line.state === 'cross');
  return found !== undefined && 'id' in found ? `${found.title} (${found.id})` : undefined;
}

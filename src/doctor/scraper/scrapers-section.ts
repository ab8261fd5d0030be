import { finding } from '../finding.ts';
import type { Finding, Line, Section } from '../finding.ts';
import type { FoundScrapers } from './find-scrapers.ts';
import type { ScrapersRead } from './read-scraper.ts';

/** Returns what scrapes the cluster, as far as that was found: a scraper that can't be asked is named, with its page. */
export function scrapersSection(
  { scrapers, others, needs }: FoundScrapers,
  { states, strangers }: Pick<ScrapersRead, 'states' | 'strangers'>,
): Section {
  const known = scrapers.filter((scraper) => !strangers.includes(scraper));
  const lines: Line[] = known.map((scraper): Line => {
    const state = states.find((one) => one.scraper === scraper);
    if (state === undefined) return { state: 'unchecked', title: scraper.name, needs: 'an answer about its targets' };
    const targets = [...state.active.values()].reduce((sum, count) => sum + count, 0);
    const names = state.reading.map(({ name }) => name).join(', ');
    const reads =
      state.jobs === undefined ? '' : names === '' ? '; no job reads annotations' : `; reads annotations: ${names}`;
    return { state: 'ok', title: `${scraper.name} ${state.version ?? ''}: ${targets} targets${reads}` };
  });
  for (const { name, page } of others) lines.push({ state: 'unchecked', title: name, needs: `a look at ${page}` });
  if (needs !== undefined) lines.push({ state: 'unchecked', title: 'scrapers', needs: `${needs}, or --prometheus` });
  else if (lines.length === 0) lines.push(noScraper());
  for (const { name, kind } of strangers)
    lines.push({
      state: 'ok',
      title: `${name.slice(kind.length + 1)} has the labels of ${kind}, and is none by its answer`,
    });
  return { title: 'scrapers', lines };
}

/** Returns that nothing was found that scrapes, though everything could be read. */
export function noScraper(): Finding {
  return finding(
    'scraper-not-found',
    'no scraper found',
    'No Prometheus and no vmagent is behind a Service with their well-known labels, and no pod has those of another scraper.',
    'Where there is one, name it: --prometheus svc/NAMESPACE/NAME:PORT, or a URL.',
  );
}
